// A uPlot with our colours; fetched at build, and only asked for where something is plotted.
import { el, empty } from "./dom.js";
import { colours, faded, onTheme } from "./theme.js";

let library = null;

function uplot() {
  library ||= new Promise((resolve, reject) => {
    document.head.append(
      el("link", { rel: "stylesheet", href: "/static/vendor/uplot.css" }),
      el("script", { src: "/static/vendor/uplot.js", onload: () => resolve(window.uPlot), onerror: reject }),
    );
  });
  return library;
}

export class Plot {
  // series: [{label, colour, width, points, value, dash}], x: {label, values, time}
  constructor(there, { series, x, y, height = 280, label }) {
    this.series = series;
    this.x = x;
    this.y = y;
    this.height = height;
    this.box = el("div", { class: "plot", role: "group", "aria-label": label });
    this.node = this.box;
    this.alive = true;
    this.data = null;
    this.forget = onTheme(() => this.make());
    if (!there) {
      this.node = empty("Charts are not in this build", "npm was not there when it was built; docs/dashboard.md says how to add them");
      return;
    }
    uplot().then((uPlot) => {
      this.uPlot = uPlot;
      this.make();
    });
    this.observer = new ResizeObserver(() => this.plot?.setSize(this.size()));
    this.observer.observe(this.box);
  }

  size() {
    return { width: Math.max(200, this.box.clientWidth - 16), height: this.height };
  }

  make() {
    if (!this.alive || !this.uPlot || !this.data) return;
    this.plot?.destroy();
    const c = colours();
    const axis = (more) => ({ stroke: c.soft, grid: { stroke: faded(c.line, 0.7), width: 1 }, ticks: { stroke: c.line, width: 1 }, font: "11px system-ui, sans-serif", labelFont: "11px system-ui, sans-serif", ...more });
    this.plot = new this.uPlot({
      ...this.size(),
      scales: { x: { time: Boolean(this.x.time), range: this.x.least ? (_, low, high) => [Math.min(low, high - this.x.least), high] : undefined } },
      axes: [axis({ label: this.x.label, labelSize: 18, values: this.x.values }), axis({ label: this.y.label, labelSize: 18, size: 52, values: this.y.values })],
      cursor: { points: { size: 7 }, drag: { x: true, y: false } },
      series: [{ label: this.x.label || "time", value: this.x.value }, ...this.series.map((each) => ({
        label: each.label, stroke: c[each.colour], width: each.width ?? 2, dash: each.dash, spanGaps: true, value: each.value,
        points: { show: each.points ?? true, size: 5, fill: c[each.colour] }, paths: each.width === 0 ? () => null : undefined,
      }))],
    }, this.data, this.box);
  }

  show(data) {
    if (!data[0].length) return;
    const before = this.data;
    this.data = data;
    if (!this.plot) this.make();
    else if (JSON.stringify(before) !== JSON.stringify(data)) this.plot.setData(data);
  }

  destroy() {
    this.alive = false;
    this.observer?.disconnect();
    this.forget();
    this.plot?.destroy();
  }
}
