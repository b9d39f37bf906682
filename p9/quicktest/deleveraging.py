"""Every venue that tells whether it deleverages says that it does, once its insurance pools have lost what was planted, and every word and balance is the pools'."""

from decimal import Decimal
from typing import Any

from p9.quicktest.trial import Trial

SETTLED_S = 20.0
ANSWER_NS = 1_000_000_000  # that an answer by REST may take


async def check(trial: Trial) -> None:
    if not trial.appliance.config.analytics.adl.enabled:
        return
    channels = [f"{trial.word('adl')}:{exchange}:{symbol}" for kind, exchange, symbol in sorted(trial.caused) if kind == "adl"]

    async def look() -> list[str]:
        newest = {channel: events[-1] for channel in channels if (events := await trial.stream(channel))}
        states = {channel: event["state"] for channel, event in newest.items() if event["state"] is not None}  # one venue tells its likelihood alone
        venues = {channel.split(":")[1] for channel in states}
        wrong = [f"{channel} is {state}" for channel, state in states.items() if state != "adl"]
        wrong += [f"{channel} {text}" for channel, event in newest.items() for text in await _unlike(trial, event)]
        return wrong + ([] if len(venues) > 1 else [f"only {', '.join(venues) or 'nobody'} tells it"])

    wrong = await trial.settled(look, SETTLED_S)
    trial.note("deleveraging is told where it is", not wrong and channels, "; ".join(wrong[:3]) or f"{len(channels)} contracts")


async def _unlike(trial: Trial, event: dict[str, Any]) -> list[str]:
    """Its pool's balance, or the venue's word for how likely it is, as it was when the venue said so."""
    assert trial.simulator is not None
    wrong: list[str] = []
    if event["balance"] is not None and event["ts_event"] is not None:
        true = {row["balance"] for row in await _pools(trial, event, event["ts_event"])}
        if Decimal(event["balance"]) not in set(map(Decimal, true)):
            wrong.append(f"has a pool of {event['balance']}, not {', '.join(sorted(true))}")
    if event["risk"] is not None:
        words = {_word(await _pools(trial, event, event["ts_recv"] - age_ns)) for age_ns in (0, ANSWER_NS)}
        if event["risk"] not in words:
            wrong.append(f"says {event['risk']}, not {' or '.join(sorted(words))}")
    return wrong


async def _pools(trial: Trial, event: dict[str, Any], at_ns: int) -> list[dict[str, Any]]:
    """Those that stand for its contract."""
    assert trial.simulator is not None
    rows = await trial.simulator.get(f"/oracle/insurance?at={at_ns // 1_000_000}")
    return [row for row in rows if row["venue"] == event["exchange"] and event["venue_symbol"] in row["symbols"]]


def _word(pools: list[dict[str, Any]]) -> str:
    """Of the worst of them: high from a loss of three tenths of what it had, medium from one (p9/simulate/adl.py)."""
    kept = min((Decimal(row["balance"]) / Decimal(row["had"]) for row in pools), default=Decimal(1))
    return "high" if kept <= Decimal("0.7") else "medium" if kept <= Decimal("0.9") else "low"
