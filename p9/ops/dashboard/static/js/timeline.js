// Integrity over the last hour: a lane for each book with its outages, the gaps, and everything that was told.
import { Canvas } from "./canvas.js";
import { Awaited, el, panel, setText } from "./dom.js";
import { Events } from "./events.js";
import { count, duration, ms, time } from "./format.js";
import { Table } from "./table.js";
import { colours, faded } from "./theme.js";

const NAMES = 190, LANE = 17, FOOT = 20;
const SPANS = { "5 min": 300, "15 min": 900, "1 h": 3600 };
const TONES = { open: "bad", lost: "bad", resynced: "good", filled: "good" };

export class Timeline {
  constructor(root, app) {
    this.state = { gaps: {}, states: {} };
    this.span = 900;
    this.drawing = el("canvas", { role: "img", "aria-label": "Outages of each book over time" });
    this.canvas = new Canvas(this.drawing, (context, width, height) => this.draw(context, width, height));
    this.spans = Object.entries(SPANS).map(([name, seconds]) => el("button", { type: "button", class: "tool", text: name, "aria-pressed": String(seconds === this.span), onclick: () => this.choose(seconds) }));
    this.lanes = panel("Books over time", { name: "lanes", right: this.spans, body: [this.drawing] });
    this.gaps = new Table([
      { title: "noticed", left: true, by: (row) => row.from, of: (row) => time(row.from) }, { title: "instrument", left: true, by: (row) => row.key, of: (row) => row.key },
      { title: "what", left: true, of: (row) => row.kind }, { title: "why", left: true, of: (row) => row.reason }, { title: "missing", by: (row) => row.missing, of: (row) => count(row.missing) },
      { title: "became", left: true, by: (row) => row.state, of: (row) => ({ text: row.state, mark: TONES[row.state] || "" }) }, { title: "after", by: (row) => row.to - row.from, of: (row) => (row.to ? ms(row.to - row.from) : "–") }],
      { label: "Gaps", sort: 0, descending: true, most: 300 });
    this.gapsShown = new Awaited(this.gaps.node, "Nothing was missing in the last hour", "a skipped update, a lost socket or a missing trade would stand here with its range and its end");
    this.gapsPanel = panel("Gaps", { body: [this.gapsShown.node], scroll: 460 });
    this.events = new Events("What was told", 300);
    this.events.node.style.maxHeight = "78vh";
    this.told = new Awaited(this.events.node, "Nothing was told yet", "states of books, circuits, clocks and gaps are told here as they change");
    root.append(el("div", { class: "stack" }, this.lanes.node, this.gapsPanel.node), panel("Events", { body: [this.told.node] }).node);
    app.link.show({ view: "timeline" });
  }

  choose(seconds) {
    this.span = seconds;
    this.spans.forEach((button) => button.setAttribute("aria-pressed", String(SPANS[button.textContent] === seconds)));
    this.canvas.redraw();
  }

  render({ state, lists, added, whole }) {
    this.state = state;
    const n = Object.keys(state.states).length;
    const height = `${Math.max(120, n * LANE + FOOT + 8)}px`;
    if (this.lanes.body.style.height !== height) this.lanes.body.style.height = height;
    const synced = Object.values(state.states).filter((each) => each === "synced").length;
    setText(this.lanes.note, `${synced} of ${n} synced`);
    this.gapsShown.show(Object.keys(state.gaps).length > 0);
    this.gaps.show(state.gaps);
    setText(this.gapsPanel.note, state.ledger.open ? `${state.ledger.open} open` : "none open");
    this.told.show(Boolean(lists.events?.length));
    this.events.render(whole ? lists.events : added.events, whole);
    this.canvas.redraw();
  }

  draw(context, width, height) {
    const c = colours();
    const keys = Object.keys(this.state.states).sort((a, b) => a.split(" ").reverse().join().localeCompare(b.split(" ").reverse().join()));
    const now = Date.now(), from = now - this.span * 1000;
    const names = Math.min(NAMES, width * 0.4);
    const x = (at) => names + Math.max(0, Math.min(1, (at - from) / (now - from))) * (width - names - 10);
    context.font = "11.5px system-ui, sans-serif";
    context.textBaseline = "middle";
    const rows = new Map(keys.map((key, n) => [key, 6 + n * LANE]));
    for (const [key, top] of rows) {
      const [exchange, symbol] = key.split(" ");
      const synced = this.state.states[key] === "synced";
      context.textAlign = "left";
      context.fillStyle = synced ? c.ink : c.ask;
      context.fillText(symbol, 12, top + LANE / 2 - 1);
      context.fillStyle = c.faint;
      context.textAlign = "right";
      context.fillText(exchange, names - 10, top + LANE / 2 - 1);
      context.fillStyle = faded(synced ? c.bid : c.ask, 0.28);
      context.fillRect(names, top + 3, width - names - 10, LANE - 7);
    }
    for (const gap of Object.values(this.state.gaps)) {
      const top = rows.get(gap.key);
      if (top === undefined || (gap.to && gap.to < from)) continue;
      context.fillStyle = gap.kind === "book" ? c.ask : c.warn;
      const left = x(gap.from);
      context.fillRect(left, top + (gap.kind === "book" ? 1 : 5), Math.max(2, x(gap.to || now) - left), LANE - (gap.kind === "book" ? 3 : 11));
    }
    context.textAlign = "center";
    for (let n = 0; n <= 4; n++) {
      const at = from + ((now - from) * n) / 4;
      context.fillStyle = c.line;
      context.fillRect(Math.round(x(at)), 4, 1, height - FOOT - 4);
      context.fillStyle = c.faint;
      context.textAlign = n === 0 ? "left" : n === 4 ? "right" : "center";
      context.fillText(n === 4 ? "now" : `−${duration((now - at) / 1000)}`, x(at), height - FOOT / 2);
    }
  }

  destroy() {
    this.canvas.destroy();
  }
}
