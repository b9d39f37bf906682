// One underlying's options: the smile of an expiry and the term structure.
import { Awaited, el, panel, setText } from "./dom.js";
import { brief, count, decimal, known, rounded, signed, time } from "./format.js";
import { Plot } from "./plot.js";
import { Table } from "./table.js";

const percent = (value, digits = 1) => (known(value) ? `${(Number(value) * 100).toFixed(digits)} %` : "–");
const number = (value) => (known(value) ? Number(value) : null);
const points = (field) => (row) => (known(row[field]) ? { text: signed(row[field] * 100, 2), class: row[field] < 0 ? "ask" : "bid" } : "–");
const day = (expiry) => new Date(Number(expiry) / 1e6).toISOString().slice(0, 10);
const iv = (_, value) => percent(value);

const EXPIRIES = [
  { title: "expiry", left: true, of: (_, key) => day(key) }, { title: "days", by: (row) => row.days, of: (row) => brief(row.days) }, { title: "forward", of: (row) => decimal(rounded(row.forward_used)) },
  { title: "ATM", by: (row) => row.atm_iv, of: (row) => percent(row.atm_iv, 2) }, { title: "RR 25", by: (row) => row.risk_reversal_25, of: points("risk_reversal_25") }, { title: "BF 25", by: (row) => row.butterfly_25, of: points("butterfly_25") },
  { title: "forward IV", of: (row) => percent(row.forward_iv) }, { title: "in smile", of: (row) => `${row.in_smile ?? 0} of ${row.strikes ?? 0}` },
  { title: "arbitrage", left: true, of: (row) => (row.butterfly || row.calendar ? { text: [row.butterfly && "butterfly", row.calendar && "calendar"].filter(Boolean).join(", "), mark: "warn" } : { text: "none", mark: "" }) },
];
const MATURITIES = [
  { title: "maturity", left: true, of: (_, key) => `${key} d` }, { title: "ATM", of: (row) => percent(row.atm_iv, 2) }, { title: "RR 25", of: points("risk_reversal_25") }, { title: "BF 25", of: points("butterfly_25") },
];

export class Options {
  constructor(root, app, [exchange, underlying, expiry]) {
    this.app = app;
    const [first] = app.hello.underlyings;
    this.exchange = exchange || first?.[0] || "";
    this.underlying = underlying || first?.[1] || "";
    this.expiry = expiry || "";
    const axis = { values: (_, ticks) => ticks.map((tick) => `${(tick * 100).toFixed(0)}%`), label: "implied volatility" };
    this.smile = new Plot(app.hello.charts, { label: "Smile", height: 340, x: { label: "strike", value: (_, value) => brief(value, 6), values: (_, ticks) => ticks.map((tick) => brief(tick, 4)) }, y: axis, series: [
      { label: "mark", colour: "accent", value: iv }, { label: "bid", colour: "bid", width: 0, value: iv }, { label: "ask", colour: "ask", width: 0, value: iv }, { label: "not used", colour: "faint", width: 0, value: iv }] });
    this.term = new Plot(app.hello.charts, { label: "Term structure", height: 340, x: { label: "days to expiry", value: (_, value) => (known(value) ? value.toFixed(1) : "–") }, y: axis, series: [
      { label: "at the money", colour: "accent", value: iv }, { label: "25Δ call", colour: "bid", value: iv, dash: [4, 3] }, { label: "25Δ put", colour: "ask", value: iv, dash: [4, 3] }] });
    this.expiries = new Table(EXPIRIES, { label: "Expiries" });
    this.maturities = new Table(MATURITIES, { label: "Constant maturities" });
    this.facts = el("dl", { class: "pairs" });
    this.pick = el("select", { class: "filter", "aria-label": "Expiry", onchange: () => app.go(`#/options/${this.exchange}/${this.underlying}/${this.pick.value}`) });
    this.which = el("select", { class: "filter", "aria-label": "Underlying", onchange: () => app.go(`#/options/${this.which.value.replace(" ", "/")}`) });
    this.smilePanel = panel("Smile", { right: [this.which, this.pick], body: [this.smile.node] });
    this.termPanel = panel("Term structure", { body: [this.term.node] });
    this.whole = el("div", { class: "surface" }, this.smilePanel.node, this.termPanel.node, panel("Expiries", { body: [this.expiries.node], scroll: 460 }).node,
      el("div", { class: "stack" }, panel("Constant maturities", { body: [this.maturities.node] }).node, panel("Surface", { body: [this.facts] }).node));
    this.awaited = new Awaited(this.whole, "No option chain yet", "smile and term structure appear with the first options_iv event; a configuration without option markets publishes none");
    this.panel = panel("Options", { name: "wide bare", body: [this.awaited.node] });
    root.append(this.panel.node);
    app.link.show({ view: "options", exchange: this.exchange, underlying: this.underlying, expiry: this.expiry });
  }

  hello(hello) {
    if (!this.underlying && hello.underlyings.length) this.app.route();
  }

  render({ state }) {
    const names = state.underlyings || [];
    choices(this.which, names.map((name) => [name, name]), `${this.exchange} ${this.underlying}`);
    this.awaited.show(state.known);
    this.panel.node.classList.toggle("open", Boolean(state.known));
    if (!state.known) return;
    const expiries = Object.keys(state.expiries).sort((a, b) => a - b);
    choices(this.pick, expiries.map((key) => [key, `${day(key)} · ${brief(state.expiries[key].days)} d`]), state.chosen);
    setText(this.smilePanel.note, `${state.smile.length} options · ${time(state.at)}`);
    this.plotSmile(state.smile);
    const rows = expiries.map((key) => state.expiries[key]).filter((row) => known(row.atm_iv));
    this.term.show([rows.map((row) => row.days), ...["atm_iv", "call_25_iv", "put_25_iv"].map((field) => rows.map((row) => number(row[field])))]);
    this.expiries.show(state.expiries);
    this.maturities.show(state.maturities);
    this.renderFacts(state.surface);
  }

  // One figure a strike: of the two options there the one that the smile is made of
  plotSmile(rows) {
    const strikes = new Map();
    for (const [strike, , use, mark, bid, ask] of rows) {
      const at = strikes.get(Number(strike)) || {};
      if (use === "smile") Object.assign(at, { mark: number(mark), bid: number(bid), ask: number(ask), used: true });
      else if (!at.used && use !== "inner") at.left = number(mark);
      strikes.set(Number(strike), at);
    }
    const xs = [...strikes.keys()].sort((a, b) => a - b);
    const column = (field) => xs.map((x) => strikes.get(x)[field] ?? null);
    this.smile.show([xs, column("mark"), column("bid"), column("ask"), xs.map((x) => (strikes.get(x).used ? null : strikes.get(x).left ?? null))]);
  }

  renderFacts(surface) {
    const pairs = [
      ["index", decimal(surface.index_price)], ["premiums in", surface.price_unit ?? "–"], ["options", count(surface.options)],
      ["mark price against mark IV", `${count(surface.checked)} checked, ${count(surface.disagreeing)} disagree`], ["term slope", known(surface.term_slope) ? signed(surface.term_slope * 100, 2, " pt") : "–"],
      ["strikes that allow arbitrage", known(surface.arbitrage?.butterfly) ? `${surface.arbitrage.butterfly} butterfly, ${surface.arbitrage.calendar} calendar` : "–"],
    ];
    const text = JSON.stringify(pairs);
    if (text === this.pairsText) return;
    this.pairsText = text;
    this.facts.replaceChildren(...pairs.flatMap(([title, value]) => [el("dt", { text: title }), el("dd", { text: value })]));
  }

  destroy() {
    this.smile.destroy();
    this.term.destroy();
  }
}

function choices(select, rows, chosen) {
  const text = JSON.stringify([rows, chosen]);
  if (select._choices === text) return;
  select._choices = text;
  select.replaceChildren(...rows.map(([value, name]) => new Option(name, value, false, value === chosen)));
}
