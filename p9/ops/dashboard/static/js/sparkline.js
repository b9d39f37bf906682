// A row of figures as one small line.
import { Canvas } from "./canvas.js";
import { colours, faded } from "./theme.js";

export class Sparkline {
  constructor(node, colour = "accent") {
    this.values = [];
    this.colour = colour;
    this.canvas = new Canvas(node, (context, width, height) => this.draw(context, width, height));
  }

  show(values) {
    this.values = values;
    this.canvas.redraw();
  }

  draw(context, width, height) {
    const values = this.values.map((value) => (value === null || value === undefined ? NaN : Number(value)));
    const good = values.filter((value) => !Number.isNaN(value));
    if (good.length < 2) return;
    const most = Math.max(...good), least = Math.min(0, ...good);
    const x = (n) => (n / Math.max(values.length - 1, 1)) * width;
    const y = (value) => height - 2 - ((value - least) / (most - least || 1)) * (height - 5);
    const colour = colours()[this.colour];
    context.beginPath();
    let begun = false;
    values.forEach((value, n) => {
      if (Number.isNaN(value)) return;
      begun ? context.lineTo(x(n), y(value)) : context.moveTo(x(n), y(value));
      begun = true;
    });
    context.strokeStyle = colour;
    context.lineWidth = 1.4;
    context.lineJoin = "round";
    context.stroke();
    context.lineTo(width, height);
    context.lineTo(0, height);
    context.closePath();
    context.fillStyle = faded(colour, 0.12);
    context.fill();
  }

  destroy() {
    this.canvas.destroy();
  }
}
