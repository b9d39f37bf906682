// Trades as they come, the newest above; whales, blocks and liquidations are marked. They are drawn; who does not see it is told the same in a list
// within the canvas, three times a second.
import { Canvas, FONT } from "./canvas.js";
import { el, panel, setText } from "./dom.js";
import { brief, decimal, places, time, titled } from "./format.js";
import { Pace } from "./pace.js";
import { colours } from "./theme.js";

const ROWS = 20;
const HEIGHT = 18; // of a row, px
const EDGE = 12; // to the left and right, px
const TIME = 90; // the width of a time, px
const LARGE = 0.99; // of the trades that this page has seen
const TOLD_MS = 300;

export class Tape {
  constructor() {
    this.rows = []; // newest first
    this.sizes = [];
    this.pace = new Pace(TOLD_MS);
    this.list = el("ol", { "aria-label": "Trades, newest first" });
    this.canvas = new Canvas(el("canvas", { class: "tape" }, this.list), (context, width) => this.draw(context, width));
    const legend = el("p", { class: "legend" }, el("span", { class: "whale", text: "large or block" }), el("span", { class: "warn", text: "liquidation" }));
    this.panel = panel("Trades", { body: [this.canvas.node, legend] });
    this.node = this.panel.node;
  }

  render({ state, lists, added, whole }) {
    if (whole) this.rows = [];
    this.threshold = Number(state.newest.flow?.thresholds?.large) || 0; // the market's own, where it is known; else what this page has seen
    const fresh = (whole ? lists.tape || [] : added.tape || []).slice(-ROWS);
    const pricePlaces = places(state.instrument.tick);
    for (const row of fresh) this.rows.unshift(this.written(row, pricePlaces));
    this.rows.splice(ROWS);
    if (whole || fresh.length) this.canvas.redraw();
    if (this.pace.due(whole)) this.tell(state);
  }

  written([at, price, quantity, side, money, mark], pricePlaces) {
    const largest = this.isLarge(money || 0);
    const large = mark === "block_trades" || (this.threshold ? (money || 0) >= this.threshold : largest);
    return { time: time(at, true), price: decimal(price, pricePlaces), size: brief(quantity, 4), side, large, mark, share: Math.min(1, Math.sqrt((money || 0) / (this.most || 1))) };
  }

  draw(context, width) {
    const colour = colours();
    const middle = EDGE + TIME + (width - 2 * EDGE - TIME) / 2;
    context.textBaseline = "middle";
    this.rows.forEach(({ time, price, size, side, large, mark, share }, n) => {
      const y = n * HEIGHT, text = y + HEIGHT / 2 + 0.5;
      const [tone, fill] = side === "sell" ? [colour.ask, colour.askFill] : side === "buy" ? [colour.bid, colour.bidFill] : [colour.ink, "transparent"];
      context.fillStyle = fill;
      context.fillRect(width * (1 - share), y + 1, width * share, HEIGHT - 2);
      const liquidated = mark === "liquidations";
      if (large || liquidated) {
        context.fillStyle = liquidated ? colour.warn : colour.whale;
        context.fillRect(0, y, 3, HEIGHT);
      }
      context.font = `${large || liquidated ? 650 : 400} 12.5px ${FONT}`;
      context.textAlign = "left";
      context.fillStyle = mark === "backfill" ? colour.warn : colour.soft;
      context.fillText(time, EDGE, text);
      context.textAlign = "right";
      context.fillStyle = colour.ink;
      context.fillText(size, width - EDGE, text);
      context.font = `${large || liquidated ? 650 : 550} 12.5px ${FONT}`;
      context.fillStyle = tone;
      context.fillText(price, middle, text);
    });
  }

  tell(state) {
    setText(this.panel.note, `${state.trades_s ?? "–"}/s${state.unshown ? ` · ${brief(state.unshown)} small ones not shown` : ""}`);
    while (this.list.children.length > this.rows.length) this.list.lastChild.remove();
    while (this.list.children.length < this.rows.length) this.list.append(el("li"));
    this.rows.forEach(({ time, price, size, side, large, mark }, n) =>
      setText(this.list.children[n], [`${time} ${side ?? ""} ${size} at ${price}`, large ? "large" : "", mark ? titled(mark) : ""].filter(Boolean).join(", ")));
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

  destroy() {
    this.canvas.destroy();
  }
}
