// One instrument: book, heat map, candles, tape, measures, events.
import { Candles } from "./candles.js";
import { Awaited, el, panel, setClass, setText } from "./dom.js";
import { Events } from "./events.js";
import { Facts } from "./facts.js";
import { brief, decimal, percent, places, rounded, side, signed } from "./format.js";
import { Heat } from "./heat.js";
import { Ladder } from "./ladder.js";
import { Tape } from "./tape.js";

const SHORT = ["1s", "5s", "15s", "1m", "5m", "15m", "1h", "4h", "1d"];
const KEY = "p9-timeframe";

export class Desk {
  constructor(root, app, words) {
    this.app = app;
    this.frame = 0;
    this.parts = [];
    this.choose(words);
    this.title = this.symbol;
    if (!this.symbol) {
      root.append(el("p", { class: "empty wide" }, el("strong", { text: "No instruments yet" }), "the venues are being asked for theirs"));
      return;
    }
    this.price = el("span", { class: "price", text: "–" });
    this.name = el("button", { type: "button", text: this.symbol, onclick: () => app.search.open(app.hello.instruments) });
    this.venue = el("span", { class: "soft", text: this.exchange });
    this.chips = Object.fromEntries(["best bid anywhere", "best ask anywhere", "mark", "basis", "funding", "open interest", "gaps"].map((name) => [name, el("dd", { text: "–" })]));
    this.frames = el("div", { class: "frames", role: "group", "aria-label": "Timeframe" }, ...this.timeframes().map((name) =>
      el("button", { type: "button", text: name, "aria-pressed": String(name === this.timeframe), onclick: () => this.go(this.exchange, this.symbol, name) })));
    const head = el("section", { class: "panel head", "aria-label": "Instrument" }, el("h1", {}, this.name, this.venue), this.price,
      el("dl", {}, ...Object.entries(this.chips).map(([name, node]) => el("div", {}, el("dt", { text: name }), node))), this.frames);
    this.ladder = new Ladder();
    this.heat = new Heat();
    this.candles = new Candles(app.hello.charts);
    this.tape = new Tape();
    this.facts = new Facts();
    this.events = new Events("Signals and findings");
    this.told = new Awaited(this.events.node, "Nothing has happened", "signals, walls, spoof-like patterns, gaps and repairs of this instrument are told here");
    root.append(head, this.ladder.node, el("div", { class: "stack middle-part" }, this.heat.node, this.candles.node),
      el("div", { class: "side stack" }, this.tape.node, this.facts.node, panel("Signals and findings", { body: [this.told.node] }).node));
    this.show();
  }

  choose([exchange, symbol, timeframe]) {
    const [first] = this.app.hello.instruments;
    this.exchange = exchange || first?.[0];
    this.symbol = symbol || first?.[1];
    let kept = null;
    try { kept = localStorage.getItem(KEY); } catch { /* a private window keeps nothing */ }
    this.timeframe = [timeframe, kept, "5s"].find((name) => this.app.hello.timeframes.includes(name)) || "5s";
  }

  timeframes() {
    const names = this.app.hello.timeframes.filter((name) => SHORT.includes(name) || name === this.timeframe);
    return names.length ? names : [this.timeframe];
  }

  show() {
    this.app.link.show({ view: "desk", exchange: this.exchange, symbol: this.symbol, timeframe: this.timeframe });
  }

  go(exchange, symbol, timeframe = this.timeframe) {
    try { localStorage.setItem(KEY, timeframe); } catch { /* the same */ }
    this.app.go(`#/desk/${exchange}/${symbol}/${timeframe}`);
  }

  hello(hello) {
    if (!this.symbol && hello.instruments.length) this.app.route();
  }

  // [ and ] go through the instruments, , and . through the timeframes
  key(key) {
    const { instruments, timeframes } = this.app.hello;
    if (key === "[" || key === "]") {
      const at = instruments.findIndex(([exchange, symbol]) => exchange === this.exchange && symbol === this.symbol);
      const next = instruments[(at + (key === "]" ? 1 : -1) + instruments.length) % instruments.length];
      if (next) this.go(next[0], next[1]);
    } else {
      const next = timeframes[timeframes.indexOf(this.timeframe) + (key === "." ? 1 : -1)];
      if (next) this.go(this.exchange, this.symbol, next);
    }
  }

  // An update is drawn over some frames, its book first: all of it in one would take longer than the frame has. The chart draws itself in the frame
  // after it was told.
  render(update) {
    if (!this.ladder || !update.state.book) return;
    this.parts = [
      () => this.ladder.render(update),
      () => this.tape.render(update),
      () => { this.renderHead(update.state, update.lists); this.candles.render(update); },
      () => { this.facts.render(update); this.renderEvents(update); },
      () => this.heat.render(update),
    ];
    if (update.whole) for (const draw of this.parts.splice(0)) draw();
    else this.drawNext();
  }

  drawNext() {
    const draw = this.parts.shift();
    if (this.parts.length) this.frame = requestAnimationFrame(() => this.drawNext());
    draw();
  }

  // While an update is drawn the next one waits, and those that follow are added to it.
  busy() {
    return this.parts.length > 0;
  }

  renderEvents(update) {
    const rows = update.whole ? update.lists.events : update.added.events;
    if (update.whole || rows) this.told.show(Boolean(update.lists.events?.length));
    this.events.render(rows, update.whole);
  }

  renderHead(state, lists) {
    const last = lists.tape?.at(-1);
    const all = state.newest.all_venues;
    const mark = state.newest.mark_price || {}, funding = state.newest.funding || {}, interest = state.newest.open_interest || {};
    setText(this.price, last ? decimal(last[1], places(state.instrument.tick)) : "–");
    setClass(this.price, `price ${last ? (last[3] === "sell" ? "ask" : "bid") : ""}`);
    setText(this.venue, state.instrument.market.replace("_", " "));
    setText(this.chips.mark, decimal(rounded(mark.mark)));
    setText(this.chips.basis, signed(mark.basis_bps, 1, " bp"));
    setClass(this.chips.basis, side(mark.basis_bps));
    setText(this.chips.funding, percent(funding.rate));
    setClass(this.chips.funding, side(funding.rate));
    setText(this.chips["open interest"], brief(interest.base));
    setText(this.chips.gaps, String(state.gaps));
    setClass(this.chips.gaps, state.gaps ? "warn" : "");
    for (const name of ["bid", "ask"]) {
      const chip = this.chips[`best ${name} anywhere`];
      setText(chip, all ? `${decimal(all[`${name}_price`])} ${all[`${name}_exchange`] ?? ""}` : "–");
      chip.parentNode.hidden = !all;
    }
    const spot = state.instrument.kind === "spot";
    for (const name of ["mark", "basis", "funding", "open interest"]) this.chips[name].parentNode.hidden = spot;
  }

  destroy() {
    cancelAnimationFrame(this.frame);
    this.ladder?.destroy();
    this.tape?.destroy();
    this.heat?.destroy();
    this.candles?.destroy();
  }
}
