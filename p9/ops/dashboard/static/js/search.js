// Find an instrument by pieces of its names: "perp btc" finds BTC-USDT-PERP on every venue.
import { el } from "./dom.js";

const MOST = 40;

export class Search {
  constructor(dialog, choose) {
    this.dialog = dialog;
    this.choose = choose;
    this.input = dialog.querySelector("input");
    this.list = dialog.querySelector("ul");
    this.instruments = [];
    this.at = 0;
    this.input.addEventListener("input", () => this.find());
    this.input.addEventListener("keydown", (event) => this.hear(event));
    this.list.addEventListener("click", (event) => this.take(event.target.closest("li")));
    dialog.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.take(this.list.children[this.at]);
    });
  }

  open(instruments) {
    this.instruments = instruments;
    this.input.value = "";
    this.find();
    if (!this.dialog.open) this.dialog.showModal();
    this.input.focus();
  }

  find() {
    const words = this.input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = this.instruments.filter((row) => words.every((word) => row.join(" ").toLowerCase().includes(word)));
    this.list.replaceChildren(...found.slice(0, MOST).map(([exchange, symbol, market], n) => {
      const item = el("li", { role: "option", id: `found-${n}` }, el("span", { text: symbol }), el("span", { text: market.replace("_", " ") }));
      item._row = [exchange, symbol];
      return item;
    }));
    if (!found.length) this.list.append(el("li", { role: "option", "aria-disabled": "true" }, el("span", { class: "soft", text: "nothing is called so" })));
    this.mark(0);
  }

  mark(n) {
    const items = [...this.list.children];
    this.at = Math.max(0, Math.min(items.length - 1, n));
    items.forEach((item, i) => item.setAttribute("aria-selected", String(i === this.at)));
    items[this.at]?.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", items[this.at]?.id || "");
  }

  hear(event) {
    if (event.key === "ArrowDown") this.mark(this.at + 1);
    else if (event.key === "ArrowUp") this.mark(this.at - 1);
    else return;
    event.preventDefault();
  }

  take(item) {
    if (!item?._row) return;
    this.dialog.close();
    this.choose(...item._row);
  }
}
