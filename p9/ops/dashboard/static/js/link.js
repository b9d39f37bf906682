// The one WebSocket of the page: what it looks at, what it was told, and coming back after a loss.
import { applyPatch } from "./patch.js";

const FIRST_PAUSE_MS = 500;
const MOST_PAUSE_MS = 15000;
const SILENCE_MS = 6000; // the overview speaks every second, so longer silence is told

export class Link {
  // `hear.hello(hello)`, `hear.state(name, detail)`, `hear.ready()`, `hear.update({state, lists, added, whole})`, `hear.absent()`
  constructor(hear) {
    this.hear = hear;
    this.look = null;
    this.key = "";
    this.state = {};
    this.lists = {};
    this.kept = {};
    this.added = {};
    this.whole = false;
    this.failures = 0;
    this.bytes = 0;
    this.updates = 0;
    this.heardAt = 0;
    this.frame = 0;
    this.socket = null;
    this.timer = 0;
    document.addEventListener("visibilitychange", () => this.say());
    setInterval(() => this.listen(), 1000);
  }

  open() {
    clearTimeout(this.timer);
    this.hear.state(this.failures ? "reconnecting" : "connecting");
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
    this.socket = socket;
    socket.onopen = () => {
      this.failures = 0;
      this.heardAt = performance.now();
      this.hear.state("live");
      this.say();
    };
    socket.onmessage = (message) => this.take(message.data);
    socket.onclose = () => this.lost(socket);
  }

  lost(socket) {
    if (socket !== this.socket) return;
    this.failures += 1;
    const pause = Math.min(MOST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.failures - 1, 6)) * (0.5 + Math.random() / 2);
    this.hear.state("lost", { at: performance.now() + pause });
    this.timer = setTimeout(() => this.open(), pause);
  }

  // Show another view. Nothing is sent for a page that nobody can see.
  show(look) {
    this.look = look;
    this.key = Object.keys(look).sort().map((name) => `${name}=${look[name]}`).join(" ");
    this.state = {};
    this.lists = {};
    this.added = {};
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.say();
  }

  say() {
    if (this.socket?.readyState !== WebSocket.OPEN || !this.look) return;
    this.socket.send(JSON.stringify({ look: document.hidden ? {} : this.look }));
  }

  listen() {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    const silent = performance.now() - this.heardAt;
    if (!document.hidden && silent > SILENCE_MS) this.hear.state("silent", { silent });
  }

  take(text) {
    const message = JSON.parse(text);
    this.bytes += text.length;
    this.updates += 1;
    const late = performance.now() - this.heardAt > SILENCE_MS;
    this.heardAt = performance.now();
    if (late) this.hear.state("live");
    if (message.hello) return this.hear.hello(message.hello);
    if (message.view !== this.key) return;
    if (message.absent) return this.hear.absent();
    if (message.full) {
      this.state = applyPatch({}, message.full);
      this.lists = message.lists;
      this.kept = message.kept;
      this.added = {};
      this.whole = true;
    } else {
      applyPatch(this.state, message.patch);
      for (const [name, rows] of Object.entries(message.add)) {
        const list = (this.lists[name] ||= []);
        list.push(...rows);
        if (list.length > (this.kept[name] || 0)) list.splice(0, list.length - (this.kept[name] || 0));
        (this.added[name] ||= []).push(...rows);
      }
    }
    if (!this.frame) this.wait();
  }

  wait() {
    this.frame = requestAnimationFrame(() => (this.hear.ready() ? this.draw() : this.wait()));
  }

  draw() {
    this.frame = 0;
    const { state, lists, added, whole } = this;
    this.added = {};
    this.whole = false;
    this.hear.update({ state, lists, added, whole });
  }
}
