// The machine room: configuration, log, sockets, budgets.
import { el, panel, setText } from "./dom.js";
import { brief, bytes, count, duration, titled } from "./format.js";
import { Table } from "./table.js";

const LEVELS = { debug: "", info: "info", warning: "warn", error: "bad", critical: "bad" };
const RANK = { debug: 0, info: 1, warning: 2, error: 3, critical: 3 };
const OWN = new Set(["n", "event", "level", "timestamp", "part"]);

export class System {
  constructor(root, app) {
    this.tree = el("div", { class: "tree" });
    this.filter = el("input", { class: "filter", type: "search", placeholder: "find a key", "aria-label": "Find a configuration key", oninput: () => this.sift() });
    this.config = panel("Configuration in force", { right: [this.filter], body: [this.tree], scroll: 560 });
    this.level = el("select", { class: "filter", "aria-label": "Least severity", onchange: () => this.fill() }, ...["debug", "info", "warning", "error"].map((name) => new Option(name, name, false, name === "info")));
    this.log = el("ol", { class: "log", "aria-label": "Log, newest first" });
    this.logPanel = panel("Log", { right: [this.level], body: [this.log], scroll: 560 });
    this.feeds = new Table([
      { title: "socket", left: true, by: (_, key) => key, of: (_, key) => titled(key) },
      { title: "state", left: true, by: (row) => row.state, of: (row) => ({ text: row.state, mark: row.state === "live" ? "good" : "bad" }) },
      { title: "topics", of: (row) => count(row.topics) }, { title: "age", by: (row) => row.age_s, of: (row) => duration(row.age_s) },
      { title: "losses", by: (row) => row.losses, of: (row) => ({ text: count(row.losses), class: row.losses ? "warn" : "" }) }, { title: "rotations", of: (row) => count(row.rotations) },
      { title: "last loss", left: true, of: (row) => ({ text: row.last_loss ?? "", class: "wrap soft" }) }], { label: "Sockets" });
    this.budgets = new Table([
      { title: "budget", left: true, of: (_, key) => key }, { title: "used", of: (row) => `${count(row.used)} of ${count(row.ceiling)}` },
      { title: "share", of: (row) => ({ text: `${Math.round((100 * row.used) / (row.ceiling || 1))} %`, share: row.used / (row.ceiling || 1) }) },
      { title: "span", of: (row) => duration(row.span_s) }, { title: "waiting", of: (row) => count(row.waiting) }], { label: "REST budgets" });
    this.pages = el("dl", { class: "pairs" });
    root.append(
      el("div", { class: "stack" }, this.logPanel.node, panel("Sockets", { body: [this.feeds.node], scroll: 420 }).node),
      el("div", { class: "stack" }, this.config.node, panel("REST budgets", { body: [this.budgets.node], scroll: 320 }).node, panel("These pages", { body: [this.pages] }).node),
    );
    this.lines = [];
    app.link.show({ view: "system" });
  }

  render({ state, lists, added, whole }) {
    this.lines = lists.log || [];
    if (whole) this.fill();
    else if (added.log) this.put(added.log);
    const text = JSON.stringify(state.config);
    if (text !== this.configText) {
      const before = this.shown;
      this.configText = text;
      this.shown = JSON.parse(text);
      this.tree.replaceChildren(...branch(this.shown, before, ""));
      this.sift();
    }
    this.feeds.show(state.feeds);
    this.budgets.show(Object.fromEntries(Object.entries(state.budgets).flatMap(([exchange, each]) => Object.entries(each.budgets || {}).map(([name, row]) => [name.startsWith(exchange) ? name : `${exchange} ${name}`, row]))));
    this.renderPages(state);
  }

  renderPages(state) {
    const { dashboard = {}, door = {}, turned_away: turnedAway } = state.pages;
    const pairs = [
      ["pages open", `${dashboard.viewers} of ${dashboard.most}`], ["connections", `${door.connections} of ${door.most}, ${count(door.refused)} refused`], ["requests turned away", count(turnedAway)],
      ["sent to pages", bytes(dashboard.sent_bytes)], ["updates skipped for slow pages", count(dashboard.skipped)], ["longest tick", `${brief(dashboard.worst_tick_ms)} ms`],
      ["channels published", count(state.channels)], ["kinds", (state.published || []).map(titled).join(", ")],
    ];
    const text = JSON.stringify(pairs);
    if (text === this.pairsText) return;
    this.pairsText = text;
    this.pages.replaceChildren(...pairs.flatMap(([title, value]) => [el("dt", { text: title }), el("dd", { text: value })]));
  }

  fill() {
    this.log.replaceChildren();
    this.put(this.lines);
  }

  put(lines) {
    const least = RANK[this.level.value];
    this.log.prepend(...lines.filter((line) => (RANK[line.level] ?? 1) >= least).reverse().map((line) => el("li", {},
      el("time", { text: (line.timestamp || "").slice(11, 19) }), el("span", { class: `mark ${LEVELS[line.level] ?? ""}`, text: line.part || line.level }),
      el("p", {}, line.event, el("span", { text: Object.entries(line).filter(([name]) => !OWN.has(name)).map(([name, value]) => ` ${name}=${value}`).join("") })))));
    while (this.log.children.length > 300) this.log.lastChild.remove();
    setText(this.logPanel.note, `${this.log.children.length} lines`);
  }

  sift() {
    const word = this.filter.value.trim().toLowerCase();
    for (const leaf of this.tree.querySelectorAll(".leaf")) leaf.hidden = Boolean(word) && !leaf.dataset.path.includes(word);
    for (const details of [...this.tree.querySelectorAll("details")].reverse()) {
      const any = [...details.querySelectorAll(".leaf")].some((leaf) => !leaf.hidden);
      details.hidden = !any;
      if (word) details.open = any;
    }
  }

  destroy() {}
}

// A section's keys; what is another than before is marked: a configuration can change while one looks.
function branch(section, before, path) {
  return Object.entries(section).map(([name, value]) => {
    const here = `${path}${name}`.toLowerCase();
    if (value !== null && typeof value === "object" && !Array.isArray(value) && Object.keys(value).length) {
      return el("details", { open: path === "" && ["redis", "http", "log"].includes(name) }, el("summary", { text: name }), ...branch(value, before?.[name], `${here}.`));
    }
    const fresh = before !== undefined && JSON.stringify(before?.[name]) !== JSON.stringify(value);
    const text = Array.isArray(value) ? value.join(", ") || "[]" : typeof value === "object" ? "{}" : String(value === "" ? '""' : value);
    return el("div", { class: `leaf${fresh ? " fresh" : ""}`, "data-path": here }, el("span", { class: "soft", text: name }), el("span", { text }));
  });
}
