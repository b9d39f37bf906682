"""Order flow as it is published: word by word, at its cadence, and what stays when settings change. The formulas: tests/cext/measures."""

import pytest
from cext.streams.flow import Flow

from tests.cext.streams.desk import START, Desk, S

CHANNEL = "flow:venue:BTC-USDT"


def desk_of(**settings) -> Desk:
    return Desk(lambda names: Flow(names, **settings), px_scale=0, qty_scale=0, tick=1)


def last(desk: Desk) -> dict:
    return desk.published(CHANNEL)[-1]


def crowd(desk: Desk, n: int = 200, until: int = 200) -> None:
    """`n` small prints up to second `until`: from then on large ones can be told."""
    for i in range(n):
        desk.trade(until - n + i, "1", 10 + i % 3)


def test_word_by_word():
    desk = desk_of()
    desk.tick(0.3)
    assert desk.published() == [], "nothing is known yet"
    desk.synced([["100", "10"]], [["101", "10"]], at_s=0.4)
    desk.depth(101, 101, [["100", "14"]], at_s=0.5)
    desk.trade(0.6, "101", "2")
    assert desk.published() == [], "nothing is written per change of the book, nor per trade"
    desk.tick(0.75)
    event = last(desk)
    assert list(event)[13:] == [
        "ofi", "ofi_since", "vpin", "vpin_buckets", "vpin_bucket_volume", "kyle_lambda", "kyle_t", "kyle_r2", "amihud", "impact_minutes", "thresholds",
        "classes", "clusters", "prints", "large_prints", "whale_prints", "mega_prints", "cluster_count", "last_large",
    ]  # fmt: skip
    one = {"changes": 1, "ofi": 4, "depth": 12, "normalised": pytest.approx(4 / 24), "levels": [pytest.approx(4 / 24), *[None] * 9]}
    assert event["ofi"] == dict.fromkeys(("1s", "10s", "1m"), one) and event["ofi_since"] == START + round(0.4 * S)
    assert event["classes"]["1m"]["retail"] == {"net": "202", "volume": "202", "prints": 1}
    assert event["clusters"] == {"buy": None, "sell": None} and event["last_large"] is None
    assert (event["ts_event"], event["ts_recv"]) == (START + round(0.6 * S), START + round(0.6 * S))


def test_it_is_written_four_times_a_second_at_most_and_only_when_it_changed():
    desk = desk_of()
    desk.synced([["100", "10"]], [["101", "10"]])
    for n in range(100):
        desk.tick(0.01 * (n + 1))
        desk.depth(101 + n, 101 + n, [["100", str(11 + n)]], at_s=0.01 * (n + 1))
    desk.tick(1.25)
    assert last(desk)["conflated"] <= 6
    desk.tick(60)
    desk.published()
    desk.tick(62.5)
    event = last(desk)
    assert (event["ofi"]["1m"]["changes"], event["ofi"]["1m"]["ofi"]) == (0, 0)
    desk.tick(200)
    assert desk.published() == [], "nothing changed since"


def test_large_prints_of_one_side_that_follow_each_other_are_a_cluster():
    desk = desk_of(cluster_gap_ns=2 * S)
    crowd(desk)
    desk.tick(200, from_s=199.9)
    for at, side in ((201, "buy"), (202.5, "buy"), (203, "sell"), (204.5, "buy"), (206, "sell")):
        desk.trade(at, "1", 1000, buyer_is_maker=side == "sell")
    desk.tick(206.2, from_s=206.1)
    event = last(desk)
    assert event["clusters"] == {
        "buy": {"prints": 3, "quote_quantity": "3000", "since": START + 201 * S, "until": START + round(204.5 * S)}, "sell": None,
    }  # fmt: skip
    assert (event["large_prints"], event["cluster_count"]) == (5, 1), "two sells are none"
    desk.trade(206.4, "1", 1000)
    desk.tick(206.5)
    assert last(desk)["clusters"]["buy"]["prints"] == 4
    desk.tick(209)
    assert last(desk)["clusters"]["buy"] is None, "none follows any more"


def test_a_large_print_that_was_fetched_says_so():
    desk = desk_of()
    crowd(desk)
    rows = [("9000", "1", "5000", "sell", START + 150 * S, None, None, False, False, False, None)]
    assert desk.pipeline.backfill(desk.ix, rows, START + 201 * S) == (1, 0)
    desk.tick(202, from_s=201.5)
    event = last(desk)
    assert event["last_large"] == {
        "tier": "large", "side": "sell", "time": START + 150 * S, "price": "1", "quote_quantity": "5000", "rows": 1, "first_id": None, "last_id": None,
        "threshold": pytest.approx(12, rel=0.02), "backfill": True,
    }  # fmt: skip
    assert event["classes"]["1m"]["large"]["prints"] == 1 and event["classes"]["1m"]["large"]["net"] == "-5000", "52 s ago"


def test_a_negotiated_trade_is_no_flow():
    desk = desk_of()
    rows = [("9000", "1", "5000", "sell", START, None, None, False, True, True, None)]
    assert desk.pipeline.backfill(desk.ix, rows, START + S) == (1, 0)
    desk.tick(1)
    assert desk.published() == [] and desk.streams[0].counters()["prints"] == 0


def test_other_settings_lose_nothing_that_was_measured():
    desk = desk_of()
    desk.synced([["100", "10"]], [["101", "10"]], at_s=190)
    crowd(desk)
    for n in range(15 * 60):
        if n % 20 == 0:
            desk.trade(200 + n, 100 + n % 7, 1 + n % 5)
    desk.depth(101, 101, [["100", "14"]], at_s=1099)
    desk.tick(1100, from_s=1099.9)
    before = last(desk)
    assert before["impact_minutes"] == 17 and before["kyle_lambda"] is not None and before["large_prints"] > 0
    desk.streams[0].configure(impact_minutes=10, floors=(10_000, 20_000, 30_000), ofi_levels_n=2, cluster_prints=2, cluster_gap_ns=S)
    desk.trade(1100, "1", 9_000)
    desk.trade(1101, "1", 12_000)
    desk.depth(102, 102, [["100", "15"]], at_s=1100)
    desk.depth(103, 103, [["100", "17"]], at_s=1101)
    desk.tick(1101.5, from_s=1101.2)
    event = last(desk)
    assert (event["impact_minutes"], event["thresholds"]["large"], event["prints"]) == (10, 10_000, before["prints"] + 2)
    assert event["large_prints"] == before["large_prints"] + 1
    assert event["classes"]["1h"]["large"]["prints"] == before["classes"]["1h"]["large"]["prints"] + 1
    assert len(event["ofi"]["1m"]["levels"]) == 2 and event["ofi"]["1m"]["ofi"] == 4 + 2, "the first look at other levels is no change"


def test_an_instrument_may_go_while_a_print_is_open():
    """The timer then finished the print, and counted it among sizes whose memory was gone: the process ended."""
    desk = desk_of()
    desk.trade(0.1, "1", 10)
    desk.pipeline.retire(desk.ix, START + S)
    desk.tick(2)
    assert desk.pipeline.instrument_counters(desk.ix)["prints"] == 0


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"every_ns": 1}, "every_ns"), ({"ofi_levels_n": 11}, "ofi_levels_n"), ({"vpin_buckets_n": 251}, "vpin_buckets_n"),
        ({"impact_minutes": 9}, "impact_minutes"), ({"shares": (0.5, 0.9, 0.9, 0.99)}, "rising"), ({"shares": (0.5, 0.99, 0.999, 1.0)}, "rising"),
        ({"floors": (3, 2, 1)}, "floors"), ({"cluster_prints": 1}, "cluster_prints"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused_and_change_nothing(wrong, said):
    desk = desk_of(impact_minutes=20)
    with pytest.raises(ValueError, match=said):
        desk.streams[0].configure(**wrong)
    crowd(desk)
    desk.tick(200, from_s=199.9)
    assert last(desk)["thresholds"]["large"] == pytest.approx(12, rel=1 / 64)
