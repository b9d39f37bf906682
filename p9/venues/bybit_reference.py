"""Bybit's reference data beside the list of instruments: margin tiers, price limits, fee groups, system status.

 1. risk limits are told symbol by symbol here: a whole category has fifteen symbols a page
    (https://bybit-exchange.github.io/docs/v5/market/risk-limit). Their rates are fractions today, and were percents in old samples: the venue's own
    maxLeverage says which;
 2. interruptions under ten seconds are not announced (https://bybit-exchange.github.io/docs/v5/system-status). Service 5 is market data, 2 is HTTP;
 3. the status socket has a path of its own.
"""

from decimal import Decimal
from typing import Any

from p9.fact import Maintenance, Reading, Risk, Roster, Tier
from p9.number import EXACT, exact, plain
from p9.venue import Live, Market, Poll, Request

STATES = {"scheduled": "scheduled", "ongoing": "ongoing", "completed": "completed", "canceled": "canceled"}
DATA_SERVICES = {2, 5}
PLANNED = {1: True, 2: False, 3: False}


def _each(path: str) -> Any:
    def requests(market: Market, roster: Roster) -> list[Request]:
        return [
            Request(f"{market.rest_path}/{path}", market.rest_budget, 1, (("category", market.product), ("symbol", one.venue_symbol))) for one in roster
        ]

    return requests


def _result(answer: Any) -> dict[str, Any]:
    result = answer.get("result") if isinstance(answer, dict) else None
    return result if isinstance(result, dict) else {}


def read_tiers(market: Market, reading: Reading, answer: Any) -> None:
    tiers: dict[str, list[Tier]] = {}
    for row in reading.rows(_result(answer).get("list")):
        one = reading.instrument(row, "symbol")
        most = reading.price(row, "riskLimitValue")
        if one is None or not isinstance(most, str):
            continue
        leverage = reading.price(row, "maxLeverage")
        initial, maintenance = (_rate(reading, row, key) for key in ("initialMargin", "maintenanceMargin"))
        if initial is not None and isinstance(leverage, str) and EXACT.multiply(initial, exact(leverage)) > 10:  # rule 1: percents
            initial, maintenance = initial / 100, maintenance / 100 if maintenance is not None else None
        tiers.setdefault(one.venue_symbol, []).append(
            Tier(
                most=most, unit=one.base if one.contract == "inverse" else one.quote, initial_margin=None if initial is None else plain(initial),
                maintenance_margin=None if maintenance is None else plain(maintenance), most_leverage=leverage if isinstance(leverage, str) else None,
            )
        )  # fmt: skip
    reading.facts += [Risk(venue_symbol=name, tiers=tuple(sorted(rows, key=lambda tier: exact(tier.most)))) for name, rows in tiers.items()]


def _rate(reading: Reading, row: dict[str, Any], key: str) -> Decimal | None:
    text = reading.number(row, key)
    return exact(text) if isinstance(text, str) else None


def read_limits(market: Market, reading: Reading, answer: Any) -> None:
    for row in reading.rows([_result(answer)]):
        one = reading.instrument(row, "symbol")
        if one is not None:
            reading.facts.append(
                Risk(
                    venue_symbol=one.venue_symbol, highest_bid=reading.price(row, "buyLmt"), lowest_ask=reading.price(row, "sellLmt"),
                    at_ns=reading.at(row, "ts"),
                )
            )  # fmt: skip


def groups_request(market: Market, roster: Roster) -> list[Request]:
    return [Request(f"{market.rest_path}/fee-group-info", market.rest_budget, 1, (("productType", "contract"),))]


def read_groups(market: Market, reading: Reading, answer: Any) -> None:
    group_of: dict[str, str] = {}
    for row in reading.rows(_result(answer).get("list")):
        name = row.get("groupName")
        if isinstance(name, str):
            group_of |= dict.fromkeys(reading.texts(row, "symbols"), name[:64])
    if group_of:
        reading.facts += [Risk(venue_symbol=one.venue_symbol, fee_group=group_of.get(one.venue_symbol)) for one in reading.roster]


def status_request(market: Market, roster: Roster) -> list[Request]:
    return [Request("/v5/system/status", market.rest_budget)]


def read_status(market: Market, reading: Reading, answer: Any) -> None:
    for row in reading.rows(_result(answer).get("list")):
        _maintenance(reading, row)


def read_pushed_status(market: Market, reading: Reading, frame: Any) -> None:
    for row in reading.rows(frame.get("data") if isinstance(frame, dict) else None):
        _maintenance(reading, row, reading.at(frame, "ts"))


def _maintenance(reading: Reading, row: dict[str, Any], at_ns: int | None = None) -> None:
    if str(row.get("env", 1)) != "1":  # of the demonstration systems
        return
    id, state = row.get("id"), STATES.get(str(row.get("state")), "unknown")
    if not isinstance(id, str) or not id:
        reading.reject("no_id", row)
        return
    if state == "unknown":
        reading.reject("unknown_enum", row.get("state"))
    services = row.get("serviceTypes")
    data = not isinstance(services, list) or not services or bool(DATA_SERVICES & {int(n) for n in services if str(n).isdecimal()})
    kind = row.get("maintainType")
    reading.facts.append(
        Maintenance(
            id=id, title=str(row.get("title", ""))[:200], state=state, data=data, begins_ns=reading.at(row, "begin"), ends_ns=reading.at(row, "end"),
            planned=PLANNED.get(int(kind)) if str(kind).isdecimal() else None, at_ns=at_ns,
        )
    )  # fmt: skip


STATUS = Poll("reference", status_request, read_status, of_exchange=True)
SPOT_POLLS = (STATUS, Poll("reference", _each("price-limit"), read_limits, every=10))
POLLS = (*SPOT_POLLS, Poll("reference", _each("risk-limit"), read_tiers, every=60), Poll("reference", groups_request, read_groups, every=60))
LIVE = (Live(("reference",), lambda market, roster: ["system.status"], read_pushed_status, route="status", of_exchange=True),)
