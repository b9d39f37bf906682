// Figures for the eye. What is unknown is a dash.

const DASH = "–";
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const UNITS = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];
const two = (n) => String(n).padStart(2, "0");

export const known = (value) => value !== undefined && value !== null && value !== "" && !Number.isNaN(Number(value));

export function count(value) {
  return known(value) ? whole.format(Number(value)) : DASH;
}

// 1234567 -> 1.23M; small numbers keep `digits` significant ones
export function brief(value, digits = 3) {
  if (!known(value)) return DASH;
  const number = Number(value);
  const size = Math.abs(number);
  for (const [unit, letter] of UNITS) if (size >= unit) return (number / unit).toPrecision(Math.max(3, digits)).replace(/\.?0+$/, "") + letter;
  if (size === 0) return "0";
  return size >= 100 ? number.toFixed(size >= 1000 ? 0 : 1).replace(/\.0$/, "") : Number(number.toPrecision(digits)).toString();
}

// A decimal text as it came, its whole part grouped and its fraction as long as `places`, exact while it has no more than that.
export function decimal(text, places) {
  if (text === undefined || text === null) return DASH;
  const [head, tail = ""] = String(text).split(".");
  const grouped = head.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  const fraction = places === undefined ? tail : tail.padEnd(places, "0");
  return fraction ? `${grouped}.${fraction}` : grouped;
}

// Eight significant digits: what the eye needs of a mark price
export const rounded = (value) => (known(value) ? String(Number(Number(value).toPrecision(8))) : null);

export const places = (text) => (String(text).split(".")[1] || "").length;

export function signed(value, digits = 2, unit = "") {
  if (!known(value)) return DASH;
  const number = Number(value);
  return `${number > 0 ? "+" : number < 0 ? "−" : ""}${Math.abs(number).toFixed(digits)}${unit}`;
}

export function percent(value, digits = 4) {
  return known(value) ? signed(Number(value) * 100, digits, "%") : DASH;
}

export function ms(value) {
  if (!known(value)) return DASH;
  const number = Number(value);
  return number < 1 ? `${Math.round(number * 1000)} µs` : number < 1000 ? `${Number(number.toPrecision(3))} ms` : `${(number / 1000).toFixed(1)} s`;
}

export function duration(seconds) {
  if (!known(seconds)) return DASH;
  const s = Math.max(0, Math.round(Number(seconds)));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${two(s % 60)}s`;
  if (s < 86400) return `${Math.floor(s / 3600)}h ${two(Math.floor(s / 60) % 60)}m`;
  return `${Math.floor(s / 86400)}d ${two(Math.floor(s / 3600) % 24)}h`;
}

export function time(at, withMs = false) {
  if (!known(at)) return DASH;
  const text = new Date(Number(at)).toISOString();
  return text.slice(11, withMs ? 23 : 19);
}

export function bytes(value) {
  if (!known(value)) return DASH;
  const number = Number(value);
  return number < 1e3 ? `${number} B` : number < 1e6 ? `${brief(number / 1e3)} kB` : number < 1e9 ? `${brief(number / 1e6)} MB` : `${brief(number / 1e9)} GB`;
}

export const titled = (name) => name.replace(/_/g, " ");
export const side = (value) => (Number(value) > 0 ? "bid" : Number(value) < 0 ? "ask" : "");
