"""Mark and index price, funding and open interest of every contract, as Redis has them, against the simulator's."""

from decimal import Decimal
from typing import Any

from p9.instrument import Instrument
from p9.quicktest.trial import Trial

MS = 1_000_000
APART_MS = 10_000  # one venue tells mark and index in frames of their own: how old the older of them may be
SETTLED_S = 30.0  # within which open interest has to be what it is since the orders ended


async def check(trial: Trial) -> None:
    """While the simulator is frozen."""
    counts = {"mark_price": 0, "funding": 0, "open_interest": 0}
    wrong: list[str] = []
    for row in trial.instruments():
        if row.kind == "spot":
            continue
        for kind, judge in (("mark_price", _prices), ("funding", _funding), ("open_interest", _interest)):
            if not getattr(trial.appliance.config.analytics, kind).enabled or (kind == "funding" and row.kind != "perpetual"):
                continue
            counts[kind] += 1
            wrong += [f"{kind} of {row.market} {row.symbol}: {text}" for text in await judge(trial, row)]
    figure = ", ".join(f"{n} {kind}" for kind, n in counts.items())
    trial.note("every figure is the venue's", not wrong and all(counts.values()), "; ".join(wrong[:3]) or figure)


async def _event(trial: Trial, kind: str, row: Instrument) -> dict[str, Any] | None:
    section = getattr(trial.appliance.config.analytics, kind)
    return await trial.last(f"{section.publish_channel or kind}:{row.exchange}:{row.symbol}")


async def _truth(trial: Trial, row: Instrument, at_ns: int, back_ms: int = 0) -> dict[str, Any]:
    assert trial.simulator is not None
    return await trial.simulator.get(f"/oracle/{row.market}/{row.venue_symbol}/figures?at={at_ns // MS}&since={at_ns // MS - back_ms}")


async def _prices(trial: Trial, row: Instrument) -> list[str]:
    """The two may be of different moments shortly before the event's, to the decimals that this venue writes."""
    event = await _event(trial, "mark_price", row)
    if event is None or event["mark"] is None or event["index"] is None:
        return ["nobody told it"]
    path = (await _truth(trial, row, event["ts_event"], APART_MS))["path"]
    return [
        f"{event[name]} was never it"
        for place, name in enumerate(("mark", "index"))
        if not any(abs(Decimal(each[place]) - Decimal(event[name])) <= _half_a_digit(row, event[name]) for each in path)
    ]


def _half_a_digit(row: Instrument, text: str) -> Decimal:
    """What rounding to the digits that the venue writes may cost: trailing zeros are not published, so never more than half a tick."""
    return min(Decimal(row.tick), Decimal(1).scaleb(min(Decimal(text).as_tuple().exponent, 0))) / 2 if "." in text else Decimal(row.tick) / 2


async def _funding(trial: Trial, row: Instrument) -> list[str]:
    event = await _event(trial, "funding", row)
    if event is None:
        return ["nobody told it"]
    told = (await _truth(trial, row, event["ts_event"]))["funding"]
    yearly = Decimal(told["rate"]) * 365 * 86_400_000 / told["interval_ms"]
    return [
        f"{name} is {event[name]}, not {true}"
        for name, true in (("next_time", told["next_ms"] * MS), ("interval_seconds", told["interval_ms"] // 1000))
        if event[name] != true
    ] + [
        f"{name} is {event[name]}, not {true}"
        for name, true in (("rate", Decimal(told["rate"])), ("annualised", yearly))
        if event[name] is None or Decimal(event[name]) != true
    ]


async def _interest(trial: Trial, row: Instrument) -> list[str]:
    """It stands still, and whoever is asked tells it by and by."""
    true = await _truth(trial, row, trial.appliance.clock.now())
    amount = Decimal(true["open_interest"]) * Decimal(true["contract_value"])
    exact = "quote" if row.contract == "inverse" else "base"

    async def look() -> list[str]:
        event = await _event(trial, "open_interest", row)
        if event is None or event["contracts"] is None or event[exact] is None:
            return ["nobody told it"]
        pairs = ((event["contracts"], Decimal(true["open_interest"])), (event[exact], amount))
        return [f"{ours} is not {theirs}" for ours, theirs in pairs if Decimal(ours) != theirs] + ([] if event["sides"] == "one" else ["both sides"])

    return await trial.settled(look, SETTLED_S)
