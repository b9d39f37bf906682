"""The venues' insurance pools as Redis has them, against what the simulator knows of each at the time that the venue tells."""

from decimal import Decimal

from p9.quicktest.trial import Trial

SETTLED_S = 20.0
DECLINE_PERCENT = 40  # of every insurance pool: more than what venues deleverage at
DRIFT_PERCENT = 0.1  # pools are never still


async def check(trial: Trial) -> None:
    assert trial.simulator is not None
    wanted = trial.appliance.config.analytics.insurance_fund_monitor
    if not wanted.enabled:
        return
    captured = {(row.exchange, row.venue_symbol) for row in trial.instruments()}
    keys = {
        (row["venue"], row["asset"])
        for row in await trial.simulator.get("/oracle/insurance")
        if row["venue"] in wanted.exchanges and any((row["venue"], symbol) in captured for symbol in row["symbols"])
    }
    wrong: list[str] = []
    n = 0
    for venue, asset in sorted(keys):

        async def look(venue: str = venue, asset: str = asset) -> list[str]:
            assert trial.simulator is not None
            nonlocal n
            event = await trial.last(f"{trial.word('insurance_fund')}:{venue}:{asset}")
            if event is None or not event["pools"]:
                return ["nobody told it"]
            found = []
            for pool in event["pools"]:
                n += 1
                rows = await trial.simulator.get(f"/oracle/insurance?at={pool['as_of'] // 1_000_000}")
                true = next((Decimal(row["balance"]) for row in rows if (row["venue"], row["asset"], row["pool"]) == (venue, asset, pool["pool"])), None)
                if true != Decimal(pool["balance"]):
                    found.append(f"{pool['pool']} has {pool['balance']}, not {true}")
            if Decimal(event["total"]) != sum(Decimal(pool["balance"]) for pool in event["pools"]):
                found.append(f"the total is {event['total']}")
            return found

        wrong += [f"{venue} {asset}: {text}" for text in await trial.settled(look, SETTLED_S)]
    trial.note("every insurance pool is the venue's", keys and not wrong, "; ".join(wrong[:3]) or f"{n} balances of {len(keys)} funds")
    await check_alerts(trial)


async def check_alerts(trial: Trial) -> None:
    """Of each fund that lost what was planted: a pool's balance at the time that it tells, and a decline of no less than the loss."""
    assert trial.simulator is not None
    funds = sorted((exchange, asset) for kind, exchange, asset in trial.caused if kind == "insurance_alerts")
    if not funds:
        return
    wrong: list[str] = []
    n = 0
    for venue, asset in funds:
        events = await trial.stream(f"{trial.word('insurance_alerts')}:{venue}:{asset}")
        declines = [event["decline_1h_percent"] for event in events if event["kind"] == "fast_decline"]
        before = any(event["kind"] == "fast_decline" and event["ts_pub"] < trial.declined_ns for event in events)  # by what was known of yesterday: it goes on
        if not before and not any(abs(float(decline)) >= DECLINE_PERCENT - DRIFT_PERCENT for decline in declines):
            wrong.append(f"{venue} {asset}: declines of {', '.join(map(str, declines)) or 'nothing'}, not of {DECLINE_PERCENT} %")
        for event in events:
            n += 1
            rows = await trial.simulator.get(f"/oracle/insurance?at={event['as_of'] // 1_000_000}")
            true = [row["balance"] for row in rows if (row["venue"], row["asset"], row["pool"]) == (venue, asset, event["pool"])]
            if not true or Decimal(event["balance"]) != Decimal(true[0]):
                wrong.append(f"{venue} {asset}: {event['pool']} had {event['balance']}, not {', '.join(true) or 'such a name'}")
    trial.note("declines of insurance pools are told, as they were", not wrong, "; ".join(wrong[:3]) or f"{n} of {len(funds)} funds")
