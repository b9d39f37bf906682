// Candles with volume, and below them the cumulated difference of what was bought and sold (CVD).
import { el, empty, panel, setText } from "./dom.js";
import { brief, decimal, places, signed } from "./format.js";
import { colours, faded, onTheme } from "./theme.js";

let library = null;

// The library is fetched at build; without it the rest of the page is whole.
export function charts() {
  library ||= import("/static/vendor/lightweight-charts.mjs");
  return library;
}

export class Candles {
  constructor(there) {
    this.box = el("div", { role: "img", "aria-label": "Candles with volume and CVD" });
    this.box.style.height = "100%";
    this.panel = panel("Candles", { name: "candles", body: [this.box] });
    this.node = this.panel.node;
    this.rows = new Map(); // by open time
    this.forget = onTheme(() => this.paint());
    this.alive = true;
    if (!there) this.box.replaceWith(empty("Charts are not in this build", "npm was not there when it was built; docs/dashboard.md says how to add them"));
    else charts().then((module) => this.alive && this.begin(module));
  }

  begin(module) {
    const { createChart, CandlestickSeries, HistogramSeries, LineSeries, CrosshairMode } = module;
    this.chart = createChart(this.box, {
      autoSize: true, crosshair: { mode: CrosshairMode.Normal }, timeScale: { timeVisible: true, secondsVisible: true, rightOffset: 4, barSpacing: 7 },
      layout: { attributionLogo: false, fontSize: 11, panes: { enableResize: false } }, localization: { locale: "en-US" },
    });
    this.price = this.chart.addSeries(CandlestickSeries, {});
    this.volume = this.chart.addSeries(HistogramSeries, { priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.8, bottom: 0 } });
    this.cvd = this.chart.addSeries(LineSeries, { lineWidth: 2, priceFormat: { type: "volume" }, priceLineVisible: false }, 1);
    const panes = this.chart.panes();
    panes[0].setStretchFactor(4);
    panes[1]?.setStretchFactor(1);
    this.paint();
    this.all();
  }

  paint() {
    if (!this.chart) return;
    const c = colours();
    this.chart.applyOptions({
      layout: { background: { color: c.panel }, textColor: c.soft, panes: { separatorColor: c.line, separatorHoverColor: c.line } },
      grid: { vertLines: { color: faded(c.line, 0.5) }, horzLines: { color: faded(c.line, 0.5) } }, rightPriceScale: { borderColor: c.line }, timeScale: { borderColor: c.line },
    });
    this.price.applyOptions({ upColor: c.bid, downColor: c.ask, wickUpColor: c.bid, wickDownColor: c.ask, borderVisible: false });
    this.cvd.applyOptions({ color: c.accent });
    this.all();
  }

  render({ state, lists, added, whole }) {
    const fresh = (whole ? lists.candles || [] : added.candles || []).filter((each) => each[1] !== null);
    if (whole) this.rows.clear();
    const last = Math.max(0, ...this.rows.keys());
    for (const row of fresh) this.rows.set(row[0], row);
    // the forming candle may be an old one still, where the closed one that follows it overtook it
    const forming = state.forming && state.forming[0] >= Math.max(last, ...fresh.map((each) => each[0])) ? state.forming : null;
    if (forming) this.rows.set(forming[0], forming);
    if (this.rows.size > 600) for (const key of [...this.rows.keys()].sort((a, b) => a - b).slice(0, this.rows.size - 600)) this.rows.delete(key);
    const row = forming || fresh.at(-1) || state.forming;
    if (row) setText(this.panel.note, `${state.timeframe} · O ${decimal(row[1])} H ${decimal(row[2])} L ${decimal(row[3])} C ${decimal(row[4])} · vol ${brief(row[5])} · ${row[7] ?? 0} trades${row[8] ? " · some may be missing" : ""}`);
    if (!this.chart) return;
    const digits = places(state.instrument.tick);
    if (digits !== this.digits) {
      this.digits = digits;
      this.price.applyOptions({ priceFormat: { type: "price", precision: digits, minMove: Number(`1e-${digits}`) } });
    }
    if (whole || fresh.some((each) => each[0] < last - 1e-9)) this.all();
    else if (fresh.length || (forming && forming !== this.shown)) this.newest(fresh, forming);
    this.shown = forming;
  }

  all() {
    if (!this.chart) return;
    const rows = [...this.rows.values()].sort((a, b) => a[0] - b[0]);
    this.sums = new Map();
    let sum = 0;
    for (const row of rows) this.sums.set(row[0], (sum += delta(row)));
    this.price.setData(rows.map(bar));
    this.volume.setData(rows.map((row) => this.bar(row)));
    this.cvd.setData(rows.map((row) => ({ time: row[0], value: this.sums.get(row[0]) })));
  }

  newest(fresh, forming) {
    const rows = [...fresh, ...(forming ? [forming] : [])].sort((a, b) => a[0] - b[0]);
    for (const row of rows) {
      const before = [...this.sums.keys()].filter((at) => at < row[0]).reduce((a, b) => Math.max(a, b), -1);
      this.sums.set(row[0], (this.sums.get(before) || 0) + delta(row));
      this.price.update(bar(row));
      this.volume.update(this.bar(row));
      this.cvd.update({ time: row[0], value: this.sums.get(row[0]) });
    }
    if (this.sums.size > 700) this.all();
  }

  bar(row) {
    const c = colours();
    return { time: row[0], value: row[5] || 0, color: faded(row[4] >= row[1] ? c.bid : c.ask, 0.4) };
  }

  destroy() {
    this.alive = false;
    this.forget();
    this.chart?.remove();
  }
}

const bar = ([at, open, high, low, close]) => ({ time: at, open, high, low, close });
const delta = (row) => (row[6] === null || row[6] === undefined ? 0 : 2 * row[6] - (row[5] || 0));

export const cvdText = (row) => signed(delta(row), 3);
