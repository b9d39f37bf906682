// What is derived and polled of one instrument, each fact with its name; what is not published here is left out.
import { Awaited, el, panel, setClass, setText } from "./dom.js";
import { brief, decimal, known, percent, side, signed, titled } from "./format.js";

const signed3 = (value) => signed(value, 3);
// channel -> the fields that have words of their own; other numbers are shown as they are named
const SHOWN = {
  cvd: [["CVD, interval", "delta", signed3, side], ["CVD, interval before", "previous_delta", signed3, side], ["CVD, rolling", "rolling", signed3, side], ["CVD, session", "session", signed3, side]],
  mark_price: [["index", "index", decimal]],
  funding: [["predicted", "predicted_rate", percent, side], ["a year", "annualised", (v) => percent(v, 1), side]],
  open_interest: [["open interest, quote", "quote", brief], ["contracts", "contracts", brief]],
};
const DERIVED = ["flow", "momentum", "liquidity"];
const MOST = 22;
const EVERY_MS = 240;

export class Facts {
  constructor() {
    this.list = el("dl", { class: "facts" });
    this.cells = new Map();
    this.awaited = new Awaited(this.list, "Nothing derived yet", "flow, momentum, liquidity, funding and open interest appear as they are published");
    this.panel = panel("Measures", { body: [this.awaited.node] });
    this.node = this.panel.node;
  }

  // Values change four times a second at most; the book that comes with them changes more often.
  render({ state, whole }) {
    const now = performance.now();
    if (!whole && now - this.shownAt < EVERY_MS) return;
    this.shownAt = now;
    const facts = [];
    for (const [channel, rows] of Object.entries(SHOWN)) {
      const values = state.newest[channel];
      if (!values) continue;
      for (const [title, field, write, tone] of rows) if (values[field] !== undefined) facts.push([title, write(values[field]), tone ? tone(values[field]) : ""]);
    }
    for (const channel of DERIVED) facts.push(...derived(channel, state.newest[channel]));
    this.awaited.show(facts.length > 0);
    const shown = facts.slice(0, MOST);
    const wanted = new Set(shown.map(([title]) => title));
    for (const [title, cell] of this.cells) if (!wanted.has(title)) { cell.node.remove(); this.cells.delete(title); }
    for (const [title, text, tone] of shown) {
      let cell = this.cells.get(title);
      if (!cell) {
        const value = el("dd");
        cell = { value, node: el("div", {}, el("dt", { text: title }), value) };
        this.cells.set(title, cell);
        this.list.append(cell.node);
      }
      setText(cell.value, text);
      setClass(cell.value, tone);
    }
  }
}

function derived(channel, values) {
  if (!values) return [];
  return Object.entries(values)
    .filter(([name, value]) => name !== "at" && name !== "flags" && known(value) && typeof value !== "object" && typeof value !== "boolean")
    .slice(0, 8)
    .map(([name, value]) => [titled(name.startsWith(channel) ? name : `${channel} ${name}`), brief(value), /imbalance|delta|cvd|ofi|net|return|z/.test(name) ? side(value) : ""]);
}
