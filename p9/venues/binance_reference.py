"""Binance's reference data beside the list of instruments: deleveraging risk, system status, trading hours, and the push that says that the list changed.

 1. `!contractInfo` tells of a contract's status, last day and brackets: then exchangeInfo is read again;
 2. leverage brackets and fees need a key: they are not here;
 3. spot and crypto contracts trade around the clock; what stands on shares or commodities has sessions
    (https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Trading-Schedule).
"""

from typing import Any

from p9.budget import Budget
from p9.fact import Maintenance, Reading, Relisted, Risk, Roster, Session
from p9.venue import Live, Market, Poll, Request

SYSTEM_REQUESTS = Budget("binance system requests", 600, 60.0)
SYSTEM = "system"


def status_request(market: Market, roster: Roster) -> list[Request]:
    return [Request("/sapi/v1/system/status", SYSTEM_REQUESTS)]


def read_status(market: Market, reading: Reading, answer: Any) -> None:
    """0: normal, 1: maintenance. It tells nothing else."""
    status = answer.get("status") if isinstance(answer, dict) else None
    if status not in (0, 1):
        reading.reject("unknown_enum", answer)
        return
    state = "ongoing" if status else "completed"
    reading.facts.append(Maintenance(id=SYSTEM, title=str(answer.get("msg", ""))[:200] or SYSTEM, state=state, data=True))


def risk_request(market: Market, roster: Roster) -> list[Request]:
    return [Request(f"{market.rest_path}/symbolAdlRisk", market.rest_budget, 1)]


def read_risk(market: Market, reading: Reading, answer: Any) -> None:
    for row in reading.rows(answer if isinstance(answer, list) else [answer]):
        one = reading.instrument(row, "symbol")
        if one is not None:
            risk = row.get("adlRisk")
            if risk not in ("low", "medium", "high"):
                reading.reject("unknown_enum", risk)
            reading.facts.append(Risk(venue_symbol=one.venue_symbol, adl_risk=risk if isinstance(risk, str) else None, at_ns=reading.at(row, "updateTime")))


def schedule_request(market: Market, roster: Roster) -> list[Request]:
    return [Request(f"{market.rest_path}/tradingSchedule", market.rest_budget, 5)]


def read_schedule(market: Market, reading: Reading, answer: Any) -> None:
    kinds = answer.get("marketSchedules") if isinstance(answer, dict) else None
    if not isinstance(kinds, dict):
        reading.reject("no_object", answer)
        return
    for underlying, schedule in kinds.items():
        for row in reading.rows(schedule.get("sessions", []) if isinstance(schedule, dict) else schedule):
            begins_ns, ends_ns = reading.at(row, "startTime"), reading.at(row, "endTime")
            if begins_ns is not None and ends_ns is not None:
                reading.facts.append(Session(underlying=str(underlying)[:32], kind=str(row.get("type"))[:32], begins_ns=begins_ns, ends_ns=ends_ns))


def read_contract(market: Market, reading: Reading, frame: Any) -> None:
    data = frame.get("data", frame) if isinstance(frame, dict) else frame
    for row in reading.rows(data if isinstance(data, list) else [data]):
        name = row.get("s")
        if isinstance(name, str):
            reading.facts.append(Relisted(name))
        else:
            reading.reject("no_symbol", row)


SPOT_POLLS = (Poll("reference", status_request, read_status, of_exchange=True),)
POLLS = (
    Poll("reference", risk_request, read_risk, every=30),  # the venue makes it anew each half an hour
    Poll("reference", schedule_request, read_schedule, every=60),
)
LIVE = (Live(("reference",), lambda market, roster: ["!contractInfo"], read_contract, route="market"),)
