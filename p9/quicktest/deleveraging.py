"""Every venue that tells whether it deleverages says that it does, once its insurance pools have lost what was planted."""

from decimal import Decimal

from p9.quicktest.trial import Trial

SETTLED_S = 20.0


async def check(trial: Trial) -> None:
    if not trial.appliance.config.analytics.adl.enabled:
        return
    channels = [f"{trial.word('adl')}:{exchange}:{symbol}" for kind, exchange, symbol in sorted(trial.caused) if kind == "adl"]

    async def look() -> list[str]:
        newest = {channel: events[-1] for channel in channels if (events := await trial.stream(channel))}
        states = {channel: event["state"] for channel, event in newest.items() if event["state"] is not None}  # one venue tells its likelihood alone
        venues = {channel.split(":")[1] for channel in states}
        wrong = [f"{channel} is {state}" for channel, state in states.items() if state != "adl"]
        for channel, event in newest.items():
            if event["balance"] is not None and event["ts_event"] is not None:
                assert trial.simulator is not None
                rows = await trial.simulator.get(f"/oracle/insurance?at={event['ts_event'] // 1_000_000}")
                true = {row["balance"] for row in rows if row["venue"] == event["exchange"] and event["venue_symbol"] in row["symbols"]}
                if Decimal(event["balance"]) not in set(map(Decimal, true)):
                    wrong.append(f"{channel} has a pool of {event['balance']}, not {', '.join(sorted(true))}")
        return wrong + ([] if len(venues) > 1 else [f"only {', '.join(venues) or 'nobody'} tells it"])

    wrong = await trial.settled(look, SETTLED_S)
    trial.note("deleveraging is told where it is", not wrong and channels, "; ".join(wrong[:3]) or f"{len(channels)} contracts")
