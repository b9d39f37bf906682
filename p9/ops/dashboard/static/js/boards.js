// What is polled, of all instruments side by side.
import { Awaited, el, panel, setText } from "./dom.js";
import { Events } from "./events.js";
import { brief, decimal, duration, known, percent, side, signed } from "./format.js";
import { Table } from "./table.js";

const name = { title: "instrument", left: true, by: (_, key) => key.split(" ").reverse().join(" "), of: (_, key) => ({ text: key.split(" ")[1], href: `#/desk/${key.replace(" ", "/")}` }) };
const venue = { title: "venue", left: true, by: (_, key) => key, of: (_, key) => ({ text: key.split(" ")[0], class: "soft" }) };
const first = (row, ...names) => names.map((each) => row[each]).find((value) => value !== undefined && value !== null);
const age = { title: "age", by: (row) => -row.at, of: (row) => ({ text: known(row.at) ? duration((Date.now() - row.at) / 1000) : "–", class: "faint" }) };
const rate = (row) => first(row, "rate", "funding_rate");
const annual = (row) => first(row, "annualised", "annualized", "annualised_rate");
const next = (row) => first(row, "next_time", "next_funding_time", "next");
const interest = (row) => first(row, "base", "open_interest", "quantity");
const change24 = (row) => first(row, "change_24h_pct", "change_24h", "change_pct", "change");
const LEVELS = { LOW: "good", MEDIUM: "warn", HIGH: "bad", CRITICAL: "bad" };

const until = (at) => {
  if (!known(at)) return "–";
  const ms = Number(at) > 1e15 ? Number(at) / 1e6 : Number(at);
  return duration((ms - Date.now()) / 1000);
};

const BOARDS = {
  funding: {
    title: "Funding", why: "rates are asked for every 30 s where the venue has perpetuals",
    columns: [name, venue,
      { title: "rate", by: (row) => Number(rate(row)), of: (row) => ({ text: percent(rate(row)), class: side(rate(row)), gauge: Number(rate(row) || 0) / 0.001 }) },
      { title: "predicted", by: (row) => Number(row.predicted_rate), of: (row) => ({ text: percent(row.predicted_rate), class: side(row.predicted_rate) }) },
      { title: "a year", by: (row) => Number(annual(row)), of: (row) => ({ text: percent(annual(row), 1), class: side(annual(row)) }) },
      { title: "next", by: (row) => Number(next(row)), of: (row) => until(next(row)) }, age],
  },
  mark_price: {
    title: "Mark, index and basis", why: "prices are asked for every 10 s, or come by stream",
    columns: [name, venue,
      { title: "mark", of: (row) => decimal(first(row, "mark", "mark_price")) },
      { title: "index", of: (row) => decimal(first(row, "index", "index_price")) },
      { title: "basis", by: (row) => Number(row.basis_bps), of: (row) => ({ text: signed(row.basis_bps, 2, " bp"), class: side(row.basis_bps), gauge: Number(row.basis_bps || 0) / 20 }) }, age],
  },
  open_interest: {
    title: "Open interest", why: "it is asked for every 15 s",
    columns: [name, venue,
      { title: "base", by: (row) => Number(interest(row)), of: (row) => brief(interest(row), 5) },
      { title: "quote", by: (row) => Number(first(row, "quote", "open_interest_quote", "quote_quantity")), of: (row) => brief(first(row, "quote", "open_interest_quote", "quote_quantity"), 4) },
      { title: "contracts", by: (row) => Number(row.contracts), of: (row) => brief(row.contracts, 4) },
      { title: "change", by: (row) => Number(row.change), of: (row) => ({ text: brief(row.change), class: side(row.change) }) },
      { title: "sides", left: true, of: (row) => ({ text: row.sides ?? "–", class: "soft" }) }, age],
  },
  insurance_fund: {
    title: "Insurance funds", why: "they are asked for every 5 min; the stress is known after 24 h",
    columns: [{ ...name, title: "asset", of: (_, key) => key.split(" ")[1] }, venue,
      { title: "total", by: (row) => Number(row.total), of: (row) => brief(row.total, 5) },
      { title: "24 h", by: (row) => Number(change24(row)), of: (row) => ({ text: signed(change24(row), 2, " %"), class: side(change24(row)) }) },
      { title: "stress", left: true, by: (row) => row.score, of: (row) => (row.stress ? { text: row.stress, mark: LEVELS[row.stress] || "" } : { text: "not known yet", mark: "" }) },
      { title: "score", by: (row) => row.score, of: (row) => brief(row.score) },
      { title: "pools", of: (row) => row.pools?.length ?? "–" }, age],
  },
};

export class Boards {
  constructor(root, app) {
    this.boards = Object.entries(BOARDS).map(([type, { title, why, columns }]) => {
      const table = new Table(columns, { label: title, sort: 2, descending: true, most: 600 });
      const awaited = new Awaited(table.node, "No data yet", why);
      const box = panel(title, { body: [awaited.node], scroll: 420 });
      root.append(box.node);
      return { type, table, awaited, box };
    });
    this.events = new Events("Insurance alerts");
    this.alerts = panel("Insurance alerts", { name: "wide", body: [this.events.node] });
    this.alerts.node.hidden = true;
    root.append(this.alerts.node);
    app.link.show({ view: "boards" });
  }

  render({ state, lists, added, whole }) {
    for (const { type, table, awaited, box } of this.boards) {
      const rows = state[type] || {};
      const n = Object.keys(rows).length;
      awaited.show(n > 0);
      setText(box.note, n ? `${n}` : state.published?.includes(type) ? "waiting for the first answer" : "not published");
      table.show(rows);
    }
    this.alerts.node.hidden = !lists.events?.length;
    this.events.render(whole ? lists.events : added.events, whole);
  }

  destroy() {}
}
