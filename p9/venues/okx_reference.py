"""OKX's reference data beside the list of instruments: margin tiers, price limits, system status, and the push that says that the list changed.

 1. the `instruments` channel may push changed rows only, or all of them, and leaves out nobody by saying nothing: it is a sign to read the list again;
 2. work on bots, copy trading or blocks does not concern market data: `serviceType` 0 (WebSocket), 5 and 9 (trading), 99 (other) may;
 3. status has no id: what names it is its beginning and title; it may be asked once in five seconds.
"""

from typing import Any

from p9.budget import Budget
from p9.fact import Maintenance, Reading, Relisted, Risk, Roster, Tier
from p9.number import exact
from p9.venue import Live, Market, Poll, Request

STATES = {"scheduled": "scheduled", "ongoing": "ongoing", "pre_open": "ongoing", "completed": "completed", "canceled": "canceled"}
DATA_SERVICES = {"0", "5", "9", "99"}
PLANNED = {"1": True, "2": False, "3": False}


def _rows(reading: Reading, answer: Any) -> Any:
    return reading.rows(answer.get("data") if isinstance(answer, dict) else None)


def tiers_requests(market: Market, roster: Roster) -> list[Request]:
    budget = Budget(f"okx position tiers {market.product}", 10, 2.0)
    families = sorted({one.family for one in roster if one.family})
    return [
        Request("/api/v5/public/position-tiers", budget, 1, (("instType", market.product), ("tdMode", "cross"), ("instFamily", family)))
        for family in families
    ]


def read_tiers(market: Market, reading: Reading, answer: Any) -> None:
    """Sizes are contracts; a family's tiers are those of all of its contracts."""
    tiers: dict[str, list[Tier]] = {}
    for row in _rows(reading, answer):
        family, most = row.get("instFamily") or row.get("uly"), reading.price(row, "maxSz")
        if not isinstance(family, str) or not isinstance(most, str):
            continue
        values = [reading.number(row, key) for key in ("imr", "mmr", "maxLever")]
        initial, maintenance, leverage = (value if isinstance(value, str) else None for value in values)
        tiers.setdefault(family, []).append(
            Tier(most=most, unit="contracts", initial_margin=initial, maintenance_margin=maintenance, most_leverage=leverage)
        )
    for one in reading.roster:
        if one.family in tiers:
            rows = sorted(tiers[one.family], key=lambda tier: exact(tier.most))
            reading.facts.append(Risk(venue_symbol=one.venue_symbol, tiers=tuple(rows)))


def limits_requests(market: Market, roster: Roster) -> list[Request]:
    budget = Budget("okx price limits", 20, 2.0)
    return [Request("/api/v5/public/price-limit", budget, 1, (("instId", one.venue_symbol),)) for one in roster]


def read_limits(market: Market, reading: Reading, answer: Any) -> None:
    for row in _rows(reading, answer):
        one = reading.instrument(row, "instId")
        if one is not None:
            reading.facts.append(
                Risk(
                    venue_symbol=one.venue_symbol, highest_bid=reading.price(row, "buyLmt"), lowest_ask=reading.price(row, "sellLmt"),
                    at_ns=reading.at(row, "ts"),
                )
            )  # fmt: skip


def status_request(market: Market, roster: Roster) -> list[Request]:
    return [Request("/api/v5/system/status", Budget("okx status", 1, 5.5))]


def read_status(market: Market, reading: Reading, answer: Any) -> None:
    for row in _rows(reading, answer):
        if str(row.get("env", "1")) not in ("1", ""):
            continue
        state, title, begin = STATES.get(str(row.get("state")), "unknown"), str(row.get("title", ""))[:200], row.get("begin")
        if not isinstance(begin, str) or not begin:
            reading.reject("no_id", row)
            continue
        if state == "unknown":
            reading.reject("unknown_enum", row.get("state"))
        reading.facts.append(
            Maintenance(
                id=f"{begin} {title}", title=title, state=state, data=str(row.get("serviceType")) in DATA_SERVICES, begins_ns=reading.at(row, "begin"),
                ends_ns=reading.at(row, "end"), planned=PLANNED.get(str(row.get("maintType"))), at_ns=reading.at(row, "ts"),
            )
        )  # fmt: skip


def read_pushed_instruments(market: Market, reading: Reading, frame: Any) -> None:
    """One sign for all that a push holds."""
    for row in _rows(reading, frame):
        if isinstance(row.get("instId"), str):
            reading.facts.append(Relisted(row["instId"]))
            return


STATUS = Poll("reference", status_request, read_status, of_exchange=True)
SPOT_POLLS = (STATUS, Poll("reference", limits_requests, read_limits, every=10))
POLLS = (*SPOT_POLLS, Poll("reference", tiers_requests, read_tiers, every=60))
LIVE = (
    Live(("reference",), lambda market, roster: [f"instruments:instType={market.product}"], read_pushed_instruments),
    Live(("reference",), lambda market, roster: ["status"], read_status, of_exchange=True),
)
