// A list of what was told, newest first, each with its evidence behind it.
import { el } from "./dom.js";
import { brief, titled, time } from "./format.js";

const TONES = { signals: "info", spoofing: "warn", liquidations: "warn", stop_triggers: "warn", audits: "bad", insurance_alerts: "bad", adl: "bad", block_trades: "whale" };
const GAPS = { open: "warn", filled: "good", lost: "bad" };
const PLAIN = new Set(["n", "type", "exchange", "symbol", "at", "kind", "detail", "direction", "side", "flags"]);

export class Events {
  constructor(label, most = 60) {
    this.most = most;
    this.node = el("ol", { class: "events scroll", "aria-label": label, tabindex: "0", role: "list" });
  }

  render(rows, whole) {
    if (whole) this.node.replaceChildren();
    if (!rows?.length) return;
    this.node.prepend(...rows.slice(-this.most).reverse().map(item));
    while (this.node.children.length > this.most) this.node.lastChild.remove();
  }
}

function item(event) {
  const tone = event.type === "integrity" ? integrityTone(event) : event.type === "gaps" ? GAPS[event.state] : TONES[event.type] ?? "";
  const more = Object.fromEntries(Object.entries(event).filter(([name, value]) => !PLAIN.has(name) && value !== null));
  return el("li", {},
    el("time", { text: time(event.at) }),
    el("span", { class: `mark ${tone}`, text: titled(event.type) }),
    el("p", {}, words(event), event.symbol && event.symbol !== "-" ? el("span", { text: ` ${event.exchange} ${event.symbol}` }) : null),
    Object.keys(more).length ? el("details", {}, el("summary", { text: summary(more) }), el("pre", { text: JSON.stringify(more, null, 1) })) : null);
}

function integrityTone(event) {
  if (event.kind === "book_state") return event.state === "synced" ? "good" : "bad";
  return event.state === "closed" || event.state === "normal" ? "good" : "warn";
}

function words(event) {
  if (event.kind === "book_state") return `book ${event.state}${event.reason ? `, ${event.reason}` : ""}${event.duration_ns ? ` after ${brief(event.duration_ns / 1e6)} ms` : ""}`;
  if (event.type === "gaps") return `${event.missing ?? "some"} ${event.missing === 1 ? "trade" : "trades"} ${event.state === "open" ? "missing" : event.state}${event.reason ? ` (${event.reason})` : ""}`;
  if (event.type === "signals") return `${titled(event.signal || event.kind)} ${event.state}: ${event.direction} ${Number(event.strength ?? 0).toFixed(2)}`;
  return event.detail || titled(event.kind || event.type);
}

function summary(more) {
  const names = Object.keys(more);
  return names.slice(0, 4).map((name) => `${titled(name)} ${short(more[name])}`).join(" · ") + (names.length > 4 ? " …" : "");
}

function short(value) {
  if (typeof value === "object") return Array.isArray(value) ? `[${value.length}]` : "{…}";
  return typeof value === "number" && !Number.isInteger(value) ? brief(value) : String(value).slice(0, 24);
}
