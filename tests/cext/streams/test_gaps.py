"""The gaps channel, event by event."""

from cext.streams.gaps import Gaps

from tests.cext.streams.desk import START, Desk, S


def test_a_gap_is_published_with_its_exact_range_and_what_stays_unknown():
    desk = Desk(Gaps)
    gaps = desk.streams[0]
    told = {"gap": 3, "reason": "numbers", "first_id": 11, "last_id": 14, "since_ns": START, "until_ns": START + S, "noticed_ns": START + 2 * S}
    gaps.report(state="open", fetched=0, left=[[11, 14]], now_ns=START + 2 * S, **told)
    gaps.report(state="lost", fetched=1, left=[[11, 12], [14, 14]], now_ns=START + 5 * S, **told)
    opened, lost = desk.published("gaps:venue:BTC-USDT")
    assert (opened["kind"], opened["state"], opened["missing"], opened["left"], opened["duration_ns"]) == ("trades", "open", 4, [[11, 14]], 0)
    assert (lost["gap"], lost["state"], lost["fetched"], lost["left"], lost["duration_ns"]) == (3, "lost", 1, [[11, 12], [14, 14]], 3 * S)
    assert (lost["first_id"], lost["last_id"], lost["since"], lost["until"], lost["ts_event"]) == (11, 14, START, START + S, START + S)


def test_where_ids_are_no_numbers_the_range_is_one_of_time():
    desk = Desk(Gaps)
    desk.streams[0].report(
        gap=1, state="filled", reason="disconnect", first_id=None, last_id=None, since_ns=START, until_ns=START + S, fetched=7, left=[],
        noticed_ns=START, now_ns=START,
    )  # fmt: skip
    (event,) = desk.published("gaps:venue:BTC-USDT")
    assert event["first_id"] is event["missing"] is None and (event["since"], event["until"], event["fetched"]) == (START, START + S, 7)
