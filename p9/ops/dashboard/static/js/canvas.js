// A canvas as sharp as the screen, drawn again when its size or the theme changes.
import { onTheme } from "./theme.js";

export const FONT = '"Segoe UI", "Helvetica Neue", Roboto, "Liberation Sans", Arial, sans-serif'; // whose figures are all as wide: a canvas cannot ask for it

export class Canvas {
  constructor(node, draw) {
    this.node = node;
    this.draw = draw;
    this.context = node.getContext("2d");
    this.width = this.height = 0;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(node);
    this.forget = onTheme(() => this.redraw());
  }

  resize() {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const { width, height } = this.node.getBoundingClientRect();
    if (!width || !height) return;
    this.width = width;
    this.height = height;
    this.node.width = Math.round(width * ratio);
    this.node.height = Math.round(height * ratio);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.redraw();
  }

  redraw() {
    if (!this.width) return;
    this.context.clearRect(0, 0, this.width, this.height);
    this.draw(this.context, this.width, this.height);
  }

  destroy() {
    this.observer.disconnect();
    this.forget();
  }
}
