// The keyboard, and the page that tells of it.
import { el } from "./dom.js";

const HELP = [
  [["/"], "find an instrument"], [["1", "6"], "the views, in the order of the tabs"], [["[", "]"], "the instrument before, the next one"],
  [[",", "."], "a shorter timeframe, a longer one"], [["t"], "dark or light"], [["?"], "this help"], [["Esc"], "close"],
];

export class Keys {
  // do: {search(), view(n), theme(), page(key)}
  constructor(dialog, work) {
    this.dialog = dialog;
    this.work = work;
    dialog.querySelector(".keys").append(
      ...HELP.flatMap(([keys, what]) => [el("dt", {}, ...keys.map((key) => el("kbd", { text: key }))), el("dd", { text: what })]),
    );
    addEventListener("keydown", (event) => this.hear(event));
  }

  help() {
    if (!this.dialog.open) this.dialog.showModal();
  }

  hear(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest?.("input, select, textarea")) return;
    const { key } = event;
    if (key === "/") this.work.search();
    else if (key === "?") this.help();
    else if (key === "t") this.work.theme();
    else if (key >= "1" && key <= "6") this.work.view(Number(key) - 1);
    else if ("[],.".includes(key)) this.work.page(key);
    else return;
    event.preventDefault();
  }
}
