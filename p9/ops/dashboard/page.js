"use strict";
// Asks the appliance for its state once a second and writes it into the tables. Text is always set as text, never as markup.

const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
let before = null;

function row(cells) {
  const tr = document.createElement("tr");
  for (const [text, wrong] of cells) {
    const td = document.createElement("td");
    td.textContent = typeof text === "number" ? number.format(text) : text;
    if (wrong) td.className = "wrong";
    tr.append(td);
  }
  return tr;
}

function showMarkets(status) {
  const rows = Object.entries(status.markets).map(([name, market]) => {
    const books = Object.values(market.books).reduce((a, b) => a + b, 0);
    const synced = market.books.synced || 0;
    const sockets = Object.values(market.sockets).reduce((a, b) => a + b, 0);
    const live = market.sockets.live || 0;
    const refused = Object.entries(market.frames.outcomes)
      .filter(([outcome]) => !["events", "control", "ignored"].includes(outcome)).reduce((sum, [, n]) => sum + n, 0);
    const last = before && before.markets[name];
    const rate = last ? (market.frames.received - last.frames.received) / (status.uptime_s - before.uptime_s) : 0;
    return row([[name], [`${live}/${sockets}`, live < sockets], [`${synced}/${books}`, synced < books], [Math.round(rate)],
      [market.counters.gaps], [refused]]);
  });
  byId("markets").replaceChildren(...rows);
}

function showDelivery(status) {
  byId("delivery").replaceChildren(...Object.entries(status.delivery.classes).map(([name, n]) =>
    row([[name], [n.accepted], [n.confirmed], [n.conflated], [n.shed, n.shed > 0 && name !== "LOW"], [n.waiting]])));
}

function showInstruments(status) {
  const select = byId("instrument");
  const names = status.instruments.map((i) => `${i.exchange}/${i.symbol}`);
  if (names.join() === select.dataset.names) return;
  select.dataset.names = names.join();
  const chosen = select.value;
  select.replaceChildren(...names.map((name) => new Option(name, name, false, name === chosen)));
}

async function showBook() {
  const chosen = byId("instrument").value;
  if (!chosen) return;
  const [exchange, symbol] = chosen.split("/");
  const answer = await fetch(`/books/${encodeURIComponent(exchange)}/${encodeURIComponent(symbol)}?n=15`);
  if (!answer.ok) return;
  const book = await answer.json();
  const most = Math.max(...[...book.bids, ...book.asks].map(([, quantity]) => Number(quantity)), 0);
  byId("ladder").replaceChildren(...["bids", "asks"].map((side) => {
    const column = document.createElement("div");
    column.className = side === "bids" ? "bid" : "ask";
    for (const [price, quantity] of book[side]) {
      const level = document.createElement("div");
      level.className = "level";
      const left = document.createElement("span");
      left.className = "price";
      left.textContent = price;
      const right = document.createElement("span");
      right.textContent = quantity;
      const meter = document.createElement("meter");
      meter.max = most || 1;
      meter.value = Number(quantity);
      meter.setAttribute("aria-label", `share of the largest level at ${price}`);
      level.append(left, right);
      column.append(level, meter);
    }
    return column;
  }));
}

async function turn() {
  try {
    const status = await (await fetch("/status")).json();
    const bus = status.redis ? `${status.redis.kind} at ${status.redis.url}` : "no bus";
    byId("summary").textContent = `${status.version} · up ${Math.round(status.uptime_s)} s · bus: ${bus}`;
    showMarkets(status);
    showDelivery(status);
    showInstruments(status);
    await showBook();
    before = status;
  } catch {
    byId("summary").textContent = "the appliance does not answer; trying again";
  }
  setTimeout(turn, 1000);
}

turn();
