"""The road of a frame, and the life of a book, on frames written by hand."""

import json

import pytest
from cext.names import Names
from cext.streams.depth import Depth
from cext.streams.trades import Trades
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cext.pipelines import NOW_NS, add, best, image, perp, pipeline_for, spot, states, synced


def test_changes_are_held_until_the_image_and_then_applied_in_their_order():
    pipeline = pipeline_for("binance_spot")
    for frame in (spot(5, 8), spot(9, 12, [["99", "3"]]), spot(13, 13, [["99", "4"]], [["102", "7"]])):
        assert pipeline.feed_bytes(frame, NOW_NS) == "events"
    assert pipeline.states() == ["buffering"]
    assert pipeline.image(0, image(10), NOW_NS) == "events"
    book = pipeline.book(0)
    assert (book["state"], book["id"]) == ("synced", 13)
    assert book["bids"] == [("100", "1"), ("99", "4")] and book["asks"] == [("101", "1"), ("102", "7")]
    counters = pipeline.instrument_counters(0)
    assert (counters["stale"], counters["applied"], counters["gaps"]) == (1, 2, 0)


def test_an_image_older_than_the_stream_is_refused_and_the_changes_stay_held():
    pipeline = pipeline_for("binance_spot")
    pipeline.feed_bytes(spot(20, 25), NOW_NS)
    assert pipeline.image(0, image(10), NOW_NS) == "too_old"
    assert pipeline.states() == ["buffering"]
    assert pipeline.image(0, image(22), NOW_NS) == "events"
    assert pipeline.book(0)["id"] == 25


def test_an_image_that_ends_where_a_change_ended_goes_on_with_the_next_one():
    pipeline = pipeline_for("binance_spot")
    for frame in (spot(1, 4), spot(5, 9)):
        pipeline.feed_bytes(frame, NOW_NS)
    assert pipeline.image(0, image(4), NOW_NS) == "events"
    assert pipeline.book(0)["id"] == 9


def test_a_quiet_market_is_synced_by_a_change_that_the_image_already_holds():
    pipeline = pipeline_for("binance_spot")
    pipeline.feed_bytes(spot(5, 8), NOW_NS)
    assert pipeline.image(0, image(20), NOW_NS) == "events"


def test_an_image_without_any_change_awaits_the_first_one():
    pipeline = pipeline_for("binance_spot")
    assert pipeline.image(0, image(20), NOW_NS) == "awaits"
    assert pipeline.feed_bytes(spot(21, 22, [["100", "5"]]), NOW_NS) == "events"
    assert pipeline.states() == ["synced"] and pipeline.book(0)["bids"] == [("100", "5")]
    late = pipeline_for("binance_spot")
    late.image(0, image(20), NOW_NS)
    late.feed_bytes(spot(25, 26), NOW_NS)
    assert late.states() == ["buffering"] and late.instrument_counters(0)["too_old"] == 1
    assert late.image(0, image(25), NOW_NS) == "events"


def test_pain_01_a_gap_makes_that_book_invalid_at_once_and_no_other():
    pipeline = pipeline_for("binance_spot", ["BTCUSDT", "ETHUSDT"])
    for ix, symbol in enumerate(("BTCUSDT", "ETHUSDT")):
        pipeline.feed_bytes(spot(5, 10, symbol=symbol), NOW_NS)
        assert pipeline.image(ix, image(10), NOW_NS) == "events"
    pipeline.take_notices()
    pipeline.feed_bytes(spot(12, 13, [["100", "9"]]), NOW_NS + 5)
    assert pipeline.states() == ["buffering", "synced"]
    (notice,) = pipeline.take_notices()
    assert notice == (0, "buffering", "gap", 11, 12, NOW_NS + 5)
    assert pipeline.image(0, image(12), NOW_NS) == "events", "the frame after the gap was held"
    assert pipeline.book(0)["bids"] == [("100", "9")]


def test_a_book_is_back_when_its_image_is_there_and_not_when_the_held_change_came():
    """The outage would be told too short: the change that bridges the image came before it."""
    pipeline = synced()
    pipeline.take_notices()
    pipeline.feed_bytes(spot(12, 13), NOW_NS)
    assert pipeline.image(0, image(12), NOW_NS + 200_000_000) == "events"
    assert [notice.at_ns - NOW_NS for notice in pipeline.take_notices()] == [0, 200_000_000]


def test_no_time_is_told_that_our_clock_has_not_reached():
    """It stepped back between the change that was held, the image, and what came after."""
    pipeline = synced()
    pipeline.feed_bytes(spot(12, 13), NOW_NS)
    assert pipeline.image(0, image(12), NOW_NS - 500_000_000) == "events"
    pipeline.feed_bytes(spot(15, 15), NOW_NS - 400_000_000)
    assert pipeline.image(0, image(15), NOW_NS - 300_000_000) == "events"
    assert [notice.at_ns - NOW_NS for notice in pipeline.take_notices()][-3:] == [-500_000_000, -400_000_000, -300_000_000]


def test_repeated_and_late_changes_are_dropped():
    pipeline = synced()
    pipeline.feed_bytes(spot(11, 12, [["100", "2"]]), NOW_NS)
    for frame in (spot(11, 12, [["100", "3"]]), spot(5, 10, [["100", "4"]])):
        pipeline.feed_bytes(frame, NOW_NS)
    assert pipeline.book(0)["bids"] == [("100", "2")] and pipeline.instrument_counters(0)["gaps"] == 0


def test_futures_chain_on_the_previous_id():
    pipeline = pipeline_for("binance_usdm")
    for frame in (perp(90, 100, 80), perp(130, 140, 100), perp(150, 160, 140)):
        pipeline.feed_bytes(frame, NOW_NS)
    assert pipeline.image(0, image(120), NOW_NS) == "events", "an image between two changes"
    pipeline.feed_bytes(perp(170, 180, 160), NOW_NS)
    assert pipeline.book(0)["id"] == 180
    pipeline.feed_bytes(perp(200, 210, 190), NOW_NS)
    assert pipeline.take_notices()[-1][1:5] == ("buffering", "gap", 180, 190)


@pytest.mark.parametrize(
    "broken",
    [
        spot(11, 12, [["100", "x"]]),
        spot(11, 12, [["100", "1e300"]]),
        spot(11, 12, [["100"]]),
        spot(11, 12, [["-1", "1"]]),
        spot(11, 12)[:-2],
        spot(11, 12).replace(b'"U": 11', b'"U": 11, "U": 11'),
    ],
    ids=["text", "absurd", "short row", "negative", "truncated", "duplicate key"],
)
def test_pain_01_a_depth_frame_that_cannot_be_read_changes_nothing_and_is_a_gap(broken):
    pipeline = synced()
    assert pipeline.feed_bytes(broken, NOW_NS) in ("malformed", "overflow")
    assert states(pipeline) == [("buffering", "malformed")]
    counters = pipeline.instrument_counters(0)
    assert (counters["lost_frames"], counters["gaps"]) == (1, 1)


def test_a_broken_trade_frame_leaves_the_book_alone():
    pipeline = synced()
    frame = b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":1,"p":"nan","q":"1","T":1,"m":true}}'
    assert pipeline.feed_bytes(frame, NOW_NS) == "malformed"
    assert pipeline.states() == ["synced"]


def public_trade(id: str, at_ms: int) -> bytes:
    row = {"T": at_ms, "s": "BTCUSDT", "S": "Buy", "v": "1", "p": "100.5", "L": "PlusTick", "i": id, "BT": False}
    return json.dumps({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": at_ms, "data": [row]}).encode()


@pytest.mark.parametrize("broken, doubted", [(public_trade("b", 2)[:-9], [0]), (public_trade("b", 2)[5:], [0, 1]), (b"{}", [0, 1]), (b"", [0, 1]), (b'{"topic":"tickers.BTCUSDT","data":[}', [])])
def test_trades_without_numbers_that_came_torn_are_missed_although_no_number_tells(broken, doubted):
    """A corrupted frame of 48 fills was lost for good, and a candle that lacked them said that it was complete."""
    pipeline = pipeline_for("bybit_linear", ("BTCUSDT", "ETHUSDT"), trades_numbered=False)
    for symbol in ("BTCUSDT", "ETHUSDT"):
        assert pipeline.feed_bytes(public_trade("a", 1).replace(b"BTCUSDT", symbol.encode()), NOW_NS) == "events"
    assert not pipeline.take_news()
    pipeline.feed_bytes(broken, NOW_NS)
    assert [news.ix for news in pipeline.take_news() if news.news == "interrupted"] == doubted
    pipeline.feed_bytes(public_trade("c", 3), NOW_NS)
    assert [news.news for news in pipeline.take_news()] == (["hole", "resumed"] if 0 in doubted else [])


def test_a_numbered_trade_that_came_torn_is_asked_for_and_not_only_by_the_next_one():
    """None came for a minute, and the candle that lacked it said that it was complete (simulation, seed 358427650)."""
    pipeline = pipeline_for("binance_spot")
    frame = '{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":%d,"p":"%s","q":"1","T":1,"m":true,"M":true}}'
    assert pipeline.feed_bytes((frame % (1, "100")).encode(), NOW_NS) == "events"
    assert pipeline.feed_bytes((frame % (2, "nan")).encode(), NOW_NS) == "malformed"
    assert [news.news for news in pipeline.take_news()] == ["interrupted"] and pipeline.last_trade(0)[2]
    assert pipeline.feed_bytes((frame % (3, "100")).encode(), NOW_NS) == "events"
    assert [(news.news, news.first_id) for news in pipeline.take_news()] == [("hole", 2), ("resumed", -1)]


def test_pain_04_a_crossed_book_is_invalid_after_the_whole_frame_and_not_within_it():
    pipeline = synced()
    pipeline.feed_bytes(spot(11, 11, [["101", "1"]], [["101", "0"], ["102", "1"]]), NOW_NS)
    assert pipeline.states() == ["synced"]
    pipeline.feed_bytes(spot(12, 12, [["102", "1"]]), NOW_NS)
    assert states(pipeline) == [("buffering", "crossed")]
    assert pipeline.instrument_counters(0)["crossed"] == 1


def test_in_an_auction_the_book_may_be_crossed():
    pipeline = synced()
    pipeline.set_auction(0, True)
    pipeline.feed_bytes(spot(11, 11, [["150", "1"]]), NOW_NS)
    assert pipeline.states() == ["synced"]


@pytest.mark.parametrize("ahead", [False, True], ids=["after the book", "before the book"])
def test_a_best_price_of_equal_id_must_agree(ahead):
    for bid, agrees in ((("100", "2.00"), True), (("100", "3"), False)):
        pipeline = synced()
        frames = [spot(11, 12, [["100", "2"]]), best(12, bid)]
        for frame in reversed(frames) if ahead else frames:
            pipeline.feed_bytes(frame, NOW_NS)
        counters = pipeline.instrument_counters(0)
        assert (counters["touches_compared"], counters["touches_agreed"]) == (1, int(agrees))
        assert pipeline.states() == ["synced" if agrees else "buffering"]


def test_a_crossed_image_is_refused_and_the_changes_stay_held():
    """Two swapped numbers in a REST answer once made a synced book whose bid stood above its ask: held changes that it contained proved it."""
    pipeline = pipeline_for("binance_spot")
    pipeline.feed_bytes(spot(5, 10), NOW_NS)
    crossed = image(20, [["100", "1"], ["102", "1"]], [["101", "1"]])
    assert pipeline.image(0, crossed, NOW_NS) == "crossed"
    assert pipeline.states() == ["buffering"] and pipeline.instrument_counters(0)["crossed"] == 1
    assert pipeline.image(0, image(10, [["102", "0"], ["100", "1"]]), NOW_NS) == "events", "an empty level crosses nothing"
    in_auction = pipeline_for("binance_spot")
    in_auction.set_auction(0, True)
    in_auction.feed_bytes(spot(5, 10), NOW_NS)
    assert in_auction.image(0, crossed, NOW_NS) == "events"


@pytest.mark.parametrize("ask", ["100", "99"], ids=["locked", "crossed"])
def test_a_crossed_best_price_says_nothing(ask):
    pipeline = synced()
    pipeline.feed_bytes(best(10, ("100", "1"), (ask, "1")), NOW_NS)
    counters = pipeline.instrument_counters(0)
    assert (counters["touches"], counters["touches_crossed"], counters["touches_compared"]) == (1, 1, 0)
    assert pipeline.states() == ["synced"]


def test_a_best_price_of_another_id_proves_nothing():
    pipeline = synced()
    pipeline.feed_bytes(best(11, ("99", "7")), NOW_NS)
    pipeline.feed_bytes(spot(11, 12, [["100", "2"]]), NOW_NS)
    assert pipeline.instrument_counters(0)["touches_compared"] == 0 and pipeline.states() == ["synced"]


def test_a_number_finer_than_the_scale_rescales_and_stays_exact():
    pipeline = synced()
    assert pipeline.feed_bytes(spot(11, 11, [["99.1234567", "0.12345678"]], [["101.5", "0.000000001"]]), NOW_NS) == "events"
    book = pipeline.book(0)
    assert book["bids"] == [("100", "1"), ("99.1234567", "0.12345678")]
    assert book["asks"] == [("101", "1"), ("101.5", "0.000000001")]
    assert pipeline.instrument_counters(0)["rescales"] == 1 and pipeline.states() == ["synced"]


def test_a_number_that_no_scale_holds_is_an_overflow():
    pipeline = synced()
    assert pipeline.feed_bytes(spot(11, 11, [["99.12345678901234567890123", "1"]]), NOW_NS) == "overflow"
    assert states(pipeline) == [("buffering", "malformed")]


def test_held_frames_are_bounded_and_an_overflow_starts_anew():
    pipeline = pipeline_for("binance_spot", max_held_frames=3)
    for i in range(5):
        pipeline.feed_bytes(spot(10 + i, 10 + i, [["100", str(i + 1)]]), NOW_NS)
    assert states(pipeline) == [("buffering", "overflow")]
    assert pipeline.image(0, image(12), NOW_NS) == "events", "the frames after the overflow are held"
    assert pipeline.book(0)["bids"] == [("100", "5")]


def test_a_hole_in_the_held_changes_asks_for_another_image():
    pipeline = pipeline_for("binance_spot")
    for frame in (spot(5, 10), spot(11, 12), spot(15, 16, [["100", "6"]])):
        pipeline.feed_bytes(frame, NOW_NS)
    assert pipeline.image(0, image(10), NOW_NS) == "gap"
    assert pipeline.image(0, image(15), NOW_NS) == "events" and pipeline.book(0)["bids"] == [("100", "6")]


def test_a_lost_socket_makes_its_books_invalid():
    pipeline = pipeline_for("binance_spot", ["BTCUSDT", "ETHUSDT"])
    for ix, symbol in enumerate(("BTCUSDT", "ETHUSDT")):
        pipeline.feed_bytes(spot(5, 10, symbol=symbol), NOW_NS)
        pipeline.image(ix, image(10), NOW_NS)
    pipeline.take_notices()
    pipeline.disconnected([1], NOW_NS)
    assert pipeline.states() == ["synced", "buffering"] and states(pipeline) == [("buffering", "disconnect")]
    pipeline.disconnected([1], NOW_NS)
    assert states(pipeline) == [], "it was invalid already"


def test_pain_04_levels_beyond_a_truncated_image_are_not_claimed():
    pipeline = pipeline_for("binance_spot", ())
    add(pipeline, "BTCUSDT", depth=2)
    pipeline.feed_bytes(spot(5, 10), NOW_NS)
    pipeline.image(0, image(10, [["100", "1"], ["99", "1"]], [["101", "1"]]), NOW_NS)
    pipeline.feed_bytes(spot(11, 11, [["98", "5"], ["99.5", "5"]], [["300", "5"]]), NOW_NS)
    book = pipeline.book(0)
    assert [px for px, _ in book["bids"]] == ["100", "99.5", "99"] and book["valid_bid"] == "99"
    assert [px for px, _ in book["asks"]] == ["101", "300"] and book["valid_ask"] is None, "that side was whole"


def test_a_side_that_moved_out_of_its_truncated_image_asks_for_another_and_is_never_said_to_be_empty():
    """The price fell through all the bids that the image had covered, and the book told that there were none."""
    pipeline = pipeline_for("binance_spot", ())
    add(pipeline, "BTCUSDT", depth=40)
    pipeline.feed_bytes(spot(5, 10), NOW_NS)
    pipeline.image(0, image(10, [[str(100 - i), "1"] for i in range(40)], [["101", "1"]]), NOW_NS)
    pipeline.feed_bytes(spot(11, 11, [[str(100 - i), "0"] for i in range(38)]), NOW_NS)
    assert states(pipeline) == [("synced", "snapshot")], "two of forty are left"
    pipeline.feed_bytes(spot(12, 12, [["62", "0"], ["50", "7"]]), NOW_NS)
    assert states(pipeline) == [("buffering", "window")]
    pipeline.feed_bytes(spot(13, 13), NOW_NS)
    assert pipeline.image(0, image(12, [["61", "1"], ["50", "7"]], [["101", "1"]]), NOW_NS) == "events", "a whole side, however thin"
    pipeline.feed_bytes(spot(14, 14, [["61", "0"]]), NOW_NS)
    assert states(pipeline) == [("synced", "snapshot")]


@pytest.mark.parametrize("body", [b"<html>", b'{"code":-1003,"msg":"x"}', b"", b'{"lastUpdateId":5}', b'{"lastUpdateId":5,"bids":[["1"'])
def test_an_answer_that_is_no_order_book_is_refused(body):
    pipeline = pipeline_for("binance_spot")
    pipeline.feed_bytes(spot(5, 10), NOW_NS)
    assert pipeline.image(0, body, NOW_NS) == "malformed"
    assert pipeline.image(0, image(10), NOW_NS) == "events", "what was held is still there"


def bybit(kind: str, u: int, bids=(), asks=(), seq: int | None = None) -> bytes:
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": u, "seq": u * 10 if seq is None else seq}
    return json.dumps({"topic": "orderbook.50.BTCUSDT", "type": kind, "ts": 1, "data": data, "cts": 1}).encode()


def test_pain_28_an_image_in_the_stream_needs_no_bridge_and_may_come_at_any_time():
    pipeline = pipeline_for("bybit_linear")
    pipeline.feed_bytes(bybit("delta", 5, [["100", "1"]]), NOW_NS)
    assert pipeline.states() == ["invalid"]
    pipeline.feed_bytes(bybit("snapshot", 9, [["100", "1"]], [["101", "1"]]), NOW_NS)
    pipeline.feed_bytes(bybit("delta", 10, [["100", "2"]]), NOW_NS)
    pipeline.feed_bytes(bybit("delta", 10, [["100", "3"]]), NOW_NS)
    assert pipeline.book(0)["bids"] == [("100", "2")]
    pipeline.feed_bytes(bybit("snapshot", 10, [["99", "1"]], [["101", "1"]]), NOW_NS)
    assert pipeline.book(0)["bids"] == [("99", "1")]
    pipeline.feed_bytes(bybit("delta", 1, [["98", "1"]], [["101", "4"]]), NOW_NS)
    assert pipeline.book(0)["bids"] == [("98", "1")] and pipeline.states() == ["synced"], "u = 1 is a new image"
    pipeline.feed_bytes(bybit("delta", 3), NOW_NS)
    assert pipeline.states() == ["invalid"]


S_NS = 1_000_000_000


def at(frame: bytes, ms: int) -> bytes:
    """The same frame, sent `ms` later."""
    told = json.loads(frame)
    for part in (told, told["data"]):
        part |= {key: part[key] + ms for key in ("ts", "cts", "E", "T") if key in part}
    return json.dumps(told).encode()


def perp_image(last: int) -> bytes:
    return json.dumps(json.loads(image(last)) | {"E": 1, "T": 1}).encode()


@pytest.mark.parametrize(
    "name, seed, frames, expected, got",
    [
        ("bybit_linear", [bybit("snapshot", 900, [["100", "1"]], [["101", "1"]])], [bybit("delta", u) for u in (2, 3, 4)], 901, 3),
        ("binance_spot", [spot(899, 900)], [spot(u, u) for u in (2, 3, 4)], 901, 3),
        ("binance_usdm", [perp(890, 900, 880)], [perp(u, u, u - 1) for u in (2, 3, 4)], 900, 2),
    ],
)
def test_pain_28_a_venue_that_counts_anew_is_noticed_even_if_the_frame_that_said_so_was_lost(name, seed, frames, expected, got):
    """Every later frame has a smaller id than the book: it would be dropped as a repeat, and the book would stand still and claim to be synced."""
    pipeline = pipeline_for(name)
    for frame in seed:
        pipeline.feed_bytes(frame, NOW_NS)
    if name.startswith("binance"):
        assert pipeline.image(0, image(900) if name.endswith("spot") else perp_image(900), NOW_NS) == "events"
    pipeline.take_notices()
    pipeline.feed_bytes(at(frames[0], 900), NOW_NS + 9 * S_NS // 10)
    assert pipeline.states() == ["synced"], "a repeat may come a little late"
    pipeline.feed_bytes(at(frames[1], 1100), NOW_NS + 11 * S_NS // 10)
    (notice,) = pipeline.take_notices()
    assert notice[1:5] == ("buffering" if name.startswith("binance") else "invalid", "gap", expected, got)
    if name.startswith("binance"):
        assert pipeline.image(0, image(3), NOW_NS + 2 * S_NS) == "events", "the frame that showed it was held"
        pipeline.feed_bytes(at(frames[2], 1200), NOW_NS + 2 * S_NS)
        assert pipeline.book(0)["id"] == 4


def test_pain_28_where_the_engine_counts_too_the_very_next_frame_shows_that_the_venue_counts_anew():
    """It waited a second, in which a new number might come that the old ones fit: the book went on without what lay between (simulation, seed 7020)."""
    pipeline = pipeline_for("bybit_linear")
    pipeline.feed_bytes(bybit("snapshot", 900, [["100", "1"]], [["101", "1"]], seq=9000), NOW_NS)
    pipeline.feed_bytes(bybit("delta", 899, seq=8990), NOW_NS)
    assert pipeline.states() == ["synced"], "a repeat"
    pipeline.feed_bytes(bybit("delta", 899, seq=9010), NOW_NS)
    assert pipeline.states() == ["invalid"]
    assert pipeline.feed_bytes(bybit("delta", 901, seq=9020), NOW_NS) == "events" and pipeline.states() == ["invalid"]


def test_an_image_of_the_old_count_is_found_out_too():
    """A REST cache lags behind the venue's restart: all that follows would be older than the image, for ever."""
    pipeline = pipeline_for("binance_spot")
    pipeline.feed_bytes(at(spot(2, 2), 0), NOW_NS)
    assert pipeline.image(0, image(900), NOW_NS) == "events"
    pipeline.feed_bytes(at(spot(3, 3), 500), NOW_NS + S_NS // 2)
    assert pipeline.states() == ["synced"]
    pipeline.feed_bytes(at(spot(4, 4), 1500), NOW_NS + 3 * S_NS // 2)
    assert pipeline.states() == ["buffering"]
    assert pipeline.image(0, image(3), NOW_NS + 2 * S_NS) == "events" and pipeline.book(0)["id"] == 4


def test_repeats_of_a_quiet_book_are_repeats_however_late_they_come():
    """A socket that takes over brings again what came long ago: the venue's time tells, within what two of its gateways may differ."""
    pipeline = pipeline_for("binance_usdm")
    pipeline.feed_bytes(perp(90, 100, 80), NOW_NS)
    assert pipeline.image(0, perp_image(100), NOW_NS) == "events"
    pipeline.feed_bytes(at(perp(101, 110, 100), 50), NOW_NS)
    for frame in (at(perp(90, 100, 80), 0), at(perp(101, 110, 100), 50), at(perp(90, 100, 80), 60)):
        pipeline.feed_bytes(frame, NOW_NS + 30 * S_NS)
    counters = pipeline.instrument_counters(0)
    assert counters["stale"] == 3 and counters["gaps"] == 0 and pipeline.states() == ["synced"]


def test_more_levels_than_the_venue_keeps_mean_a_lost_removal():
    pipeline = pipeline_for("bybit_linear", ())
    add(pipeline, "BTCUSDT", depth=2)
    pipeline.feed_bytes(bybit("snapshot", 9, [["100", "1"], ["99", "1"]], [["101", "1"]]), NOW_NS)
    pipeline.feed_bytes(bybit("delta", 10, [["98", "1"]]), NOW_NS)
    assert states(pipeline)[-1] == ("invalid", "window")


@settings(max_examples=200)
@given(st.data())
def test_pain_03_any_interleaving_of_changes_and_images_ends_in_the_true_book_or_says_that_it_is_not(data):
    """A true book and its numbered changes; frames fold some of them, are dropped or repeated; images are taken at any point, and late."""
    changes = data.draw(st.lists(st.tuples(st.integers(90, 99), st.integers(0, 3)), min_size=1, max_size=40))
    truth: list[dict[int, int]] = [{95: 1}]
    for px, qty in changes:
        book = dict(truth[-1])
        book.pop(px, None)
        if qty:
            book[px] = qty
        truth.append(book)
    frames, at = [], 0
    while at < len(changes):
        n = data.draw(st.integers(1, 4))
        rows: dict[int, int] = dict(changes[at : at + n])
        frames.append((at + 1, min(at + n, len(changes)), [[str(px), str(qty)] for px, qty in rows.items()]))
        at += n
    pipeline = pipeline_for("binance_spot")
    fed = 0
    for first, last, rows in frames:
        fate = data.draw(st.sampled_from(["feed", "feed", "feed", "feed", "drop", "repeat"]))
        for _ in range({"feed": 1, "drop": 0, "repeat": 2}[fate]):
            pipeline.feed_bytes(spot(first, last, rows), NOW_NS)
        fed = last
        if data.draw(st.booleans()):
            asked = data.draw(st.integers(0, fed))
            pipeline.image(0, image(asked, [[str(px), str(qty)] for px, qty in truth[asked].items()], [["200", "1"]]), NOW_NS)
        book = pipeline.book(0)
        if book["state"] == "synced":
            assert dict((int(px), int(qty)) for px, qty in book["bids"]) == truth[book["id"]]
    pipeline.image(0, image(fed, [[str(px), str(qty)] for px, qty in truth[fed].items()], [["200", "1"]]), NOW_NS)
    book = pipeline.book(0)
    if book["state"] == "synced":
        assert dict((int(px), int(qty)) for px, qty in book["bids"]) == truth[book["id"]]


def test_an_instrument_that_is_gone_hears_nothing_more_and_its_name_is_free():
    pipeline = synced()
    pipeline.retire(0, NOW_NS)
    pipeline.retire(0, NOW_NS)
    assert states(pipeline) == [("buffering", "removed")] and pipeline.states() == ["retired"]
    assert pipeline.feed_bytes(spot(1000, 1000), NOW_NS) == "unknown_symbol"
    assert pipeline.image(0, image(5), NOW_NS) == "retired"
    pipeline.invalidate(0, "stale", NOW_NS)
    pipeline.disconnected(None, NOW_NS)
    pipeline.interrupted([0], NOW_NS)
    pipeline.on_timer(NOW_NS)
    assert pipeline.states() == ["retired"] and not states(pipeline)
    assert add(pipeline, "BTCUSDT") == 1
    assert pipeline.feed_bytes(spot(11, 11), NOW_NS) == "events"
    assert pipeline.image(1, image(10), NOW_NS) == "events" and pipeline.states() == ["retired", "synced"]


def test_other_streams_begin_with_the_book_as_it_is_and_those_that_stay_go_on():
    names = Names(exchange="binance", symbol="BTC-USDT", market="binance_spot", venue_symbol="BTCUSDT")
    pipeline = pipeline_for("binance_spot", symbols=())
    kept, old = Trades(names), Depth(names)
    ix = add(pipeline, "BTCUSDT", streams=[kept, old])
    assert pipeline.feed_bytes(spot(11, 11, [["99", "2"]]), NOW_NS) == "events"
    assert pipeline.image(ix, image(10), NOW_NS) == "events"
    seq = old.channel.seq
    new = Depth(names)
    pipeline.replace_streams(ix, [new, kept], NOW_NS)
    assert pipeline.streams(ix) == (new, kept) and kept.channel is not None
    assert pipeline.feed_bytes(spot(12, 12, [["98", "2"]]), NOW_NS) == "events"
    assert new.channel is old.channel and new.channel.seq > seq
    with pytest.raises(ValueError, match="more than 32"):
        pipeline.replace_streams(ix, [Trades(names) for _ in range(33)], NOW_NS)
