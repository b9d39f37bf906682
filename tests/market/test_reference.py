"""The reference document of one venue."""

import msgspec
from cext.clock import Clock
from cext.outbox import Outbox

from p9.fact import Maintenance, Risk, Roster, Session, Tier
from p9.market.listings import Change
from p9.market.reference import KEPT_CHANGES, Reference
from tests.cext.streams.published import published
from tests.venues.facts import instrument

S = 10**9
T = 1_790_000_000 * S
DAY = 86400 * S


class Desk:
    def __init__(self):
        self.told, self.noted = [], []
        self.clock = Clock(T)
        self.outbox = Outbox(self.clock, epoch=1)
        self.reference = Reference(
            "venue", self.outbox, tell=lambda kind, detail, **more: self.told.append((kind, more["state"], more["previous"])),
            note=lambda **change: self.noted.append(change),
        )  # fmt: skip
        self.roster = self.reference.rosters["okx_swap"] = Roster(
            [instrument("okx_swap", "B", symbol="ETH-USDT-PERP"), instrument("okx_swap", "A", symbol="BTC-USDT-PERP", expires_ns=T + DAY)]
        )

    def publish(self, now=T):
        self.clock.set(now)
        self.reference.publish(now)
        return published(self.outbox)


def change(kind="listed", symbol="X"):
    return Change(number=0, at_ns=T, kind=kind, market="okx_swap", symbol=symbol, venue_symbol=symbol)


def test_the_document_holds_who_is_captured_in_order_and_when_they_end():
    desk = Desk()
    desk.reference.touch()
    (event,) = desk.publish()
    assert event["channel"] == "reference:venue:-"
    assert [(row["symbol"], row["tick"], row["expires_time"]) for row in event["instruments"]] == [("BTC-USDT-PERP", "0.1", T + DAY), ("ETH-USDT-PERP", "0.1", None)]
    assert event["calendar"] == [{"kind": "delisting", "market": "okx_swap", "symbol": "BTC-USDT-PERP", "time": T + DAY}]
    assert desk.publish(T + S) == [], "nothing is new"


def test_changes_are_numbered_without_holes_kept_and_noted():
    desk = Desk()
    desk.reference.changed([change(symbol=f"S{n}") for n in range(60)])
    numbered = desk.reference.changed([change(symbol=f"T{n}") for n in range(60)])
    assert [row.number for row in numbered] == list(range(61, 121))
    (event,) = desk.publish()
    assert [row["number"] for row in event["changes"]] == list(range(21, 121)) and len(event["changes"]) == KEPT_CHANGES
    assert len(desk.noted) == 120 and desk.noted[0]["symbol"] == "S0"


def test_risk_is_merged_from_several_answers_and_told_of_the_captured_only():
    desk = Desk()
    tier = Tier(most="50", unit="contracts", initial_margin="0.01", maintenance_margin="0.004", most_leverage="100")
    desk.reference.take("okx_swap", [Risk(venue_symbol="A", tiers=(tier,)), Risk(venue_symbol="Z", adl_risk="low")], T)
    desk.reference.take("okx_swap", [Risk(venue_symbol="A", highest_bid="105", lowest_ask="95", at_ns=T)], T)
    (event,) = desk.publish()
    (risk,) = event["risk"]
    assert risk == {
        "market": "okx_swap", "symbol": "BTC-USDT-PERP", "tiers": [msgspec.to_builtins(tier)], "adl_risk": None, "highest_bid": "105", "lowest_ask": "95",
        "fee_group": None, "as_of": T,
    }  # fmt: skip
    desk.reference.take("okx_swap", [Risk(venue_symbol="A", highest_bid="105", lowest_ask="95", at_ns=T)], T)
    assert desk.publish() == [], "the same again"


def work(state, at=T, **more):
    return Maintenance(**({"id": "1", "title": "upgrade", "state": state, "data": True, "begins_ns": T, "ends_ns": T + S, "at_ns": at} | more))


def test_maintenance_of_market_data_is_told_when_it_begins_and_ends():
    desk = Desk()
    for n, state in enumerate(("scheduled", "scheduled", "ongoing", "ongoing", "completed", "completed")):
        desk.reference.take("okx_swap", [work(state, T + n)], T + n)
        assert desk.reference.under_maintenance() == (state == "ongoing")
    assert desk.told == [("maintenance", "ongoing", "scheduled"), ("maintenance", "completed", "ongoing")]
    (event,) = desk.publish()
    assert event["status"] == [{"id": "1", "title": "upgrade", "state": "completed", "market_data": True, "planned": None, "begins": T, "ends": T + S}]
    assert desk.publish(T + 2 * DAY)[0]["status"] == [], "and forgotten a day later"


def test_work_of_which_the_venue_tells_no_times_stays_for_a_day_when_it_is_over():
    """Its end was taken for 1970: it was gone from the document in the moment in which it was over."""
    desk = Desk()
    bare = {"begins_ns": None, "ends_ns": None}
    desk.reference.take("okx_swap", [work("ongoing", None, **bare)], T)
    for n in range(3):  # it says so with every answer
        desk.reference.take("okx_swap", [work("completed", None, **bare)], T + n * S)
    assert [row["state"] for row in desk.publish(T + DAY)[-1]["status"]] == ["completed"]
    assert desk.publish(T + DAY + S)[-1]["status"] == []


def test_what_does_not_concern_us_what_is_over_and_what_is_older_are_not_told():
    desk = Desk()
    desk.reference.take("okx_swap", [work("ongoing", data=False), work("completed", id="2"), work("canceled", id="3")], T)
    assert desk.told == [] and set(desk.reference.maintenance) == {"1"}
    desk.reference.take("okx_swap", [work("ongoing", T + S, id="4")], T)
    desk.reference.take("okx_swap", [work("scheduled", T, id="4")], T)
    assert desk.reference.maintenance["4"].state == "ongoing" and desk.reference.counts["older"] == 1


def test_sessions_stand_in_the_calendar_until_they_are_over():
    desk = Desk()
    sessions = [Session(underlying="EQUITY", kind=kind, begins_ns=T + n * DAY, ends_ns=T + n * DAY + S) for n, kind in enumerate(("PRE", "REGULAR"))]
    desk.reference.take("okx_swap", sessions, T)
    assert [row.get("session") for row in desk.publish()[0]["calendar"]] == [None, "PRE", "REGULAR"]
    assert [row.get("session") for row in desk.publish(T + DAY)[0]["calendar"]] == [None, "REGULAR"]


def test_a_venue_that_is_left_gives_its_channel_back():
    desk = Desk()
    desk.reference.close()
    Reference("venue", desk.outbox)
