// Everything at a glance.
import { Awaited, el, panel, setText } from "./dom.js";
import { brief, bytes, count, decimal, duration, ms, places, signed, titled } from "./format.js";
import { Plot } from "./plot.js";
import { Sparkline } from "./sparkline.js";
import { Table } from "./table.js";

const good = { running: "good", synced: "good", closed: "good", normal: "good", live: "good" };
const bad = { refused: "bad", invalid: "bad", open: "bad", stale: "bad", suspended: "bad" };
const tone = (state) => good[state] || bad[state] || "warn";
const wrong = (n) => (n > 0 ? "ask" : "faint");

const MARKETS = [
  { title: "market", left: true, by: (_, key) => key, of: (_, key) => titled(key) },
  { title: "state", left: true, of: (row) => ({ text: row.state, mark: tone(row.state) }) },
  { title: "sockets", of: (row) => ({ text: `${row.live}/${row.sockets}`, class: row.live < row.sockets ? "ask" : "" }) },
  { title: "books", of: (row) => ({ text: `${row.synced}/${row.books}`, class: row.synced < row.books ? "ask" : "" }) },
  { title: "frames/s", by: (row) => row.frames_s, of: (row) => brief(row.frames_s) },
  { title: "kB/s", by: (row) => row.kb_s, of: (row) => brief(row.kb_s) },
  { title: "trades/s", by: (row) => row.trades_s, of: (row) => brief(row.trades_s) },
  { title: "delay", by: (row) => row.delay_ms, of: (row) => ({ text: ms(row.delay_ms), class: row.delay_state && row.delay_state !== "normal" ? "warn" : "" }) },
  { title: "gaps", by: (row) => row.gaps + row.trade_gaps, of: (row) => ({ text: `${count(row.gaps)} · ${count(row.trade_gaps)}`, class: wrong(row.gaps + row.trade_gaps) }) },
  { title: "repair", of: (row) => (row.repairing ? { text: `${row.repairing} now`, class: "warn" } : ms(row.repair_ms)) },
  { title: "unread", by: (row) => row.refused, of: (row) => ({ text: count(row.refused), class: wrong(row.refused) }) },
];

const CLASSES = [
  { title: "class", left: true, of: (_, key) => key },
  { title: "in/s", of: (row) => brief(row.accepted_s) },
  { title: "confirmed/s", of: (row) => brief(row.confirmed_s) },
  { title: "p50", of: (row) => ms(row.p50_ms) },
  { title: "p99", of: (row) => ms(row.p99_ms) },
  { title: "waiting", of: (row) => ({ text: count(row.waiting), class: row.waiting > 5000 ? "warn" : "" }) },
  { title: "on disk", of: (row) => ({ text: count(row.on_disk), class: row.on_disk ? "warn" : "faint" }) },
  { title: "shed", of: (row, key) => ({ text: count(row.shed), class: row.shed && key !== "LOW" ? "ask" : "faint" }) },
];

const INSTRUMENTS = [
  { title: "instrument", left: true, by: (_, key) => key.split(" ").reverse().join(" "), of: (_, key) => ({ text: key.split(" ")[1], href: `#/desk/${key.replace(" ", "/")}` }) },
  { title: "venue", left: true, by: (_, key) => key, of: (_, key) => ({ text: key.split(" ")[0], class: "soft" }) },
  { title: "book", left: true, by: (row) => row.state, of: (row) => ({ text: row.state, mark: tone(row.state) }) },
  { title: "bid", of: (row) => ({ text: decimal(row.bid, fraction(row)), class: "bid" }) },
  { title: "ask", of: (row) => ({ text: decimal(row.ask, fraction(row)), class: "ask" }) },
  { title: "spread bp", by: bps, of: (row) => brief(bps(row)) },
  { title: "depth/s", by: (row) => row.depth_s, of: (row) => brief(row.depth_s, 2) },
  { title: "trades/s", by: (row) => row.trades_s, of: (row) => brief(row.trades_s, 2) },
];

const CLOCKS = [
  { title: "venue", left: true, of: (_, key) => key },
  { title: "state", left: true, of: (row) => ({ text: row.state, mark: tone(row.state) }) },
  { title: "their clock", of: (row) => (row.offset_ms === undefined ? "–" : signed(row.offset_ms, 1, " ms")) },
  { title: "round trip", of: (row) => ms(row.round_trip_ms) },
  { title: "answers", of: (row) => ({ text: `${count(row.answers)}${row.failures ? ` · ${row.failures} failed` : ""}`, class: row.failures ? "warn" : "" }) },
];

function fraction(row) {
  return Math.max(places(row.bid ?? ""), places(row.ask ?? ""));
}

function bps(row) {
  return row.bid && row.ask ? (2e4 * (row.ask - row.bid)) / (Number(row.ask) + Number(row.bid)) : undefined;
}

class Tile {
  constructor(title, unit, colour) {
    this.value = el("span", { text: "–" });
    this.unit = el("small", { text: unit });
    this.canvas = el("canvas", { "aria-hidden": "true" });
    this.node = el("div", { class: "tile" }, el("dt", { text: title }), el("dd", {}, this.value, this.unit), this.canvas);
    this.line = colour ? new Sparkline(this.canvas, colour) : null;
  }

  show(text, values, unit) {
    setText(this.value, text);
    if (unit !== undefined) setText(this.unit, unit);
    if (values && this.line) this.line.show(values);
  }
}

export class Overview {
  constructor(root, app) {
    this.tiles = {
      frames: new Tile("Frames in", "/s", "accent"), events: new Tile("Events confirmed", "/s", "bid"), latency: new Tile("To Redis, p99 of HIGH", "", "warn"),
      books: new Tile("Books synced", "", null), gaps: new Tile("Gaps", "", null), waiting: new Tile("Waiting for Redis", "", "ask"), memory: new Tile("Memory", "MB", "accent"), late: new Tile("Loop late", "", null),
    };
    this.markets = new Table(MARKETS, { label: "Markets" });
    this.instruments = new Table(INSTRUMENTS, { label: "Instruments", most: 400 });
    this.classes = new Table(CLASSES, { label: "Delivery by class" });
    this.clocks = new Table(CLOCKS, { label: "Clocks" });
    this.lanes = el("dl", { class: "pairs" });
    this.marketsPanel = panel("Markets", { body: [el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Markets" }, this.markets.node)] });
    this.instrumentsShown = new Awaited(this.instruments.node, "No instruments yet", "the venues are being asked for theirs");
    this.instrumentsPanel = panel("Instruments", { body: [this.instrumentsShown.node], scroll: 620 });
    this.delivery = panel("Delivery", { body: [el("div", { class: "scroll tight", tabindex: "0", role: "group", "aria-label": "Delivery by class" }, this.classes.node), this.lanes] });
    this.missing = el("ul", { class: "log" });
    this.missingPanel = panel("Not ready", { body: [this.missing] });
    this.missingPanel.node.hidden = true;
    this.rates = new Plot(app.hello.charts, { label: "Throughput", height: 210, x: { time: true, least: 60 }, y: { values: (_, ticks) => ticks.map((tick) => brief(tick)) }, series: [
      { label: "frames/s", colour: "accent", points: false, value: (_, v) => brief(v) }, { label: "confirmed/s", colour: "bid", points: false, value: (_, v) => brief(v) }] });
    root.append(
      el("dl", { class: "tiles" }, ...Object.values(this.tiles).map((tile) => tile.node)),
      el("div", { class: "stack" }, this.missingPanel.node, this.marketsPanel.node, this.instrumentsPanel.node),
      el("div", { class: "stack" }, this.delivery.node, panel("Throughput", { body: [this.rates.node] }).node, panel("Clocks", { body: [el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Clocks" }, this.clocks.node)] }).node),
    );
    app.link.show({ view: "overview" });
  }

  render({ state, lists }) {
    const history = lists.history || [];
    const column = (n) => history.map((row) => row[n]);
    const { frames, events, latency, books, gaps, waiting, memory, late } = this.tiles;
    frames.show(brief(state.frames_s), column(1));
    events.show(brief(state.events_s), column(2));
    latency.show(ms(state.classes.HIGH?.p99_ms), column(3));
    books.show(`${state.books.synced} / ${state.books.all}`, null, state.ready ? "ready" : `${state.n_missing} not ready`);
    gaps.show(count(state.gaps.all), null, state.gaps.open ? `${state.gaps.open} open` : "none open");
    waiting.show(count(state.waiting), column(4));
    memory.show(brief(state.rss_mb), column(5));
    late.show(ms(state.lateness.late_ms), null, `worst ${ms(state.lateness.worst_ms)}`);
    this.rates.show([0, 1, 2].map((n) => column(n)));
    this.markets.show(state.markets);
    setText(this.marketsPanel.note, `up ${duration(state.up_s)}`);
    this.instrumentsShown.show(Object.keys(state.instruments).length > 0);
    this.instruments.show(state.instruments);
    setText(this.instrumentsPanel.note, `${Object.keys(state.instruments).length} captured`);
    this.classes.show(state.classes);
    this.clocks.show(state.clocks);
    this.renderLanes(state);
    this.missingPanel.node.hidden = state.ready;
    if (!state.ready) {
      const text = state.missing.join("\n");
      if (text !== this.missingText) {
        this.missingText = text;
        this.missing.replaceChildren(...state.missing.map((line) => el("li", {}, el("p", { class: "warn", text: line }))));
      }
    }
  }

  renderLanes(state) {
    const redis = state.redis || {};
    const spool = state.spool;
    const pairs = [
      ["Redis", `${redis.version || redis.kind || "none"} at ${redis.url || "–"}`, ""],
      ...Object.entries(state.lanes).map(([name, lane]) => [
        `circuit ${name}`, `${lane.state}${lane.connected ? "" : ", not connected"}${lane.opened ? `, opened ${lane.opened}×` : ""}${lane.reason ? `: ${lane.reason}` : ""}`,
        lane.state === "closed" && lane.connected ? "bid" : "ask",
      ]),
      ["spool", spool ? `${bytes(spool.bytes)} of ${bytes(spool.max_bytes)}, ${count(spool.unread)} unread` : "none", spool?.unread ? "warn" : ""],
      ["sent again after Redis forgot", count(state.replays), ""],
      ["quarantined channels", count(state.quarantined.length), state.quarantined.length ? "ask" : ""],
      ["our clock was set", `${count(state.steps)}×`, state.steps ? "warn" : ""],
    ];
    const text = JSON.stringify(pairs);
    if (text === this.lanesText) return;
    this.lanesText = text;
    this.lanes.replaceChildren(...pairs.flatMap(([title, value, name]) => [el("dt", { text: title }), el("dd", { text: value, class: name })]));
  }

  destroy() {
    this.rates.destroy();
    for (const tile of Object.values(this.tiles)) tile.line?.destroy();
  }
}
