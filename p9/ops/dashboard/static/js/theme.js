// Dark or light: the system's choice until somebody makes another; and the colours for what is drawn on canvases.

const NAMES = ["ground", "panel", "raised", "line", "ink", "soft", "faint", "bid", "ask", "bid-fill", "ask-fill", "accent", "accent-fill", "warn", "whale"];
const KEY = "p9-theme";
const hearers = new Set();
let cached = null;

// A canvas needs plain colours: light-dark() and color-mix() are resolved by an element.
export function colours() {
  if (cached) return cached;
  const probe = document.createElement("i");
  document.body.append(probe);
  cached = { dark: dark() };
  for (const name of NAMES) {
    probe.style.color = `var(--${name})`;
    cached[name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase())] = getComputedStyle(probe).color;
  }
  probe.remove();
  return cached;
}

export function dark() {
  const set = document.documentElement.dataset.theme;
  return set ? set === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

export function onTheme(hear) {
  hearers.add(hear);
  return () => hearers.delete(hear);
}

function changed() {
  cached = null;
  for (const hear of hearers) hear();
}

export function toggleTheme() {
  const theme = dark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try { localStorage.setItem(KEY, theme); } catch { /* a private window keeps nothing */ }
  changed();
}

export function startTheme() {
  try {
    const theme = localStorage.getItem(KEY);
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  } catch { /* the same */ }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
}

// The colour with another opacity; canvases draw with rgb() texts.
export function faded(colour, alpha) {
  const parts = colour.match(/[\d.]+/g).slice(0, 3).map(Number);
  const scale = colour.startsWith("color(") ? 255 : 1;
  return `rgba(${parts.map((part) => Math.round(part * scale)).join(",")},${alpha})`;
}
