"""What is made of a book, while it stands still: best prices, increments, snapshots, depth by distance; each against the simulator's book."""

from decimal import Decimal
from typing import Any

from p9.instrument import Instrument
from p9.quicktest.amounts import amounts
from p9.quicktest.channels import shared
from p9.quicktest.trial import Trial

SETTLED_S = 20.0
EDGE = 0.02  # bps by which a level may lie on either side of a band's end
DIGITS = 1e-5  # a JSON number has six
SIDES = ("bids", "asks")

Levels = list[tuple[Decimal, Decimal]]


async def check(trial: Trial) -> None:
    """While the simulator is frozen."""
    assert trial.simulator is not None
    books: dict[Instrument, dict[str, Levels]] = {}
    for row in trial.instruments():
        truth = await trial.simulator.get(f"/oracle/{row.market}/{row.venue_symbol}")
        books[row] = {side: [(Decimal(level[0]), Decimal(level[1])) for level in truth[side]] for side in SIDES}
    for kind, judge in (("book_ticker", _ticker), ("depth", _depth), ("snapshots", _snapshot), ("liquidity", _liquidity)):
        if not trial.enabled(kind):
            continue

        async def look(kind: str = kind, judge: Any = judge) -> list[str]:
            wrong = [f"{row.market} {row.symbol}: {text}" for row, book in books.items() for text in await judge(trial, row, book)]
            return wrong + ([text for symbol in shared(trial) for text in await _over_venues(trial, symbol, books)] if kind == "book_ticker" else [])

        wrong = await trial.settled(look, SETTLED_S)
        trial.note(f"{kind} is the true book's", not wrong, "; ".join(wrong[:3]) or f"{len(books)} books" + (f", {len(shared(trial))} over venues" if kind == "book_ticker" else ""))


async def _last(trial: Trial, kind: str, exchange: str, symbol: str) -> dict[str, Any] | None:
    return await trial.last(f"{trial.word(kind)}:{exchange}:{symbol}")


async def _ticker(trial: Trial, row: Instrument, book: dict[str, Levels]) -> list[str]:
    event = await _last(trial, "book_ticker", row.exchange, row.symbol)
    if event is None:
        return ["nobody told it"]
    (bid, bid_size), (ask, ask_size) = (book[side][0] for side in SIDES)
    true = {
        "bid_price": bid, "ask_price": ask, "bid_quantity": amounts(row, bid_size, bid)[0], "ask_quantity": amounts(row, ask_size, ask)[0], "spread": ask - bid, "mid": (bid + ask) / 2,
    } | ({"bid_contracts": bid_size, "ask_contracts": ask_size} if row.contract != "base" else {})  # fmt: skip
    found = [f"{name} is {event[name]}, not {value}" for name, value in true.items() if event[name] is None or Decimal(event[name]) != value]
    skew = float((bid_size - ask_size) / (bid_size + ask_size))
    return found + ([] if abs(event["imbalance"] - skew) <= DIGITS else [f"an imbalance of {event['imbalance']}, not {skew:.6f}"])


async def _over_venues(trial: Trial, symbol: str, books: dict[Instrument, dict[str, Levels]]) -> list[str]:
    """Of the venues that are live: which are said to be. One that says nothing for some seconds is none."""
    event = await _last(trial, "book_ticker", "all", symbol)
    if event is None:
        return [f"all {symbol}: nobody told it"]
    live = {part["exchange"]: part for part in event["venues"] if part["state"] == "live"}
    tops: dict[str, dict[str, tuple[Decimal, Decimal]]] = {}
    for row, book in books.items():
        if row.symbol == symbol and row.exchange in live:
            tops[row.exchange] = {side: (book[side][0][0], amounts(row, book[side][0][1], book[side][0][0])[0]) for side in SIDES}
    if not tops:
        return [f"all {symbol}: no venue is live"]
    found = [
        f"all {symbol}: {exchange}'s {name} is {live[exchange][f'{name}_price']}"
        for exchange, top in tops.items() for name, side in (("bid", "bids"), ("ask", "asks")) if Decimal(live[exchange][f"{name}_price"]) != top[side][0]
    ]  # fmt: skip
    for name, side, best in (("bid", "bids", max), ("ask", "asks", min)):
        price = best(top[side][0] for top in tops.values())
        size, exchange = max((top[side][1], exchange) for exchange, top in tops.items() if top[side][0] == price)
        if (Decimal(event[f"{name}_price"]), Decimal(event[f"{name}_quantity"])) != (price, size) or event[f"{name}_exchange"] not in tops:
            found.append(f"all {symbol}: the best {name} is {event[f'{name}_price']} of {event[f'{name}_exchange']}, not {price} of {exchange}")
    return found


async def _depth(trial: Trial, row: Instrument, book: dict[str, Levels]) -> list[str]:
    """The newest increment: what it says of a price is what stands there now, as deep as the venue tells: a level that sinks below is taken away."""
    assert trial.watcher is not None
    event = trial.watcher.depths.get(f"{trial.word('depth')}:{row.exchange}:{row.symbol}")
    if event is None:
        return ["nobody told it"]
    found = []
    for side in SIDES:
        true = dict(book[side])
        edge = book[side][: trial.appliance.captures[row.market].depth][-1][0]
        told = [(Decimal(px), Decimal(qty)) for px, qty in event[side]]
        found += [
            f"{qty} at {px}, not {true.get(px, 0)}"
            for px, qty in told
            if true.get(px, Decimal(0)) != qty and (qty or (px >= edge if side == "bids" else px <= edge))
        ]
    return found


async def _snapshot(trial: Trial, row: Instrument, book: dict[str, Levels]) -> list[str]:
    event = await _last(trial, "snapshots", row.exchange, row.symbol)
    if event is None:
        return ["nobody told it"]
    found = []
    for side, edge, sign in (("bids", event["valid_bid"], 1), ("asks", event["valid_ask"], -1)):
        ours = [(Decimal(px), Decimal(qty)) for px, qty in event[side]]
        true = [level for level in book[side] if edge is None or (level[0] - Decimal(edge)) * sign >= 0][: len(ours)]
        if ours != true or len(ours) < 300:
            found.append(f"{sum(a != b for a, b in zip(ours, true, strict=False))} of {len(ours)} {side} differ, {len(true)} are true")
    return found


async def _liquidity(trial: Trial, row: Instrument, book: dict[str, Levels]) -> list[str]:
    event = await _last(trial, "liquidity", row.exchange, row.symbol)
    if event is None or event["mid"] is None:
        return ["nobody told it"]
    mid = (book["bids"][0][0] + book["asks"][0][0]) / 2
    found = [] if Decimal(event["mid"]) == mid else [f"a mid of {event['mid']}, not {mid}"]
    for side, told in (("bids", event["bid_depth"]), ("asks", event["ask_depth"])):
        for bps, value in zip(event["bands_bps"], told, strict=True):
            if value is None:
                continue
            least, most = (float(sum(amounts(row, qty, px)[1] for px, qty in book[side] if abs(px / mid - 1) * 10_000 <= Decimal(bps + by))) for by in (-EDGE, EDGE))
            if not least * (1 - DIGITS) <= value <= most * (1 + DIGITS):
                found.append(f"{value} of {side} within {bps} bps, not {most:.6g}")
    return found
