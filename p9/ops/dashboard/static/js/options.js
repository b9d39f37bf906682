// One underlying's options: the smile of an expiry and the term structure.
import { Awaited, el, panel, setText } from "./dom.js";
import { brief, signed } from "./format.js";
import { Plot } from "./plot.js";
import { Table } from "./table.js";

const percent = (value) => (value === null || value === undefined ? "–" : `${(Number(value) * 100).toFixed(1)} %`);
const number = (value) => (value === null || value === undefined ? null : Number(value));

export class Options {
  constructor(root, app, [exchange, underlying]) {
    this.app = app;
    this.root = root;
    const [first] = app.hello.underlyings;
    this.exchange = exchange || first?.[0] || "";
    this.underlying = underlying || first?.[1] || "";
    const axis = { values: (_, ticks) => ticks.map((tick) => `${(tick * 100).toFixed(0)}%`), label: "implied volatility" };
    const value = (_, v) => percent(v);
    this.smile = new Plot(app.hello.charts, { label: "Smile", height: 330, x: { label: "strike", value: (_, v) => brief(v, 6) }, y: axis, series: [
      { label: "mark", colour: "accent", value }, { label: "bid", colour: "bid", width: 0, value }, { label: "ask", colour: "ask", width: 0, value }] });
    this.term = new Plot(app.hello.charts, { label: "Term structure", height: 330, x: { label: "days to expiry", value: (_, v) => (v === null || v === undefined ? "–" : v.toFixed(1)) }, y: axis, series: [
      { label: "at the money", colour: "accent", value }, { label: "RR25", colour: "warn", value, dash: [4, 3] }, { label: "BF25", colour: "whale", value, dash: [4, 3] }] });
    this.expiries = new Table([
      { title: "expiry", left: true, of: (_, key) => key }, { title: "days", by: (row) => row.days, of: (row) => brief(row.days) }, { title: "ATM", of: (row) => percent(row.atm) },
      { title: "RR25", of: (row) => ({ text: row.rr === null ? "–" : signed(row.rr * 100, 2, " %"), class: row.rr < 0 ? "ask" : "bid" }) },
      { title: "BF25", of: (row) => (row.bf === null ? "–" : signed(row.bf * 100, 2, " %")) }, { title: "strikes", of: (row) => String(row.strikes) }], { label: "Expiries", sort: 1 });
    this.pick = el("select", { class: "filter", "aria-label": "Expiry", onchange: () => this.draw() });
    this.which = el("select", { class: "filter", "aria-label": "Underlying", onchange: () => app.go(`#/options/${this.which.value.replace(" ", "/")}`) });
    this.smilePanel = panel("Smile", { right: [this.which, this.pick], body: [this.smile.node] });
    this.termPanel = panel("Term structure", { body: [this.term.node] });
    this.expiriesPanel = panel("Expiries", { name: "wide", body: [this.expiries.node], scroll: 420 });
    this.grid = el("div", { class: "stack wide" }, el("div", { class: "stack" }, this.smilePanel.node, this.termPanel.node), this.expiriesPanel.node);
    this.awaited = new Awaited(this.grid, "No option chain yet", "smile and term structure appear with the first options_iv event; a configuration without option markets publishes none");
    this.awaited.node.className = "wide";
    root.append(this.awaited.node);
    this.show();
  }

  show() {
    this.app.link.show({ view: "options", exchange: this.exchange, underlying: this.underlying });
  }

  hello(hello) {
    if (!this.underlying && hello.underlyings.length) this.app.route();
  }

  render({ state }) {
    const known = state.underlyings || [];
    if (known.join() !== this.known) {
      this.known = known.join();
      this.which.replaceChildren(...known.map((name) => new Option(name, name, false, name === `${this.exchange} ${this.underlying}`)));
    }
    this.surface = state.surface;
    this.awaited.show(Boolean(this.surface));
    if (this.surface) this.draw();
  }

  draw() {
    const expiries = (this.surface.expiries || []).map(readExpiry);
    const names = expiries.map((each) => each.name).join();
    if (names !== this.names) {
      this.names = names;
      const chosen = this.pick.value;
      this.pick.replaceChildren(...expiries.map((each) => new Option(each.name, each.name, false, each.name === chosen)));
    }
    const chosen = expiries.find((each) => each.name === this.pick.value) || expiries[0];
    if (chosen) {
      this.smile.show([chosen.strikes.map((row) => row.strike), ...["mark", "bid", "ask"].map((name) => chosen.strikes.map((row) => row[name]))]);
      setText(this.smilePanel.note, `${chosen.strikes.length} strikes`);
    }
    this.term.show([expiries.map((each) => each.days), expiries.map((each) => each.atm), expiries.map((each) => each.rr), expiries.map((each) => each.bf)]);
    this.expiries.show(Object.fromEntries(expiries.map((each) => [each.name, { ...each, strikes: each.strikes.length }])));
  }

  destroy() {
    this.smile.destroy();
    this.term.destroy();
  }
}

function readExpiry(row) {
  const at = Number(row.expiry_time ?? row.expiry ?? 0);
  const days = row.days ?? (at > 1e15 ? (at / 1e6 - Date.now()) / 86400e3 : null);
  return {
    name: String(row.expiry ?? row.name ?? row.expiry_time), days: number(days), atm: number(row.atm_iv ?? row.atm), rr: number(row.rr25 ?? row.risk_reversal_25), bf: number(row.bf25 ?? row.butterfly_25),
    strikes: (row.strikes || []).map((each) => ({ strike: Number(each.strike), mark: number(each.mark_iv ?? each.iv), bid: number(each.bid_iv), ask: number(each.ask_iv) })).sort((a, b) => a.strike - b.strike),
  };
}
