// What is wanted now and then, not at every update.

export class Pace {
  constructor(everyMs) {
    this.everyMs = everyMs;
    this.at = -Infinity;
  }

  due(anyway = false) {
    const now = performance.now();
    if (!anyway && now - this.at < this.everyMs) return false;
    this.at = now;
    return true;
  }
}
