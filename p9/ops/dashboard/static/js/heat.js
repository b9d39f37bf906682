// What rested where over the last minutes: time to the right, price upwards, the warmer the more money. Best prices as lines, trades as dots.
import { Canvas } from "./canvas.js";
import { el, panel, setText } from "./dom.js";
import { brief, decimal, time } from "./format.js";
import { colours, faded, onTheme } from "./theme.js";

const COLUMNS = 300; // at most
const LEAST = 90; // while there are fewer, each is as wide as if there were so many
const ROWS = 110;
const DOTS = 250; // trades that are drawn, about
const AXIS = 66; // for prices, to the right
const FOOT = 18; // for times
const ZERO = 50, OCTAVE = 7; // of the server's bytes: heat.py

export class Heat {
  constructor() {
    this.columns = [];
    this.trades = [];
    this.node_ = el("canvas", { role: "img", "aria-label": "Heat map of the book over time" });
    this.tip = el("div", { class: "tip", hidden: true });
    this.panel = panel("Depth over time", { name: "heat", body: [this.node_, this.tip] });
    this.node = this.panel.node;
    this.image = document.createElement("canvas");
    this.image.width = COLUMNS;
    this.image.height = ROWS;
    this.pixels = new ImageData(COLUMNS, ROWS);
    this.words = new Uint32Array(this.pixels.data.buffer);
    this.reach = [0, 255]; // bytes
    this.lowest = null; // price of the lowest row drawn
    this.step = 0;
    this.canvas = new Canvas(this.node_, (context, width, height) => this.draw(context, width, height));
    this.forget = onTheme(() => { this.palette = null; this.paint(); });
    this.node_.addEventListener("pointermove", (event) => this.point(event));
    this.node_.addEventListener("pointerleave", () => { this.tip.hidden = true; });
  }

  render({ lists, added, whole }) {
    const fresh = whole ? lists.heat || [] : added.heat || [];
    if (whole) this.columns = [];
    for (const [at, low, step, code, bid, ask] of fresh) this.columns.push({ at, low, step, bid, ask, bytes: Uint8Array.from(atob(code), (c) => c.charCodeAt(0)) });
    if (this.columns.length > COLUMNS) this.columns.splice(0, this.columns.length - COLUMNS);
    const trades = whole ? lists.tape || [] : added.tape || [];
    for (const [at, price, , side, money, mark] of trades) if (price !== null) this.trades.push({ at, price: Number(price), side, money: money || 0, mark });
    const oldest = this.columns[0]?.at ?? 0;
    while (this.trades.length && this.trades[0].at < oldest - 1000) this.trades.shift();
    if (this.trades.length > 2 * DOTS) this.thin();
    if (!fresh.length && !whole) return;
    this.paint(whole ? undefined : fresh.length);
    const last = this.columns.at(-1);
    setText(this.panel.note, last ? `${brief(last.step)} a row, ${Math.round((last.at - oldest) / 1000)} s` : "the book is not synced");
  }

  // Of too many trades the smallest are not drawn; what is marked always is.
  thin() {
    const least = this.trades.map((trade) => trade.money).sort((a, b) => b - a)[DOTS];
    this.trades = this.trades.filter((trade) => trade.money >= least || (trade.mark && trade.mark !== "backfill"));
  }

  shown() {
    return Math.max(LEAST, this.columns.length);
  }

  // The window follows the price, but only when it comes near an edge: a picture that moves cannot be read.
  window() {
    const last = this.columns.at(-1);
    const middle = (last.bid + last.ask) / 2;
    const span = this.step * ROWS;
    if (this.step !== last.step || this.lowest === null || middle < this.lowest + span * 0.28 || middle > this.lowest + span * 0.72) {
      this.step = last.step;
      this.lowest = Math.round(middle / last.step - ROWS / 2) * last.step;
    }
  }

  // All of it only when the window, the colours or the whole list are new; else the picture moves on by the columns that came.
  paint(fresh = this.columns.length) {
    if (!this.columns.length) return this.canvas.redraw();
    const before = `${this.lowest} ${this.step}`;
    this.window();
    const { words } = this;
    const moved = before !== `${this.lowest} ${this.step}` || !this.palette || fresh >= this.columns.length || this.fit();
    if (moved) {
      this.fit(true);
      words.fill(0);
      fresh = this.columns.length;
    } else {
      for (let row = 0; row < ROWS; row++) {
        words.copyWithin(row * COLUMNS, row * COLUMNS + fresh, (row + 1) * COLUMNS);
        words.fill(0, (row + 1) * COLUMNS - fresh, (row + 1) * COLUMNS);
      }
    }
    const palette = this.shades();
    for (let n = this.columns.length - fresh; n < this.columns.length; n++) this.column(this.columns[n], COLUMNS - this.columns.length + n, palette);
    this.image.getContext("2d").putImageData(this.pixels, 0, 0);
    this.canvas.redraw();
  }

  column(column, x, palette) {
    const [low, high] = this.reach;
    const scale = 255 / (high - low);
    const ratio = column.step / this.step, offset = (column.low - this.lowest) / this.step;
    for (let i = 0; i < column.bytes.length; i++) {
      const byte = column.bytes[i];
      if (!byte) continue;
      const from = Math.round(offset + i * ratio), to = Math.max(from + 1, Math.round(offset + (i + 1) * ratio));
      const colour = palette[Math.max(0, Math.min(255, Math.round((byte - low) * scale)))];
      for (let row = Math.max(0, from); row < Math.min(ROWS, to); row++) this.words[(ROWS - 1 - row) * COLUMNS + x] = colour;
    }
  }

  // Bytes that are as dark and as warm as it gets, of the last half minute. True if those in use do not fit any more.
  fit(take = false) {
    const counts = new Uint32Array(256);
    let n = 0;
    for (const column of this.columns.slice(-60)) for (const byte of column.bytes) if (byte) { counts[byte] += 1; n += 1; }
    const at = (share) => {
      let below = 0;
      for (let byte = 1; byte < 256; byte++) if ((below += counts[byte]) >= share * n) return byte;
      return 255;
    };
    const low = at(0.05), high = Math.max(at(0.998), low + 12);
    if (take) this.reach = [low, high];
    return Math.abs(low - this.reach[0]) > 3 || Math.abs(high - this.reach[1]) > 3;
  }

  shades() {
    if (this.palette) return this.palette;
    const stops = colours().dark
      ? [[0, 16, 22, 34], [0.35, 24, 52, 92], [0.6, 28, 116, 140], [0.8, 120, 190, 110], [0.93, 244, 205, 92], [1, 255, 240, 214]]
      : [[0, 246, 248, 251], [0.35, 206, 222, 242], [0.6, 124, 178, 216], [0.8, 66, 122, 182], [0.93, 60, 62, 140], [1, 44, 18, 88]];
    this.palette = new Uint32Array(256).map((_, n) => {
      const share = n / 255;
      const k = Math.max(1, stops.findIndex(([stop]) => stop >= share));
      const [from, to] = [stops[k - 1], stops[k]];
      const part = (share - from[0]) / (to[0] - from[0] || 1);
      const [r, g, b] = [1, 2, 3].map((i) => Math.round(from[i] + (to[i] - from[i]) * part));
      return (255 << 24) | (b << 16) | (g << 8) | r;
    });
    return this.palette;
  }

  draw(context, width, height) {
    const colour = colours();
    const plotWidth = width - AXIS, plotHeight = height - FOOT;
    context.fillStyle = colour.dark ? "rgb(16,22,34)" : "rgb(246,248,251)";
    context.fillRect(0, 0, plotWidth, plotHeight);
    context.font = "11px system-ui, sans-serif";
    if (!this.columns.length) {
      context.fillStyle = colour.faint;
      context.textAlign = "center";
      context.fillText("no synced book yet", plotWidth / 2, plotHeight / 2);
      return;
    }
    context.imageSmoothingEnabled = false;
    const shown = this.shown();
    context.drawImage(this.image, COLUMNS - shown, 0, shown, ROWS, 0, 0, plotWidth, plotHeight);
    const x = (n) => ((shown - this.columns.length + n + 0.5) / shown) * plotWidth;
    const y = (price) => plotHeight - ((price - this.lowest) / (this.step * ROWS)) * plotHeight;
    this.drawTrades(context, x, y, colour, plotHeight);
    for (const [name, tone] of [["bid", colour.bid], ["ask", colour.ask]]) {
      context.beginPath();
      this.columns.forEach((column, n) => (n ? context.lineTo(x(n), y(column[name])) : context.moveTo(x(n), y(column[name]))));
      context.strokeStyle = tone;
      context.lineWidth = 1.2;
      context.stroke();
    }
    this.drawAxes(context, x, y, colour, plotWidth, plotHeight);
  }

  drawTrades(context, x, y, colour, plotHeight) {
    const first = this.columns[0].at, last = this.columns.at(-1).at;
    const most = Math.max(...this.trades.map((trade) => trade.money), 1);
    for (const trade of this.trades) {
      const share = trade.money / most;
      if (share < 0.004 && !trade.mark) continue;
      const n = ((trade.at - first) / (last - first || 1)) * (this.columns.length - 1);
      const top = y(trade.price);
      if (n < 0 || n > this.columns.length + 1 || top < 0 || top > plotHeight) continue;
      context.beginPath();
      context.arc(x(n), top, 1.5 + 7 * Math.sqrt(share), 0, 7);
      context.fillStyle = faded(trade.side === "sell" ? colour.ask : colour.bid, 0.5);
      context.fill();
      if (trade.mark && trade.mark !== "backfill") {
        context.strokeStyle = trade.mark === "liquidations" ? colour.warn : colour.whale;
        context.lineWidth = 1.5;
        context.stroke();
      }
    }
  }

  drawAxes(context, x, y, colour, plotWidth, plotHeight) {
    const last = this.columns.at(-1);
    context.fillStyle = colour.faint;
    context.textAlign = "left";
    context.textBaseline = "middle";
    const digits = Math.max(0, -Math.floor(Math.log10(this.step) + 1e-9));
    for (let n = 1; n < 8; n++) {
      const price = this.lowest + Math.round((this.step * ROWS * n) / 8 / this.step) * this.step;
      const top = y(price);
      if (Math.abs(top - y(last.bid)) > 12) context.fillText(decimal(price.toFixed(digits)), plotWidth + 6, top);
    }
    context.fillStyle = colour.ink;
    context.fillText(decimal(((last.bid + last.ask) / 2).toFixed(digits)), plotWidth + 6, y((last.bid + last.ask) / 2));
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    context.fillStyle = colour.faint;
    const every = Math.max(1, Math.round(this.shown() / 5));
    for (let n = this.columns.length - 1 - (every >> 1); n > 0; n -= every) {
      context.fillText(time(this.columns[n].at), x(n), plotHeight + 13);
    }
  }

  point(event) {
    const box = this.node_.getBoundingClientRect();
    const plotWidth = box.width - AXIS, plotHeight = box.height - FOOT;
    const left = event.clientX - box.left, top = event.clientY - box.top;
    const n = Math.floor((left / plotWidth) * this.shown()) - (this.shown() - this.columns.length);
    const column = this.columns[n];
    this.tip.hidden = !column || top > plotHeight;
    if (this.tip.hidden) return;
    const price = this.lowest + ((plotHeight - top) / plotHeight) * this.step * ROWS;
    const byte = column.bytes[Math.floor((price - column.low) / column.step)];
    setText(this.tip, `${time(column.at)} · ${decimal(price.toFixed(Math.max(0, -Math.floor(Math.log10(this.step) + 1e-9))))} · ${byte ? brief(2 ** ((byte - ZERO) / OCTAVE)) : "nothing"}`);
    this.tip.style.left = `${Math.min(left + 12, plotWidth - 150)}px`;
    this.tip.style.top = `${Math.max(4, top - 30)}px`;
  }

  destroy() {
    this.canvas.destroy();
    this.forget();
  }
}
