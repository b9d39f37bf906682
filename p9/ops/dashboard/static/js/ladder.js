// The book's best levels: asks above, bids below, each with its size, the sum up to it and a bar. A row belongs to its price and moves with it, so
// that a step of the market lays out the few rows that are new, not all of them.
import { el, panel, setClass, setScale, setText } from "./dom.js";
import { brief, decimal, places, signed } from "./format.js";

const LEVELS = 17; // a side; the phone shows fewer
const HEIGHT = 17; // of a row, px
const SLOW_MS = 300; // between two looks at the sums, which nobody reads faster

class Side {
  constructor(name, sign) {
    this.name = name;
    this.sign = sign; // which way is away from the middle: 1 down, -1 up
    this.rows = new Map(); // by price
    this.spare = [];
    this.node = el("div", { class: `side ${name}` });
  }

  show(levels, { pricePlaces, sizePlaces, most, wall, slow }) {
    const wanted = new Set(levels.map(([price]) => price));
    for (const [price, row] of this.rows) {
      if (wanted.has(price)) continue;
      this.rows.delete(price);
      this.spare.push(row);
    }
    let sum = 0;
    levels.forEach(([price, size], n) => {
      sum += Number(size);
      let row = this.rows.get(price);
      const fresh = !row;
      if (fresh) {
        row = this.spare.pop() || this.make();
        this.rows.set(price, row);
        setText(row.price, decimal(price, pricePlaces));
      }
      if (row.n !== n) {
        row.n = n;
        row.node.style.transform = `translateY(${this.sign * n * HEIGHT}px)`;
      }
      setText(row.size, decimal(size, sizePlaces));
      if (slow || fresh) setText(row.sum, brief(sum));
      setScale(row.bar, Number(size) / most);
      setClass(row.node, Number(size) >= wall ? "row wall" : "row");
    });
    for (const row of this.spare) setClass(row.node, "row gone");
  }

  make() {
    const parts = { bar: el("i"), price: el("span"), size: el("span"), sum: el("span") };
    const row = { ...parts, n: -1, node: el("div", { class: "row" }, parts.bar, parts.price, parts.size, parts.sum) };
    this.node.append(row.node);
    return row;
  }
}

export class Ladder {
  constructor() {
    this.asks = new Side("asks", -1);
    this.bids = new Side("bids", 1);
    this.mid = el("b", { text: "–" });
    this.spread = el("span", { class: "soft" });
    this.lean = el("i");
    this.leanText = [el("span"), el("span"), el("span"), el("span")];
    this.unit = el("span", { text: "size" });
    this.slowAt = 0;
    this.picture = el("div", { class: "ladder", role: "img", "aria-label": "Book" },
      el("div", { class: "row titles" }, el("span", { text: "price" }), this.unit, el("span", { text: "sum" })),
      this.asks.node, el("div", { class: "middle" }, this.mid, this.spread), this.bids.node);
    this.panel = panel("Book", { name: "book", body: [this.picture, el("div", { class: "lean", "aria-hidden": "true" }, this.lean), el("p", {}, ...this.leanText.slice(0, 2)), el("p", {}, ...this.leanText.slice(2))] });
    this.node = this.panel.node;
  }

  render({ state, whole }) {
    const { book, instrument } = state;
    const bids = sorted(book.bids, -1).slice(0, LEVELS), asks = sorted(book.asks, 1).slice(0, LEVELS);
    const sizes = [...bids, ...asks].map(([, size]) => Number(size));
    const now = performance.now();
    const slow = whole || now - this.slowAt > SLOW_MS;
    const how = {
      pricePlaces: Math.max(places(instrument.tick), places(bids[0]?.[0] ?? ""), places(asks[0]?.[0] ?? "")), sizePlaces: places(instrument.step),
      most: Math.max(...sizes, 1e-12), wall: 6 * median(sizes) || Infinity, slow,
    };
    this.bids.show(bids, how);
    this.asks.show(asks, how);
    const bid = Number(bids[0]?.[0]), ask = Number(asks[0]?.[0]);
    setText(this.mid, bid && ask ? decimal(((bid + ask) / 2).toFixed(how.pricePlaces + 1).replace(/0$/, "")) : "–");
    setText(this.spread, bid && ask ? `spread ${decimal((ask - bid).toFixed(how.pricePlaces))} · ${brief((2e4 * (ask - bid)) / (bid + ask))} bp` : "one side is empty");
    setText(this.panel.note, book.state === "synced" ? `${state.depth_s ?? "–"}/s` : `${book.state}: ${book.reason}`);
    setClass(this.panel.note, book.state === "synced" ? "note" : "note ask");
    setClass(this.node, book.state === "synced" ? "panel book" : "panel book broken");
    if (!slow) return;
    this.slowAt = now;
    this.renderLean(state, bids, asks, how);
    this.picture.setAttribute("aria-label", `Book of ${instrument.symbol}: best bid ${bids[0]?.[0] ?? "none"}, best ask ${asks[0]?.[0] ?? "none"}`);
  }

  renderLean(state, bids, asks, { pricePlaces }) {
    const [bought, sold] = [bids, asks].map((levels) => levels.reduce((sum, [, size]) => sum + Number(size), 0));
    const share = bought + sold > 0 ? bought / (bought + sold) : 0.5;
    const ticker = state.newest.book_ticker || {};
    setScale(this.lean, share);
    setText(this.leanText[0], `bids ${(share * 100).toFixed(0)} %`);
    setText(this.leanText[1], `${(100 - share * 100).toFixed(0)} % asks`);
    setText(this.leanText[2], ticker.imbalance === undefined ? "" : `imbalance ${signed(ticker.imbalance, 2)} · of 5 ${signed(ticker.imbalance_5, 2)}`);
    setText(this.leanText[3], ticker.micro_price ? `µ ${decimal(Number(ticker.micro_price).toFixed(pricePlaces + 1))}` : "");
    setText(this.unit, state.instrument.contract === "base" ? `size ${state.instrument.base}` : "contracts");
  }
}

function sorted(levels, sign) {
  return Object.entries(levels || {}).sort(([a], [b]) => sign * (a - b));
}

function median(values) {
  const rows = [...values].sort((a, b) => a - b);
  return rows.length ? rows[rows.length >> 1] : 0;
}
