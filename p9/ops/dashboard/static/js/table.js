// A table whose rows have keys: rows come, go and change without being made anew, and columns sort.
import { el, setBar, setClass, setText } from "./dom.js";

// columns: [{title, of: (row, key) => text or {text, class, href, mark, gauge (-1 to 1), share (0 to 1)}, by: (row, key) => what it sorts by, left}]
export class Table {
  constructor(columns, { label, sort = null, descending = false, most = 1000 } = {}) {
    this.columns = columns;
    this.sort = sort;
    this.descending = descending;
    this.most = most;
    this.rows = new Map();
    this.heads = columns.map((column, n) => {
      const head = el("th", { scope: "col", class: column.left ? "left" : null });
      head.append(column.by ? el("button", { type: "button", text: column.title, onclick: () => this.order(n) }) : column.title);
      return head;
    });
    this.body = el("tbody");
    this.node = el("table", { "aria-label": label }, el("thead", {}, el("tr", {}, ...this.heads)), this.body);
    this.data = {};
    this.tell();
  }

  order(n) {
    this.descending = this.sort === n ? !this.descending : true;
    this.sort = n;
    this.tell();
    this.show(this.data);
  }

  tell() {
    this.heads.forEach((head, n) => {
      if (this.sort === n) head.setAttribute("aria-sort", this.descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  }

  show(data) {
    this.data = data;
    const keys = this.sorted(Object.keys(data)).slice(0, this.most);
    const wanted = new Set(keys);
    for (const [key, row] of this.rows) {
      if (wanted.has(key)) continue;
      row.node.remove();
      this.rows.delete(key);
    }
    let before = null;
    for (const key of keys) {
      const row = this.rows.get(key) || this.make(key);
      this.fill(row, data[key], key);
      const place = before ? before.nextSibling : this.body.firstChild;
      if (place !== row.node) this.body.insertBefore(row.node, place);
      before = row.node;
    }
  }

  sorted(keys) {
    if (this.sort === null) return keys;
    const by = this.columns[this.sort].by;
    const value = new Map(keys.map((key) => [key, by(this.data[key], key)]));
    const sign = this.descending ? -1 : 1;
    return keys.sort((a, b) => {
      const left = value.get(a), right = value.get(b);
      if (left === right) return a < b ? -1 : 1;
      if (left === undefined || left === null || Number.isNaN(left)) return 1;
      if (right === undefined || right === null || Number.isNaN(right)) return -1;
      return (left < right ? -1 : 1) * sign;
    });
  }

  make(key) {
    const cells = this.columns.map((column, n) => {
      const node = el(n ? "td" : "th", n ? {} : { scope: "row" });
      return { node, text: node };
    });
    const row = { node: el("tr", {}, ...cells.map((cell) => cell.node)), cells };
    this.rows.set(key, row);
    return row;
  }

  fill(row, data, key) {
    this.columns.forEach((column, n) => {
      const cell = row.cells[n];
      const shown = column.of(data, key);
      const { text, class: name = "", href, gauge, share, mark } = shown !== null && typeof shown === "object" ? shown : { text: shown };
      if (href && !cell.link) cell.node.append((cell.text = cell.link = el("a", {})));
      if (mark && !cell.mark) cell.node.append((cell.text = cell.mark = el("span", {})));
      const bar = gauge ?? share;
      if (bar !== undefined && !cell.gauge) {
        cell.node.append((cell.gauge = el("span", { class: "gauge" })), (cell.text = el("span", {})));
      }
      setText(cell.text, String(text ?? "–"));
      if (cell.mark) setClass(cell.mark, `mark ${mark || ""}`);
      setClass(cell.node, `${column.left ? "left" : ""} ${name}`.trim());
      if (href && cell.link.getAttribute("href") !== href) cell.link.setAttribute("href", href);
      if (cell.gauge) {
        setClass(cell.gauge, share !== undefined ? "gauge share" : gauge < 0 ? "gauge ask" : "gauge");
        setBar(cell.gauge, Math.abs(bar));
      }
    });
  }
}
