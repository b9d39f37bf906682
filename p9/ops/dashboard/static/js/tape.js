// Trades as they come, the newest above; whales, blocks and liquidations are marked.
import { el, panel, setClass, setScale, setText } from "./dom.js";
import { brief, decimal, places, time } from "./format.js";

const ROWS = 20;
const LARGE = 0.99; // of the trades that this page has seen

export class Tape {
  constructor() {
    this.rows = [];
    this.sizes = [];
    this.list = el("ol", { class: "tape", "aria-label": "Trades, newest first" });
    const legend = el("p", { class: "legend" }, el("span", { class: "whale", text: "large or block" }), el("span", { class: "warn", text: "liquidation" }));
    this.panel = panel("Trades", { body: [this.list, legend] });
    this.node = this.panel.node;
  }

  render({ state, lists, added, whole }) {
    if (whole) {
      this.list.replaceChildren();
      this.rows = [];
    }
    this.threshold = Number(state.newest.flow?.thresholds?.large) || 0; // the market's own, where it is known; else what this page has seen
    const fresh = (whole ? lists.tape || [] : added.tape || []).slice(-ROWS);
    const pricePlaces = places(state.instrument.tick);
    for (const row of fresh) this.put(row, pricePlaces);
    const unshown = state.unshown ? ` · ${brief(state.unshown)} small ones not shown` : "";
    setText(this.panel.note, `${state.trades_s ?? "–"}/s${unshown}`);
  }

  put([at, price, quantity, side, money, mark], pricePlaces) {
    const row = this.rows.length < ROWS ? this.make() : this.rows.pop();
    this.rows.unshift(row);
    const largest = this.isLarge(money || 0);
    const large = mark === "block_trades" || (this.threshold ? (money || 0) >= this.threshold : largest);
    setClass(row.node, `${side || ""} ${large ? "large" : ""} ${mark || ""}`.trim());
    setText(row.time, time(at, true));
    setText(row.price, decimal(price, pricePlaces));
    setText(row.size, brief(quantity, 4));
    setScale(row.bar, Math.sqrt((money || 0) / (this.most || 1)));
    row.node.title = mark ? mark.replace(/_/g, " ") : "";
    this.list.prepend(row.node);
  }

  make() {
    const parts = { bar: el("i"), time: el("time"), price: el("b"), size: el("span") };
    return { ...parts, node: el("li", {}, parts.bar, parts.time, parts.price, parts.size) };
  }

  isLarge(money) {
    this.sizes.push(money);
    if (this.sizes.length > 600) this.sizes.shift();
    if (this.sizes.length % 25 === 1 || !this.limit) {
      const rows = [...this.sizes].sort((a, b) => a - b);
      this.most = rows.at(-1);
      this.limit = rows.length >= 50 ? rows[Math.floor(rows.length * LARGE)] : Infinity;
    }
    return money >= this.limit;
  }
}
