// Candles with volume, and below them the cumulated difference of what was bought and sold (CVD).
import { el, empty, panel, setText } from "./dom.js";
import { brief, decimal, places, signed } from "./format.js";
import { colours, faded, onTheme } from "./theme.js";

const MOST = 600; // candles that are kept
const SPARE = 100; // more until the oldest go
const FEW = 3; // candles that the chart is told of one by one

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
    this.rows = []; // in time
    this.sums = []; // CVD up to each
    this.forming = null;
    this.closedTo = this.drawnTo = 0; // open times
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
    const came = (whole ? lists.candles : added.candles) || [];
    if (whole) [this.rows, this.closedTo] = [[], 0];
    this.closedTo = Math.max(this.closedTo, ...came.map((row) => row[0]));
    const forming = state.forming?.[0] > this.closedTo ? state.forming : null; // it may be an old one still, which its closed one has overtaken
    const changed = came.filter((row) => row[1] !== null);
    if (forming && forming !== this.forming) changed.push(forming);
    this.forming = forming;
    const row = forming || changed.at(-1) || state.forming;
    if (row) setText(this.panel.note, `${state.timeframe} · O ${decimal(row[1])} H ${decimal(row[2])} L ${decimal(row[3])} C ${decimal(row[4])} · vol ${brief(row[5])} · ${row[7] ?? 0} trades${row[8] ? " · some may be missing" : ""}`);
    const digits = places(state.instrument.tick);
    if (this.chart && digits !== this.digits) {
      this.digits = digits;
      this.price.applyOptions({ priceFormat: { type: "price", precision: digits, minMove: Number(`1e-${digits}`) } });
    }
    const put = changed.sort((a, b) => a[0] - b[0]).map((row) => this.put(row));
    if (this.rows.length > MOST + SPARE) this.rows.splice(0, this.rows.length - MOST);
    else if (!whole && !put.includes(-1) && this.rows.length - put[0] <= FEW) return this.follow(put[0]);
    if (whole || put.length) this.all();
  }

  // Puts a row where it belongs in time. Answers its place, or -1 where it is a new one among old ones, which the chart takes with all of them only.
  put(row) {
    let n = this.rows.length;
    while (n && this.rows[n - 1][0] >= row[0]) n -= 1;
    const again = this.rows[n]?.[0] === row[0];
    const fits = again || n === this.rows.length;
    this.rows.splice(n, again ? 1 : 0, row);
    return fits ? n : -1;
  }

  all() {
    if (!this.chart) return;
    this.sums = [];
    this.rows.forEach((_, n) => this.sum(n));
    this.price.setData(this.rows.map(bar));
    this.volume.setData(this.rows.map((row) => this.bar(row)));
    this.cvd.setData(this.rows.map((row, n) => ({ time: row[0], value: this.sums[n] })));
    this.drawnTo = this.rows.at(-1)?.[0] ?? 0;
  }

  // The chart is told of the rows from `first` on: one that is closed, mostly, and the one that forms.
  follow(first) {
    if (!this.chart) return;
    for (let n = first; n < this.rows.length; n++) {
      const row = this.rows[n], old = row[0] < this.drawnTo;
      this.price.update(bar(row), old);
      this.volume.update(this.bar(row), old);
      this.cvd.update({ time: row[0], value: this.sum(n) }, old);
    }
    this.drawnTo = this.rows.at(-1)[0];
  }

  sum(n) {
    return (this.sums[n] = (this.sums[n - 1] || 0) + delta(this.rows[n]));
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
