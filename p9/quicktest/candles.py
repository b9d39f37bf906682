"""Closed candles in the streams against the simulator's klines, which it computes apart.

Left out: markets that send trades folded over 100 ms: such a row may straddle the end of a candle, and no consumer of it can tell.
"""

from collections import Counter
from decimal import Decimal
from typing import Any

from p9.quicktest.trial import Trial

TIMEFRAMES = ("1s", "1m")


async def check(trial: Trial) -> None:
    assert trial.simulator is not None
    folded = {name for name, capture in trial.appliance.captures.items() if capture.folds_ms}
    n = 0
    wrong: list[str] = []
    for name, capture in trial.appliance.captures.items():
        if name in folded:
            continue
        for row in capture.instruments.values():
            for timeframe in TIMEFRAMES:
                rows = await trial.stream(f"candles:{row.exchange}:{row.symbol}:{timeframe}")
                ours = {candle["open_time"] // 1_000_000: candle for candle in rows}  # the last revision of each counts
                whole = [at_ms for at_ms, candle in ours.items() if not _partial(candle)]
                if not whole:
                    continue
                first_ms = min(whole)
                bars = await trial.simulator.get(f"/oracle/{name}/{row.venue_symbol}/klines?interval={timeframe}&start={first_ms}")
                for bar in bars:
                    candle = ours.get(bar["open_ms"])
                    if candle is None or not bar["closed"] or _partial(candle):
                        continue
                    n += 1
                    unlike = [
                        key for key, theirs in same_fields(row.contract)
                        if candle[key] is not None and Decimal(candle[key]) != Decimal(str(bar[theirs]))  # null: the venue's history does not tell
                    ]  # fmt: skip
                    if unlike:
                        wrong.append(f"{name} {row.symbol} {timeframe} at {bar['open_ms']}: {unlike[0]} {candle[unlike[0]]}")
    figure = f"{n:,} closed candles; left out: {', '.join(sorted(folded)) or 'none'}"
    trial.note("every candle is the venue's kline", not wrong and n > 0, "; ".join(wrong[:3]) or figure)


def check_history(trial: Trial) -> None:
    """The first candles, as far as the time was enough: where a venue has forgotten the trades, its own first minute must be over."""
    counts: Counter[str] = Counter()
    whole = 0
    status = trial.appliance.status()
    for row in status["markets"].values():
        counts.update(row["seeding"].get("counts", {}))
        whole += row["seeding"].get("stages", {}).get("whole", 0)
    n = len(status["instruments"])
    figure = f"of {whole} of {n} instruments; {counts['agreed']} seconds that both saw agree, {counts['conflicts']} do not"
    trial.note("first candles are whole, from history", counts["conflicts"] == 0 and (whole > 0 or trial.seconds < 20), figure)


def _partial(candle: dict[str, Any]) -> bool:
    return not candle["complete"] or "maybe_bad" in candle.get("flags", ())


def same_fields(contract: str) -> list[tuple[str, str]]:
    """(ours, the simulator's), by the unit that the venue counts in."""
    fields = [("open", "open"), ("high", "high"), ("low", "low"), ("close", "close")]
    if contract == "base":
        fields += [("volume", "volume"), ("buy_volume", "buy_volume"), ("quote_volume", "value"), ("buy_quote_volume", "buy_value")]
    return fields
