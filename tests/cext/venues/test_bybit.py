"""Bybit frames and REST books: goldens checked by hand, an independent reading, other spellings, mutations."""

import json
import random
from pathlib import Path

import pytest
from cext.venues.bybit import BybitNormalizer
from cext.venues.bybit_plain import takes
from hypothesis import given
from hypothesis import strategies as st

from tests.cext.pipelines import add, pipeline_for
from tests.cext.venues.bybit_model import Model
from tests.cext.venues.documented import SCALE, cases, told
from tests.cext.venues.frames import ANY_JSON, Refused, against_golden, fixtures, is_json, parse, recorded, shuffle, spaced, with_field
from tests.cext.venues.mutants import NAMES, milliseconds, mutants, number, whole

FIXTURES = Path(__file__).parent / "bybit"
KNOWN = {"BTCUSDT": (0, 2, 5), "BTCUSD": (1, 2, 0), "BTC-26DEC26-90000-C": (2, 2, 2)}
TOPIC_DEPTH, TOPIC_BBO, TOPIC_TRADES = 1, 2, 3


def decoder(known):
    normalizer = BybitNormalizer()
    for symbol, (ix, px_scale, qty_scale) in known.items():
        assert normalizer.symbols.add(symbol.encode(), px_scale, qty_scale) == ix
    return normalizer


OURS, MODEL = decoder(KNOWN), Model(KNOWN)
PUSHES = [frame for path in fixtures(FIXTURES) if not path.name.startswith("rest_") for frame in path.read_bytes().splitlines()]
SPELLABLE = [frame for frame in PUSHES if is_json(frame)]
BODIES = (FIXTURES / "rest_book.jsonl").read_bytes().splitlines()
KEYS = "topic type data ts cts s b a u seq T S v p i BT RPI L op success ret_msg retCode result"


@pytest.mark.parametrize("path", fixtures(FIXTURES), ids=lambda path: path.stem)
def test_golden(path):
    against_golden(path, lambda frame: OURS.explain(frame, 0 if path.name.startswith("rest_") else None))


def ids(event):
    """`u` and `seq` of a book; of a trade its id as a number, which only spot has, and `seq`."""
    if event["kind"] == "trade":
        assert event["first_id"] == event["last_id"]
        return f"n={'-' if event['last_id'] < 0 else event['last_id']} seq={'-' if event['cross_id'] < 0 else event['cross_id']}"
    assert event["first_id"] == event["last_id"] and event["prev_id"] == -1
    return f"u={event['last_id']} seq={'-' if event['cross_id'] < 0 else event['cross_id']}"


@pytest.mark.parametrize("snapshot_of, frame, meaning", cases(FIXTURES / "documented.txt"))
def test_a_frame_means_what_the_documentation_says(snapshot_of, frame, meaning):
    names = ("BTCUSDT", "BTCUSD", "BTC-25JUN27-106000-C-USDT")
    outcome, _, _, events = decoder({name: (ix, SCALE, SCALE) for ix, name in enumerate(names)}).explain(frame, snapshot_of)
    assert (outcome == "events") == bool(events)
    assert ([told(event, names, ids) for event in events] or [outcome]) == meaning


@pytest.mark.parametrize("frame", PUSHES)
def test_fixture_reads_as_in_the_model(frame):
    outcome, _, _, events = OURS.explain(frame)
    assert (outcome, events) == MODEL.decode(frame)


@pytest.mark.parametrize("body", BODIES)
def test_rest_fixture_reads_as_in_the_model(body):
    outcome, _, _, events = OURS.explain(body, 0)
    assert (outcome, events) == MODEL.decode_snapshot(0, body)


def test_every_recorded_frame_reads_as_in_the_model():
    frames = list(recorded("bybit", "*.jsonl"))
    names = set()
    for _, frame in frames:
        try:
            message = parse(frame)
            rows = message.get("data") or message.get("example") or {}
        except (Refused, AttributeError):
            continue
        names |= {row["s"] for row in (rows if isinstance(rows, list) else [rows]) if isinstance(row, dict) and isinstance(row.get("s"), str)}
    known = {name: (ix, 8, 8) for ix, name in enumerate(sorted(names))}
    ours, model = decoder(known), Model(known)
    counts = {}
    for where, frame in frames:
        outcome, _, _, events = ours.explain(frame)
        assert (outcome, events) == model.decode(frame), where
        counts[outcome] = counts.get(outcome, 0) + 1
    assert counts["events"] > 4000
    assert set(counts) <= {"events", "ignored", "control", "unknown_topic"}, counts


def test_documented_rest_book_is_an_image():
    for where, line in recorded("bybit", "docs_examples*.jsonl"):
        if b'"market/orderbook.mdx"' in line:
            body = json.dumps(json.loads(line)["example"]).encode()
            ours, model = decoder({"BTCUSDT": (0, 2, 8)}), Model({"BTCUSDT": (0, 2, 8)})
            outcome, topic, instrument, events = ours.explain(body, 0)
            assert (outcome, topic, instrument) == ("events", TOPIC_DEPTH, 0), where
            assert events == model.decode_snapshot(0, body)[1]


@given(st.sampled_from(SPELLABLE), st.randoms(use_true_random=False))
def test_order_of_keys_and_white_space_change_nothing(frame, rng):
    expected = OURS.explain(frame)
    outcome, _, _, events = OURS.explain(spaced(shuffle(parse(frame), rng), rng).encode())
    assert (outcome, events) == (expected[0], expected[3])


@given(st.sampled_from(SPELLABLE), st.randoms(use_true_random=False), st.text(max_size=12), ANY_JSON)
def test_a_field_nobody_knows_changes_nothing(frame, rng, name, value):
    """Whatever stands in it: escapes, brackets in strings, other nesting, letters of any script."""
    expected = OURS.explain(frame)
    more = json.dumps(with_field(json.loads(frame), "new " + name, value, rng), ensure_ascii=rng.random() < 0.5)
    outcome, _, _, events = OURS.explain(more.encode())
    assert (outcome, events) == (expected[0], expected[3])


@pytest.mark.parametrize(
    "frame, place",
    [
        (b'{"topic":"orderbook.50.BTCUSDT","type":"delta","data":{"b":[["1', (TOPIC_DEPTH, 0)),
        (b'{"topic":"orderbook.1.BTCUSD","type":"snap', (TOPIC_BBO, 1)),
        (b'{"topic":"publicTrade.BTCUSDT"', (TOPIC_TRADES, 0)),
        (
            b'{"topic":"publicTrade.BTC","data":[{"i":"1","s":"BTC-26DEC26-90000-C","p":"x","v":"1","S":"Buy"}]}',
            (TOPIC_TRADES, 2),
        ),
        (b'{"type":"delta","topic":"orderbook.50.BTCUSDT","cts":[]', (TOPIC_DEPTH, 0)),
    ],
)
def test_a_broken_frame_says_whose_it_was(frame, place):
    outcome, topic, instrument, events = OURS.explain(frame)
    assert (outcome, (topic, instrument), events) == ("malformed", place, [])


def test_more_rows_than_any_venue_sends_are_refused():
    row = '{"i":"1","s":"BTCUSDT","p":"1","v":"1","S":"Buy"}'
    assert OURS.explain(('{"topic":"publicTrade.BTCUSDT","data":[' + ",".join([row] * 8192) + "]}").encode())[0] == "events"
    assert OURS.explain(('{"topic":"publicTrade.BTCUSDT","data":[' + ",".join([row] * 8193) + "]}").encode())[0] == "oversized"


def test_an_image_for_an_unknown_index_is_refused():
    assert OURS.explain(BODIES[0], 3)[0] == OURS.explain(BODIES[0], -1)[0] == "unknown_symbol"


@pytest.mark.parametrize("snapshot_of, frames, n", [(None, PUSHES, 17_000), (0, BODIES, 3_000)], ids=["pushes", "rest"])
def test_a_mutant_gives_the_models_events_or_is_refused_by_both(snapshot_of, frames, n):
    meaningful = [frame for frame in frames if OURS.explain(frame, snapshot_of)[0] == "events"]
    read = 0
    for mutant in mutants(6 * meaningful + frames, n, "bybit", KEYS):
        outcome, _, _, events = OURS.explain(mutant, snapshot_of)
        expected, its_events = MODEL.decode(mutant) if snapshot_of is None else MODEL.decode_snapshot(snapshot_of, mutant)
        assert (outcome == "events", events) == (expected == "events", its_events), mutant
        read += outcome == "events"
    assert read > n / 10


@pytest.mark.parametrize(
    "spelled",
    [
        b'{"\\u0074opic":"orderbook.50.BTCUSDT","type":"delta","ts":7,"data":{"s":"BTCUSDT","b":[],"a":[["1","2"]],"u":5,"seq":6},"cts":4}',
        b'{"topic":"orderbook\\u002e50.BTC\\u0055SDT","type":"d\\u0065lta","ts":7,"data":{"s":"BTCUSDT","b":[],"a":[["1","2"]],"u":5,"seq":6},"cts":4}',
        b'{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":7,"data":{"\\u0073":"\\u0042TCUSDT","b":[],"\\u0061":[["1","2"]],"u":5,"s\\u0065q":6},'
        b'"\\u0063ts":4}',
    ],
)
def test_an_escape_means_its_letter_in_keys_and_names(spelled):
    """A `cts` written with an escape was once an unknown field: the event had another time."""
    plain = b'{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":7,"data":{"s":"BTCUSDT","b":[],"a":[["1","2"]],"u":5,"seq":6},"cts":4}'
    assert OURS.explain(spelled) == OURS.explain(plain)
    assert OURS.explain(plain)[3][0]["ts_event"] == 4_000_000


@pytest.mark.parametrize("number", ["18446744073709551616", "36893488147419103232", "1844674407370955161600"])
def test_a_number_whose_low_64_bits_are_zero_is_too_large_and_not_zero(number):
    """A quantity of 2**64 once removed its level."""
    frame = f'{{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":7,"data":{{"s":"BTCUSDT","b":[["1","{number}"]],"a":[],"u":5,"seq":6}}}}'
    assert OURS.explain(frame.encode())[0] == "overflow"


def test_a_topic_without_a_symbol_is_no_topic_of_ours():
    """Its rows once counted as trades of whatever symbol they named."""
    rows = '[{"i":"1","s":"BTCUSDT","p":"1","v":"1","S":"Buy"}]'
    assert OURS.explain(f'{{"topic":"publicTrade","data":{rows}}}'.encode())[0] == "unknown_topic"


def test_a_rest_book_of_a_nameless_symbol_is_not_the_one_asked_for():
    assert OURS.explain(BODIES[0].replace(b'"s":"BTCUSDT"', b'"s":""'), 0)[0] == "malformed"
    assert OURS.explain(BODIES[0].replace(b'"s":"BTCUSDT",', b""), 0)[0] == "events"


def test_what_the_venue_writes_today_is_read_in_one_go():
    """Speed rests on it. Options go the long way, and so does what was written before there were `cts` and `seq`."""
    normalizer = decoder({"BTCUSDT": (0, SCALE, SCALE), "BTCUSD": (1, SCALE, SCALE), "BTC-25JUN27-106000-C-USDT": (2, SCALE, SCALE)})
    for case in cases(FIXTURES / "documented.txt"):
        snapshot_of, frame, meaning = case.values
        if snapshot_of is None and meaning[0].split()[0] in ("snapshot", "depth", "bbo", "trade"):
            today = b"publicTrade" in frame or b'"cts"' in frame
            assert takes(normalizer.symbols, frame) == (today and b'"seq"' in frame and b"BTC-25JUN27" not in frame), frame


def test_what_is_read_in_one_go_is_read_alike_the_long_way():
    """White space before a frame sends it the long way."""
    taken = 0
    for mutant in mutants([frame for frame in PUSHES if takes(OURS.symbols, frame)], 6_000, "in one go", KEYS):
        if takes(OURS.symbols, mutant):
            taken += 1
            assert OURS.explain(mutant) == OURS.explain(b" " + mutant), mutant
    assert taken > 300


def test_numbers_of_any_length_read_as_in_the_model():
    rng = random.Random("numbers")
    known = {name: (ix, rng.choice((0, 1, 2, 3, 5, 8, 10, 11, 18)), rng.choice((0, 1, 3, 5, 8, 10, 11, 18))) for ix, name in enumerate(NAMES.split())}
    ours, model = decoder(known), Model(known)
    read = taken = 0
    for _ in range(3_000):
        name = rng.choice(NAMES.split())
        _, px, qty = known[name]
        ts, cts, u, seq = milliseconds(rng), milliseconds(rng), whole(rng), whole(rng)
        rows = [[f'["{number(rng, px)}","{number(rng, qty)}"]' for _ in range(rng.choice((0, 1, 1, 2, 5)))] for _ in range(2)]
        type_ = rng.choice(("snapshot", "delta"))
        head = rng.choice((f'"type":"{type_}","ts":{ts}', f'"ts":{ts},"type":"{type_}"'))
        depth = rng.choice(("1", "50", "200", "1000", "500"))
        frame = (
            f'{{"topic":"orderbook.{depth}.{name}",{head},"data":{{"s":"{name}","b":[{",".join(rows[0])}],"a":[{",".join(rows[1])}],'
            f'"u":{u},"seq":{seq}}},"cts":{cts}}}'
        )
        if rng.random() < 0.3:
            sides, marks = rng.choice(("Buy", "Sell")), rng.choice(('"BT":false,"RPI":false', '"BT":true,"RPI":false', '"BT":false,"RPI":true'))
            id_ = rng.choice((whole(rng), "ab76cb24-30df-59ce-8a55-f07fd91ff646", "x" * rng.randint(1, 41)))
            row = rng.choice(
                (
                    f'{{"T":{ts},"s":"{name}","S":"{sides}","v":"{number(rng, qty)}","p":"{number(rng, px)}","L":"ZeroPlusTick","i":"{id_}",{marks},"seq":{seq}}}',
                    f'{{"i":"{id_}","T":{ts},"p":"{number(rng, px)}","v":"{number(rng, qty)}","S":"{sides}","seq":{seq},"s":"{name}",{marks}}}',
                )
            )
            frame = f'{{"topic":"publicTrade.{name}",{head},"data":[{",".join([row] * rng.randint(1, 3))}]}}'
        outcome, _, _, events = ours.explain(frame.encode())
        expected, its_events = model.decode(frame.encode())
        assert (outcome == "events", events) == (expected == "events", its_events), frame
        read += outcome == "events"
        taken += takes(ours.symbols, frame.encode())
    assert read > 900 and taken > read / 3  # what has a scale above 10 goes the long way


def test_an_update_numbered_1_is_a_new_book_whatever_it_is_called():
    pipeline = pipeline_for("bybit_linear", ())
    add(pipeline, "BTCUSDT", px_scale=2, qty_scale=3, tick=10)

    def frame(type_, u, bids, asks):
        data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": u, "seq": 546137962000 + u}
        push = {"topic": "orderbook.1000.BTCUSDT", "type": type_, "ts": 1790001000407, "data": data, "cts": 1790001000404}
        return pipeline.feed_bytes(json.dumps(push, separators=(",", ":")).encode(), 1)

    assert frame("snapshot", 71, [["100.1", "1"]], [["100.2", "1"]]) == "events"
    assert frame("delta", 72, [["100.0", "2"]], []) == "events"
    assert frame("delta", 1, [["90.0", "5"]], [["90.1", "6"]]) == "events"
    assert frame("delta", 2, [["89.9", "7"]], []) == "events"
    book = pipeline.book(0)
    assert (book["bids"], book["asks"]) == ([("90", "5"), ("89.9", "7")], [("90.1", "6")]) and pipeline.states() == ["synced"]
    assert pipeline.instrument_counters(0)["gaps"] == 0
    frame("delta", 4, [], [])
    assert pipeline.states() == ["invalid"]


def test_an_image_of_any_size_is_read_in_one_go_until_none_is_that_large():
    def image(n):
        rows = [",".join(f'["{first + i}.5","{i + 1}.125"]' for i in range(n)) for first in (100_000, 300_000)]
        return (
            f'{{"topic":"orderbook.1000.BTCUSDT","type":"snapshot","ts":1790001000407,"data":{{"s":"BTCUSDT","b":[{rows[0]}],"a":[{rows[1]}],'
            '"u":7,"seq":8},"cts":1790001000404}'
        ).encode()

    for n in (2_047, 2_048, 2_049, 5_000, 32_768):
        assert takes(OURS.symbols, image(n))
        outcome, _, _, events = OURS.explain(image(n))
        assert outcome == "events" and [len(events[0][side]) for side in ("bids", "asks")] == [n, n]
        assert OURS.explain(b" " + image(n))[3] == events
    assert not takes(OURS.symbols, image(32_769))
    assert OURS.explain(image(32_769))[0] == "oversized"
