// What is derived and polled of one instrument, in groups; what leans to one side has a bar that does. What is not published is left out.
import { Awaited, el, panel, setBar, setClass, setText } from "./dom.js";
import { brief, decimal, known, percent, rounded, side, signed } from "./format.js";
import { Pace } from "./pace.js";

const EVERY_MS = 240; // values change four times a second at most; the book that comes with them changes more often
const three = (value) => signed(value, 3);
const money = (value) => (Number(value) < 0 ? "−" : Number(value) > 0 ? "+" : "") + brief(Math.abs(value));

// group -> (newest values by channel) -> rows of [title, text, tone, lean -1 to 1 or undefined]
const GROUPS = {
  "Book imbalance": ({ book_ticker: best = {} }) => [["best", "imbalance"], ["5 levels", "imbalance_5"], ["20 levels", "imbalance_20"], ["50 levels", "imbalance_50"], ["10 bp", "imbalance_10bps"], ["100 bp", "imbalance_100bps"]]
    .filter(([, field]) => known(best[field])).map(([title, field]) => [title, signed(best[field], 2), side(best[field]), Number(best[field])]),
  "Order flow (ticks, net by size)": ({ flow }) => [
    ...Object.entries(flow?.ofi || {}).filter(([, row]) => known(row?.normalised)).map(([window, row]) => [`OFI ${window}`, signed(row.normalised, 2), side(row.normalised), Math.tanh(row.normalised / 5)]),
    ...Object.entries(flow?.classes?.["1m"] || {}).filter(([, row]) => Number(row?.volume)).map(([name, row]) => [`${name} 1m`, money(row.net), side(row.net), row.net / row.volume]),
    ...(known(flow?.vpin) ? [["VPIN", Number(flow.vpin).toFixed(3), "", undefined]] : []), ...(known(flow?.kyle_lambda) ? [["Kyle λ", brief(flow.kyle_lambda), "", undefined]] : []),
    ...(flow?.last_large ? [[`last ${flow.last_large.tier}`, brief(flow.last_large.quote_quantity), flow.last_large.side === "sell" ? "ask" : "bid", undefined]] : []),
  ],
  "Bought less sold (CVD)": ({ cvd = {} }) => [["interval", "delta"], ["rolling", "rolling"], ["session", "session"]].filter(([, field]) => known(cvd[field])).map(([title, field]) => [title, three(cvd[field]), side(cvd[field]), undefined]),
  Momentum: ({ momentum }) => [
    ...Object.entries(momentum?.horizons || {}).filter(([, row]) => known(row?.z)).map(([horizon, row]) => [horizon, `z ${signed(row.z, 2)}`, side(row.z), Math.max(-1, Math.min(1, row.z / 6))]),
    ...(momentum?.last_jump ? [["last jump", signed(momentum.last_jump.return_bps, 1, " bp"), side(momentum.last_jump.return_bps), undefined]] : []),
  ],
  "Depth, cost and walls": ({ liquidity }) => depths(liquidity),
  "Funding and interest": ({ mark_price: mark = {}, funding = {}, open_interest: interest = {} }) => [
    ["index", mark.index, (value) => decimal(rounded(value))], ["predicted", funding.predicted_rate, percent, true], ["a year", funding.annualised, (value) => percent(value, 1), true], ["in quote", interest.quote, brief], ["contracts", interest.contracts, brief],
  ].filter(([, value]) => known(value)).map(([title, value, write, leans]) => [title, write(value), leans ? side(value) : "", undefined]),
};

// Money within each distance of the mid, what an order would pay, and the walls that stand
function depths(liquidity) {
  if (!liquidity) return [];
  const { bands_bps: bands = [], bid_depth: bids = [], ask_depth: asks = [], sizes = [], buy_slippage_bps: buys = [], walls = [] } = liquidity;
  return [
    ...bands.map((band, n) => [`in ${band} bp`, bids[n], asks[n]]).filter(([, bid, ask]) => known(bid) && known(ask)).map(([title, bid, ask]) => [title, brief(Number(bid) + Number(ask)), "", (bid - ask) / (Number(bid) + Number(ask) || 1)]),
    ...sizes.map((size, n) => [`buy ${brief(size)}`, buys[n]]).filter(([, bps]) => known(bps)).map(([title, bps]) => [title, `${brief(bps)} bp`, "", undefined]),
    ...walls.slice(0, 4).map((wall) => [`${wall.side} ${wall.state}`, decimal(rounded(wall.price)), wall.side, undefined]),
  ];
}

export class Facts {
  constructor() {
    this.groups = new Map();
    this.list = el("div", { class: "measures" });
    this.awaited = new Awaited(this.list, "Nothing derived yet", "flow, momentum, liquidity, funding and open interest appear as they are published");
    this.panel = panel("Measures", { body: [this.awaited.node] });
    this.node = this.panel.node;
    this.pace = new Pace(EVERY_MS);
  }

  render({ state, whole }) {
    if (!this.pace.due(whole)) return;
    let any = false;
    for (const [title, read] of Object.entries(GROUPS)) {
      const rows = read(state.newest);
      any ||= rows.length > 0;
      this.group(title, rows);
    }
    this.awaited.show(any);
  }

  group(title, rows) {
    let group = this.groups.get(title);
    if (!group) {
      group = { rows: new Map(), list: el("dl", {}), node: el("section", { "aria-label": title }, el("h3", { text: title })) };
      group.node.append(group.list);
      this.groups.set(title, group);
      this.list.append(group.node);
    }
    group.node.hidden = !rows.length;
    const wanted = new Set(rows.map(([name]) => name));
    for (const [name, row] of group.rows) if (!wanted.has(name)) { row.node.remove(); group.rows.delete(name); }
    for (const [name, text, tone, lean] of rows) this.row(group, name, text, tone, lean);
  }

  row(group, name, text, tone, lean) {
    let row = group.rows.get(name);
    if (!row) {
      const parts = { value: el("b"), gauge: el("span", { class: "gauge" }) };
      row = { ...parts, node: el("div", {}, el("dt", { text: name }), el("dd", {}, parts.gauge, parts.value)) };
      group.rows.set(name, row);
      group.list.append(row.node);
    }
    setText(row.value, text);
    setClass(row.value, tone);
    row.gauge.hidden = lean === undefined;
    if (lean === undefined) return;
    setClass(row.gauge, lean < 0 ? "gauge ask" : "gauge");
    setBar(row.gauge, Math.abs(lean));
  }
}
