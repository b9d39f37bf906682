// The book's best levels: asks above, bids below, each with its size, the sum up to it and a bar. It is drawn, ten times a second; who does not see it
// is told the same in a table within the canvas, three times a second.
import { Canvas, FONT } from "./canvas.js";
import { el, panel, setBar, setClass, setText } from "./dom.js";
import { brief, decimal, places, signed } from "./format.js";
import { Pace } from "./pace.js";
import { colours } from "./theme.js";

const LEVELS = 17; // a side; the phone shows fewer
const HEIGHT = 17; // of a row, px
const EDGE = 12; // to the left and right, px
const SLOW_MS = 300; // between two looks at what nobody reads faster: shares, the table

export class Ladder {
  constructor() {
    this.levels = { asks: [], bids: [] };
    this.mid = this.spread = this.state = "";
    this.pace = new Pace(SLOW_MS);
    this.title = el("caption");
    this.body = el("tbody");
    this.lean = el("div", { class: "lean", "aria-hidden": "true" });
    this.leanText = [el("span"), el("span"), el("span"), el("span")];
    this.unit = el("span", { text: "size" });
    const table = el("table", {}, this.title, el("thead", {}, el("tr", {}, ...["side", "price", "size", "sum"].map((name) => el("th", { scope: "col", text: name })))), this.body);
    this.node_ = el("canvas", {}, table);
    this.panel = panel("Book", { name: "book", body: [
      el("div", { class: "ladder" }, el("p", { class: "titles", "aria-hidden": "true" }, el("span", { text: "price" }), this.unit, el("span", { text: "sum" })), this.node_),
      this.lean, el("p", {}, ...this.leanText.slice(0, 2)), el("p", {}, ...this.leanText.slice(2))] });
    this.node = this.panel.node;
    this.canvas = new Canvas(this.node_, (context, width, height) => this.draw(context, width, height));
  }

  render({ state, whole }) {
    const { book, instrument } = state;
    const bids = sorted(book.bids, -1), asks = sorted(book.asks, 1);
    const bid = bids[0]?.px, ask = asks[0]?.px;
    const sizes = [...bids, ...asks].map(({ qty }) => qty);
    const how = {
      pricePlaces: Math.max(places(instrument.tick), places(bids[0]?.price ?? ""), places(asks[0]?.price ?? "")), sizePlaces: places(instrument.step),
      most: Math.max(...sizes, 1e-12), wall: 6 * median(sizes) || Infinity,
    };
    this.levels = { asks: written(asks, how), bids: written(bids, how) };
    this.mid = bid && ask ? decimal(((bid + ask) / 2).toFixed(how.pricePlaces + 1).replace(/0$/, "")) : "–";
    this.spread = bid && ask ? `spread ${decimal((ask - bid).toFixed(how.pricePlaces))} · ${brief((2e4 * (ask - bid)) / (bid + ask))} bp` : "one side is empty";
    this.canvas.redraw();
    const turned = book.state !== this.state; // a lost book is said at once
    this.state = book.state;
    if (!this.pace.due(whole || turned)) return;
    this.tell(state);
    this.renderLean(state, how);
  }

  draw(context, width, height) {
    const colour = colours();
    const rows = Math.min(LEVELS, Math.floor(height / HEIGHT / 2) - 1);
    const middle = height / 2;
    const half = middle - rows * HEIGHT; // of what is between the sides
    context.textBaseline = "middle";
    for (const [name, sign] of [["asks", -1], ["bids", 1]]) {
      const levels = this.levels[name].slice(0, rows);
      const y = (n) => middle + sign * (half + (n + 0.5) * HEIGHT);
      const column = (field, x, align, tone, weight = 400) => {
        context.font = `${weight} 12.5px ${FONT}`;
        context.textAlign = align;
        context.fillStyle = tone;
        levels.forEach((level, n) => context.fillText(level[field], x, y(n) + 0.5));
      };
      context.fillStyle = name === "bids" ? colour.bidFill : colour.askFill;
      levels.forEach(({ share }, n) => context.fillRect(width * (1 - share), y(n) - HEIGHT / 2 + 1, width * share, HEIGHT - 2));
      context.fillStyle = colour.warn;
      levels.forEach(({ wall }, n) => wall && context.fillRect(0, y(n) - HEIGHT / 2, 3, HEIGHT));
      column("price", EDGE, "left", name === "bids" ? colour.bid : colour.ask, 550);
      column("size", EDGE + ((width - 2 * EDGE) * 2) / 3, "right", colour.ink);
      column("sum", width - EDGE, "right", colour.soft);
    }
    this.drawMiddle(context, width, middle, half - 3, colour);
  }

  drawMiddle(context, width, middle, half, colour) {
    context.fillStyle = colour.line;
    context.fillRect(0, middle - half, width, 1);
    context.fillRect(0, middle + half - 1, width, 1);
    context.font = `650 15px ${FONT}`;
    context.textAlign = "left";
    context.fillStyle = colour.ink;
    context.fillText(this.mid, EDGE, middle + 0.5);
    context.font = `12px ${FONT}`;
    context.textAlign = "right";
    context.fillStyle = colour.soft;
    context.fillText(this.spread, width - EDGE, middle + 0.5);
  }

  tell({ book, instrument, depth_s }) {
    const synced = book.state === "synced";
    setText(this.panel.note, synced ? `${depth_s ?? "–"}/s` : `${book.state}: ${book.reason}`);
    setClass(this.panel.note, synced ? "note" : "note ask");
    setClass(this.node, synced ? "panel book" : "panel book broken");
    const { asks, bids } = this.levels;
    setText(this.title, `Book of ${instrument.symbol}: ${this.mid}, ${this.spread}`);
    const rows = [...asks.map((level) => ["ask", level]).reverse(), ...bids.map((level) => ["bid", level])];
    while (this.body.rows.length > rows.length) this.body.lastChild.remove();
    while (this.body.rows.length < rows.length) this.body.append(el("tr", {}, el("td"), el("td"), el("td"), el("td")));
    rows.forEach(([side, { price, size, sum, wall }], n) => [wall ? `${side}, a wall` : side, price, size, sum].forEach((text, k) => setText(this.body.rows[n].cells[k], text)));
  }

  renderLean(state, { pricePlaces }) {
    const [bought, sold] = [this.levels.bids, this.levels.asks].map((levels) => levels.at(-1)?.total ?? 0);
    const share = bought + sold > 0 ? bought / (bought + sold) : 0.5;
    const ticker = state.newest.book_ticker || {};
    setBar(this.lean, share);
    setText(this.leanText[0], `bids ${(share * 100).toFixed(0)} %`);
    setText(this.leanText[1], `${(100 - share * 100).toFixed(0)} % asks`);
    setText(this.leanText[2], ticker.imbalance === undefined ? "" : `imbalance ${signed(ticker.imbalance, 2)} · of 5 ${signed(ticker.imbalance_5, 2)}`);
    setText(this.leanText[3], ticker.micro_price ? `µ ${decimal(Number(ticker.micro_price).toFixed(pricePlaces + 1))}` : "");
    setText(this.unit, state.instrument.contract === "base" ? `size ${state.instrument.base}` : "contracts");
  }

  destroy() {
    this.canvas.destroy();
  }
}

// The best levels of a side, the best first
function sorted(levels, sign) {
  return Object.entries(levels || {}).map(([price, size]) => ({ price, size, px: Number(price), qty: Number(size) })).sort((a, b) => sign * (a.px - b.px)).slice(0, LEVELS);
}

// What is drawn of them
function written(levels, { pricePlaces, sizePlaces, most, wall }) {
  let total = 0;
  return levels.map(({ price, size, qty }) => {
    total += qty;
    return { price: decimal(price, pricePlaces), size: decimal(size, sizePlaces), sum: brief(total), total, share: qty / most, wall: qty >= wall };
  });
}

function median(values) {
  const rows = [...values].sort((a, b) => a - b);
  return rows.length ? rows[rows.length >> 1] : 0;
}
