// The page: one link, one view at a time, and what stands around it.
import { Boards } from "./boards.js";
import { Desk } from "./desk.js";
import { el, setClass, setText } from "./dom.js";
import { Keys } from "./keys.js";
import { Link } from "./link.js";
import { Options } from "./options.js";
import { Overview } from "./overview.js";
import { Search } from "./search.js";
import { System } from "./system.js";
import { startTheme, toggleTheme } from "./theme.js";
import { Timeline } from "./timeline.js";

const VIEWS = { overview: Overview, desk: Desk, boards: Boards, options: Options, timeline: Timeline, system: System };
const NAMES = Object.keys(VIEWS);
const TITLES = { overview: "Overview", desk: "Desk", boards: "Boards", options: "Options", timeline: "Integrity", system: "System" };
const byId = (id) => document.getElementById(id);

class App {
  constructor() {
    this.hello = { instruments: [], timeframes: [], underlyings: [], published: [], charts: false };
    this.page = null;
    this.lostUntil = 0;
    this.link = new Link({
      hello: (hello) => this.onHello(hello),
      state: (name, detail) => this.onLink(name, detail),
      ready: () => !this.page?.busy?.(),
      update: (update) => this.onUpdate(update),
      absent: () => this.onAbsent(),
    });
    this.search = new Search(byId("search"), (exchange, symbol) => this.go(`#/desk/${exchange}/${symbol}`));
    this.keys = new Keys(byId("help"), {
      search: () => this.search.open(this.hello.instruments),
      view: (n) => this.go(`#/${NAMES[n]}`),
      theme: toggleTheme,
      page: (key) => this.page?.key?.(key),
    });
    byId("theme").addEventListener("click", toggleTheme);
    byId("search-open").addEventListener("click", () => this.search.open(this.hello.instruments));
    byId("help-open").addEventListener("click", () => this.keys.help());
    addEventListener("hashchange", () => this.route());
    setInterval(() => this.tick(), 1000);
    this.tick();
  }

  go(hash) {
    location.hash = hash;
  }

  // "#/desk/venue/BTC-USDT/1m" -> the view and its words
  route() {
    const [name, ...words] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
    const view = VIEWS[name] ? name : "overview";
    if (this.page?.name === view && this.page.moved?.(words)) return;
    this.page?.destroy();
    const root = byId("page");
    root.replaceChildren(...(view === "desk" ? [] : [el("h1", { class: "unseen", text: TITLES[view] })]));
    root.className = view;
    for (const link of document.querySelectorAll("nav a")) {
      if (link.dataset.view === view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    this.page = new VIEWS[view](root, this, words);
    this.page.name = view;
    document.title = `${this.page.title || TITLES[view]} · P9-MicroStream`;
  }

  onHello(hello) {
    const first = !this.hello.version;
    const moved = this.hello.version && this.hello.version !== hello.version;
    this.hello = hello;
    if (moved) return location.reload(); // another build answers: its page goes with it
    byId("simulated").hidden = !hello.simulated;
    setText(byId("version"), `P9-MicroStream ${hello.version}`);
    if (first) this.route();
    else this.page?.hello?.(hello);
  }

  onUpdate(update) {
    document.documentElement.dataset.updates = String(this.link.updates);
    this.page?.render(update);
  }

  onAbsent() {
    byId("page").replaceChildren(el("p", { class: "empty wide" }, el("strong", { text: "There is no such view here" }), "the instrument may not be captured any more; press / to find another"));
  }

  onLink(name, detail = {}) {
    this.lostUntil = name === "lost" ? detail.at : 0;
    const words = { connecting: "connecting", reconnecting: "reconnecting", live: "live", lost: "no connection", silent: "no news" };
    setClass(byId("link"), `pill ${name === "live" ? "good" : name === "connecting" ? "" : "bad"}`);
    setText(byId("link"), words[name]);
    document.body.classList.toggle("stale", name === "lost" || name === "reconnecting" || name === "silent");
    this.banner();
  }

  banner() {
    const wait = Math.max(0, Math.ceil((this.lostUntil - performance.now()) / 1000));
    const banner = byId("banner");
    banner.hidden = !this.lostUntil;
    if (this.lostUntil) setText(banner, `The appliance does not answer. What you see is from before; trying again${wait ? ` in ${wait} s` : ""}.`);
  }

  tick() {
    setText(byId("clock"), `${new Date().toISOString().slice(11, 19)} UTC`);
    if (this.lostUntil) this.banner();
  }
}

startTheme();
const app = new App();
app.link.open();
