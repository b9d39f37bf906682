"""What is made of trades, while nobody trades: the trades themselves, forming candles, cumulative volume delta; each against the simulator's tape and its klines."""

import asyncio
from decimal import Decimal
from typing import Any

from cext.grid import SECONDS

from p9.instrument import Instrument
from p9.quicktest.amounts import native
from p9.quicktest.candles import same_fields
from p9.quicktest.trial import Trial

MS = 1_000_000
SETTLED_S = 20.0
TAPE = 20_000

Bars = dict[int, dict[str, Any]]


async def check(trial: Trial) -> None:
    """While the simulator is frozen."""
    for name, kind, judge in (
        ("every trade is the tape's", "trades", _trades), ("every forming candle is the venue's kline", "candles_open", _forming), ("cumulative volume delta is the tape's", "cvd", _delta),
    ):  # fmt: skip
        if not trial.enabled(kind):
            continue
        n = 0

        async def look(judge: Any = judge) -> list[str]:
            nonlocal n
            n, wrong = 0, []
            for row in trial.instruments():
                some, unlike = await judge(trial, row)
                n += some
                wrong += [f"{row.market} {row.symbol}: {text}" for text in unlike]
            return wrong

        wrong = await trial.settled(look, SETTLED_S)
        trial.note(name, n and not wrong, "; ".join(wrong[:3]) or f"{n:,}")


async def waits(trial: Trial, row: Instrument) -> bool:
    """Whether trades of it are known to be missing and not fetched yet: the venue's budget may let nobody ask before the next minute."""
    events = await trial.stream(f"{trial.word('gaps')}:{row.exchange}:{row.symbol}")
    states = {event["gap"]: event["state"] for event in events if event["kind"] == "trades"}
    return "open" in states.values()


def _folds(trial: Trial, row: Instrument) -> bool:
    return trial.appliance.captures[row.market].folds_ms > 0


async def _trades(trial: Trial, row: Instrument) -> tuple[int, list[str]]:
    """Each one is one fill, or all those whose numbers it says it stands for, at one price and of one side; and from the first one on each fill is told once."""
    assert trial.simulator is not None
    events = await trial.stream(f"{trial.word('trades')}:{row.exchange}:{row.symbol}")
    tape = await trial.simulator.get(f"/oracle/{row.market}/{row.venue_symbol}/trades?limit={TAPE}")
    return await asyncio.to_thread(_unlike, events, tape, await waits(trial, row))


def _unlike(events: list[dict[str, Any]], tape: list[list[Any]], waits: bool) -> tuple[int, list[str]]:
    place = {fill[0]: n for n, fill in enumerate(tape)}
    times_told = [0] * len(tape)
    found = []
    for event in events:
        if event.get("block") or event.get("off_book"):
            continue
        ids = [str(event.get(name) or event["trade_id"]) for name in ("first_trade_id", "last_trade_id")]
        first, last = (place.get(each) for each in ids)
        fills = tape[first : last + 1] if first is not None and last is not None else []
        true = (event["side"], Decimal(event["price"]), native(event), event["ts_event"] // MS)
        size = sum(Decimal(fill[2]) for fill in fills)
        if not fills or any((fill[3], Decimal(fill[1])) != true[:2] for fill in fills) or (size, fills[-1][4] // MS) != true[2:]:
            found.append(f"trade {event['trade_id']} was never made like that")
            continue
        for n in range(first, last + 1):
            times_told[n] += 1
    begins = next((n for n, times in enumerate(times_told) if times), len(tape))
    found += [f"trade {tape[n][0]} was told {times} times" for n, times in enumerate(times_told) if n >= begins and times != 1 and not (waits and not times)]
    return len(events), found


async def _bars(trial: Trial, row: Instrument, timeframe: str, open_ms: int) -> tuple[Bars, int]:
    """This one and the one before, by when they opened, and from which opening on they are whole. No venue has those between a second and a minute: they are
    put together of seconds, which begin with the simulator."""
    assert trial.simulator is not None
    length_ms = SECONDS[timeframe] * 1000
    known = timeframe == "1s" or length_ms >= 60_000
    bars = await trial.simulator.get(f"/oracle/{row.market}/{row.venue_symbol}/klines?interval={timeframe if known else '1s'}&start={open_ms - length_ms}")
    found: Bars = {}
    for bar in bars:
        if not bar["trades"]:
            continue
        at_ms = bar["open_ms"] if known else bar["open_ms"] // length_ms * length_ms
        found[at_ms] = _joined(found[at_ms], bar) if at_ms in found else bar
    return found, 0 if known else min((bar["open_ms"] for bar in bars), default=open_ms) + 1000


def _joined(one: dict[str, Any], next_: dict[str, Any]) -> dict[str, Any]:
    sums = {name: Decimal(str(one[name])) + Decimal(str(next_[name])) for name in ("volume", "value", "buy_volume", "buy_value")}
    highest, lowest = (best(one[name], next_[name], key=Decimal) for name, best in (("high", max), ("low", min)))
    return one | sums | {"high": highest, "low": lowest, "close": next_["close"]}


async def _forming(trial: Trial, row: Instrument) -> tuple[int, list[str]]:
    """Left out are markets that fold their trades, as with closed ones."""
    if _folds(trial, row):
        return 0, []
    n, found = 0, []
    for timeframe in SECONDS:
        event = await trial.last(f"{trial.word('candles_open')}:{row.exchange}:{row.symbol}:{timeframe}")
        if event is None or not event["complete"] or "maybe_bad" in event.get("flags", ()):
            continue
        open_ms = event["open_time"] // MS
        bars, whole_ms = await _bars(trial, row, timeframe, open_ms)
        if open_ms < whole_ms:
            continue
        bar = bars.get(open_ms)
        n += 1
        fields = [pair for pair in same_fields(row.contract) if pair[0] == "close" or "rounded" not in event.get("flags", ()) or not pair[0].endswith("volume")]
        unlike = ["it is none"] if bar is None else [f"{ours} {event[ours]}, not {bar[theirs]}" for ours, theirs in fields if event[ours] is not None and Decimal(event[ours]) != Decimal(str(bar[theirs]))]
        found += [f"{timeframe}: {text}" for text in unlike[:1]]
    return n, found


async def _delta(trial: Trial, row: Instrument) -> tuple[int, list[str]]:
    """Bought less sold of the forming interval and the one before, in the unit that the venue counts in."""
    if _folds(trial, row):
        return 0, []
    n, found = 0, []
    delta, previous = ("delta", "previous_delta") if row.contract == "base" else ("contracts_delta", "contracts_previous")
    for timeframe in SECONDS:
        event = await trial.last(f"{trial.word('cvd')}:{row.exchange}:{row.symbol}:{timeframe}")
        if event is None:
            found.append(f"{timeframe}: nobody told it")
            continue
        open_ms = event["open_time"] // MS
        bars, whole_ms = await _bars(trial, row, timeframe, open_ms)
        for name, whole, at_ms in ((delta, event["complete"], open_ms), (previous, event["previous_complete"], open_ms - SECONDS[timeframe] * 1000)):
            if not whole or event[name] is None or at_ms < whole_ms:
                continue
            n += 1
            bar = bars.get(at_ms)
            true = 2 * Decimal(str(bar["buy_volume"])) - Decimal(str(bar["volume"])) if bar is not None else Decimal(0)
            if Decimal(event[name]) != true:
                found.append(f"{timeframe}: {name} is {event[name]}, not {true}")
    return n, found
