// The book's best levels: asks above, bids below, each with its size, the sum up to it and a bar.
import { el, panel, setClass, setScale, setText } from "./dom.js";
import { brief, decimal, places, signed } from "./format.js";

const LEVELS = 17; // a side; the phone shows fewer
const DEEP = 10;

function row(side, n) {
  const parts = { bar: el("i"), price: el("span"), size: el("span"), sum: el("span") };
  return { ...parts, node: el("div", { class: `row ${side}${n >= DEEP ? " deep" : ""}` }, parts.bar, parts.price, parts.size, parts.sum) };
}

export class Ladder {
  constructor() {
    this.asks = Array.from({ length: LEVELS }, (_, n) => row("asks", n));
    this.bids = Array.from({ length: LEVELS }, (_, n) => row("bids", n));
    this.mid = el("b", { text: "–" });
    this.spread = el("span", { class: "soft" });
    this.lean = el("i");
    this.leanText = [el("span"), el("span"), el("span"), el("span")];
    this.unit = el("span", { text: "size" });
    const ladder = el("div", { class: "ladder" },
      el("div", { class: "row titles" }, el("span", { text: "price" }), this.unit, el("span", { text: "sum" })),
      ...this.asks.map((each) => each.node).reverse(),
      el("div", { class: "middle" }, this.mid, this.spread),
      ...this.bids.map((each) => each.node),
      el("div", { class: "lean", "aria-hidden": "true" }, this.lean), el("p", {}, ...this.leanText.slice(0, 2)), el("p", {}, ...this.leanText.slice(2)));
    this.panel = panel("Book", { name: "book", body: [ladder] });
    this.node = this.panel.node;
  }

  render({ state }) {
    const { book, instrument } = state;
    const bids = sorted(book.bids, -1), asks = sorted(book.asks, 1);
    const pricePlaces = Math.max(places(instrument.tick), places(bids[0]?.[0] ?? ""), places(asks[0]?.[0] ?? ""));
    const sizePlaces = Math.max(places(instrument.step), ...[...bids.slice(0, 5), ...asks.slice(0, 5)].map(([, size]) => places(size)));
    const most = Math.max(...[...bids, ...asks].map(([, size]) => Number(size)), 1e-12);
    const wall = 6 * median([...bids, ...asks].map(([, size]) => Number(size)));
    const sums = [this.side(this.bids, bids, pricePlaces, sizePlaces, most, wall), this.side(this.asks, asks, pricePlaces, sizePlaces, most, wall)];
    const bid = Number(bids[0]?.[0]), ask = Number(asks[0]?.[0]);
    const ticker = state.newest.book_ticker || {};
    setText(this.mid, bid && ask ? decimal(((bid + ask) / 2).toFixed(pricePlaces + 1).replace(/0$/, "")) : "–");
    setText(this.spread, bid && ask ? `spread ${decimal((ask - bid).toFixed(pricePlaces))} · ${brief((2e4 * (ask - bid)) / (bid + ask))} bp` : "one side is empty");
    const share = sums[0] + sums[1] > 0 ? sums[0] / (sums[0] + sums[1]) : 0.5;
    setScale(this.lean, share);
    setText(this.leanText[0], `bids ${(share * 100).toFixed(0)} %`);
    setText(this.leanText[1], `${(100 - share * 100).toFixed(0)} % asks`);
    setText(this.leanText[2], ticker.imbalance === undefined ? "" : `imbalance ${signed(ticker.imbalance, 2)} · of 5 ${signed(ticker.imbalance_5, 2)}`);
    setText(this.leanText[3], ticker.micro_price ? `µ ${decimal(Number(ticker.micro_price).toFixed(pricePlaces + 1))}` : "");
    setText(this.unit, instrument.contract === "base" ? `size ${instrument.base}` : "contracts");
    setText(this.panel.note, book.state === "synced" ? `${state.depth_s ?? "–"}/s` : `${book.state}: ${book.reason}`);
    setClass(this.panel.note, book.state === "synced" ? "note" : "note ask");
    setClass(this.node, book.state === "synced" ? "panel book" : "panel book broken");
  }

  side(rows, levels, pricePlaces, sizePlaces, most, wall) {
    let sum = 0;
    rows.forEach((each, n) => {
      const [price, size] = levels[n] || [];
      if (price === undefined) {
        for (const part of [each.price, each.size, each.sum]) setText(part, "");
        setScale(each.bar, 0);
        return;
      }
      sum += Number(size);
      setText(each.price, decimal(price, pricePlaces));
      setText(each.size, decimal(size, sizePlaces));
      setText(each.sum, brief(sum));
      setScale(each.bar, Number(size) / most);
      each.node.classList.toggle("wall", Number(size) >= wall && wall > 0);
    });
    return sum;
  }
}

function sorted(levels, sign) {
  return Object.entries(levels || {}).sort(([a], [b]) => sign * (a - b));
}

function median(values) {
  const rows = values.sort((a, b) => a - b);
  return rows.length ? rows[rows.length >> 1] : 0;
}
