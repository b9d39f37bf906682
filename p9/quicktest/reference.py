"""The reference document of each venue against the simulator's listings."""

from decimal import Decimal

from p9.quicktest.trial import Trial


async def check(trial: Trial) -> None:
    assert trial.simulator is not None
    if not trial.appliance.config.analytics.reference.enabled:
        return
    wrong: list[str] = []
    n = 0
    for exchange in sorted({row.exchange for row in trial.instruments()}):
        event = await trial.last(f"{trial.word('reference')}:{exchange}:-")
        rows = {(row["market"], row["venue_symbol"]): row for row in event["instruments"]} if event is not None else {}
        for one in trial.instruments():
            if one.exchange != exchange:
                continue
            n += 1
            row, true = rows.pop((one.market, one.venue_symbol), None), await trial.simulator.get(f"/oracle/{one.market}/{one.venue_symbol}/figures")
            if row is None:
                wrong.append(f"{one.market} {one.symbol} is not listed")
                continue
            pairs = [("tick", true["tick"]), *([("contract_value", true["contract_value"])] if row["contract"] != "base" else [])]
            wrong += [f"{one.market} {one.symbol}: {name} is {row[name]}, not {theirs}" for name, theirs in pairs if Decimal(row[name]) != Decimal(theirs)]
        wrong += [f"{market} {symbol} is not captured" for market, symbol in rows]
    trial.note("reference data are the venue's", n and not wrong, "; ".join(wrong[:3]) or f"{n} instruments")
