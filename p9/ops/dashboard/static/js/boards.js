// What is polled, of all instruments side by side.
import { Awaited, el, panel, setText } from "./dom.js";
import { Events } from "./events.js";
import { brief, decimal, duration, known, percent, side, signed } from "./format.js";
import { Table } from "./table.js";

const name = { title: "instrument", left: true, by: (_, key) => key.split(" ").reverse().join(" "), of: (_, key) => ({ text: key.split(" ")[1], href: `#/desk/${key.replace(" ", "/")}` }) };
const venue = { title: "venue", left: true, by: (_, key) => key, of: (_, key) => ({ text: key.split(" ")[0], class: "soft" }) };
const age = { title: "age", by: (row) => -row.at, of: (row) => ({ text: known(row.at) ? duration((Date.now() - row.at) / 1000) : "–", class: row.flags?.includes("maybe_bad") ? "warn" : "faint" }) };
const LEVELS = { LOW: "good", MEDIUM: "warn", HIGH: "bad", CRITICAL: "bad" };
const until = (at) => (known(at) ? duration((Number(at) / 1e6 - Date.now()) / 1000) : "–");
const hours = (seconds) => (known(seconds) ? `${seconds / 3600} h` : "–");
const numeric = (field) => (row) => (known(row[field]) ? Number(row[field]) : undefined);
const toned = (field, write, width) => (row) => ({ text: write(row[field]), class: side(row[field]), ...(width ? { gauge: Number(row[field] || 0) / width } : {}) });

// sort: the column that comes first
const BOARDS = {
  funding: {
    title: "Funding", why: "rates come live, and are asked for every 30 s where the venue has perpetuals", sort: 2,
    columns: [name, venue,
      { title: "rate", by: numeric("rate"), of: toned("rate", percent, 0.0005) }, { title: "predicted", by: numeric("predicted_rate"), of: toned("predicted_rate", percent) },
      { title: "last", by: numeric("last_rate"), of: toned("last_rate", percent) }, { title: "a year", by: numeric("annualised"), of: toned("annualised", (value) => percent(value, 1)) },
      { title: "every", by: numeric("interval_seconds"), of: (row) => hours(row.interval_seconds) }, { title: "next in", by: numeric("next_time"), of: (row) => until(row.next_time) }, age],
  },
  mark_price: {
    title: "Mark, index and basis", why: "prices come live, and are asked for every 10 s", sort: 4,
    columns: [name, venue, { title: "mark", of: (row) => decimal(row.mark) }, { title: "index", of: (row) => decimal(row.index) },
      { title: "basis", by: numeric("basis_bps"), of: toned("basis_bps", (value) => signed(value, 2, " bp"), 10) }, age],
  },
  open_interest: {
    title: "Open interest", why: "it comes live, and is asked for every 15 s", sort: 3,
    columns: [name, venue, { title: "base", by: numeric("base"), of: (row) => brief(row.base, 4) }, { title: "quote", by: numeric("quote"), of: (row) => brief(row.quote, 4) },
      { title: "contracts", by: numeric("contracts"), of: (row) => brief(row.contracts, 4) },
      { title: "change", by: (row) => Number(row.change) / Number(row.contracts), of: (row) => ({ text: known(row.change) && Number(row.contracts) ? signed((100 * row.change) / row.contracts, 2, " %") : "–", class: side(row.change) }) },
      { title: "since", of: (row) => (known(row.change_since) ? duration((Date.now() - row.change_since / 1e6) / 1000) : "–") }, age],
  },
  insurance_fund: {
    title: "Insurance funds", why: "they are asked for every 5 min; the stress is known after 24 h", sort: 2,
    columns: [{ ...name, title: "asset", of: (_, key) => key.split(" ")[1] }, venue,
      { title: "total", by: numeric("total"), of: (row) => brief(row.total, 5) }, { title: "24 h", by: numeric("change_24h_percent"), of: toned("change_24h_percent", (value) => signed(value, 2, " %")) },
      { title: "stress", left: true, by: numeric("score"), of: (row) => ({ text: row.stress ?? "not known yet", mark: LEVELS[row.stress] || "" }) },
      { title: "score", by: numeric("score"), of: (row) => brief(row.score) }, { title: "worst pool", left: true, of: (row) => ({ text: row.worst_pool ?? (row.pools ? `${row.pools.length} pools` : "–"), class: "soft" }) }, { title: "as of", of: (row) => (known(row.as_of) ? `${duration((Date.now() - row.as_of / 1e6) / 1000)} ago` : "–") }],
  },
};

export class Boards {
  constructor(root, app) {
    this.boards = Object.entries(BOARDS).map(([type, { title, why, columns, sort }]) => {
      const table = new Table(columns, { label: title, sort, descending: true, most: 600 });
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
