"""OKX frames and REST books: goldens checked by hand, an independent reading, other spellings, mutations."""

import json
import random
from pathlib import Path

import pytest
from cext.venues.okx import OkxNormalizer
from cext.venues.okx_plain import takes
from hypothesis import given
from hypothesis import strategies as st

from tests.cext.pipelines import add, pipeline_for
from tests.cext.venues.documented import SCALE, cases, told
from tests.cext.venues.frames import ANY_JSON, against_golden, fixtures, is_json, parse, recorded, shuffle, spaced, with_field
from tests.cext.venues.mutants import NAMES, milliseconds, mutants, number, whole
from tests.cext.venues.okx_model import Model

FIXTURES = Path(__file__).parent / "okx"
KNOWN = {"SOL-USDT": (0, 3, 8), "BTC-USD-SWAP": (1, 2, 2)}
TOPIC_DEPTH, TOPIC_BBO, TOPIC_TRADES = 1, 2, 3


def decoder(known):
    normalizer = OkxNormalizer()
    for symbol, (ix, px_scale, qty_scale) in known.items():
        assert normalizer.symbols.add(symbol.encode(), px_scale, qty_scale) == ix
    return normalizer


OURS, MODEL = decoder(KNOWN), Model(KNOWN)
PUSHES = [frame for path in fixtures(FIXTURES) if not path.name.startswith("rest_") for frame in path.read_bytes().splitlines()]
SPELLABLE = [frame for frame in PUSHES if is_json(frame)]
BODIES = (FIXTURES / "rest_book.jsonl").read_bytes().splitlines()
KEYS = "arg action data event channel instId asks bids ts seqId prevSeqId checksum tradeId px sz side count source code msg details bkPx posSide instType"


@pytest.mark.parametrize("path", fixtures(FIXTURES), ids=lambda path: path.stem)
def test_golden(path):
    against_golden(path, lambda frame: OURS.explain(frame, 0 if path.name.startswith("rest_") else None))


def ids(event):
    """`seqId` and `prevSeqId` of a book; of a trade the ids of its fills, and `seqId`."""
    seq = "-" if event["cross_id"] < 0 else event["cross_id"]
    if event["kind"] == "trade":
        return f"fills={event['first_id']}..{event['last_id']} seq={seq}"
    assert event["last_id"] == event["cross_id"] and event["first_id"] == -1
    return f"seq={seq} prev={'-' if event['prev_id'] < 0 else event['prev_id']}"


@pytest.mark.parametrize("snapshot_of, frame, meaning", cases(FIXTURES / "documented.txt"))
def test_a_frame_means_what_the_documentation_says(snapshot_of, frame, meaning):
    names = ("SOL-USDT", "BTC-USD-SWAP", "ETH-USD-220429-1900-P")
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
    frames = [*recorded("okx", "ws_*.jsonl"), *recorded("okx", "DERIVED_*.jsonl")]
    scales = {}
    for _, frame in frames:
        push = parse(frame)
        name = push.get("arg", {}).get("instId", "-")
        for row in push.get("data", []):
            pairs = [(row.get("px", "0"), row.get("sz", "0"))] + [level[:2] for level in row.get("asks", []) + row.get("bids", [])]
            for pair in pairs:
                finer = [len(text.partition(".")[2]) for text in pair]
                scales[name] = [max(had, needed) for had, needed in zip(scales.get(name, (0, 0)), finer, strict=True)]
    known = {name: (ix, *scales[name]) for ix, name in enumerate(sorted(scales))}
    ours, model = decoder(known), Model(known)
    counts = {}
    for where, frame in frames:
        outcome, _, _, events = ours.explain(frame)
        assert (outcome, events) == model.decode(frame), where
        counts[outcome] = counts.get(outcome, 0) + 1
    assert counts["events"] > 4000
    assert set(counts) <= {"events", "ignored", "control"}, counts


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
        (b'{"arg":{"channel":"books","instId":"SOL-USDT"},"action":"update","data":[{"asks":[["1', (TOPIC_DEPTH, 0)),
        (b'{"arg":{"channel":"bbo-tbt","instId":"BTC-USD-SWAP"},"data":{}}', (TOPIC_BBO, 1)),
        (b'{"arg":{"channel":"trades","instId":"SOL-USDT"},"data":[{"px":"x"}]', (TOPIC_TRADES, 0)),
        (b'{"data":[],"arg":{"channel":"trades-all","instId":"SOL-USDT"}', (TOPIC_TRADES, 0)),
    ],
)
def test_a_broken_frame_says_whose_it_was(frame, place):
    outcome, topic, instrument, events = OURS.explain(frame)
    assert (outcome, (topic, instrument), events) == ("malformed", place, [])


def test_more_rows_than_any_venue_sends_are_refused():
    row = '{"tradeId":"1","px":"1","sz":"1","side":"buy"}'
    head = '{"arg":{"channel":"trades","instId":"SOL-USDT"},"data":['
    assert OURS.explain((head + ",".join([row] * 8192) + "]}").encode())[0] == "events"
    assert OURS.explain((head + ",".join([row] * 8193) + "]}").encode())[0] == "oversized"


def test_an_image_for_an_unknown_index_is_refused():
    assert OURS.explain(BODIES[0], 2)[0] == OURS.explain(BODIES[0], -1)[0] == "unknown_symbol"


@pytest.mark.parametrize("snapshot_of, frames, n", [(None, PUSHES, 17_000), (0, BODIES, 3_000)], ids=["pushes", "rest"])
def test_a_mutant_gives_the_models_events_or_is_refused_by_both(snapshot_of, frames, n):
    meaningful = [frame for frame in frames if OURS.explain(frame, snapshot_of)[0] == "events"]
    read = 0
    for mutant in mutants(6 * meaningful + frames, n, "okx", KEYS):
        outcome, _, _, events = OURS.explain(mutant, snapshot_of)
        expected, its_events = MODEL.decode(mutant) if snapshot_of is None else MODEL.decode_snapshot(snapshot_of, mutant)
        assert (outcome == "events", events) == (expected == "events", its_events), mutant
        read += outcome == "events"
    assert read > n / 10


@pytest.mark.parametrize(
    "spelled",
    [
        b'{"\\u0061rg":{"ch\\u0061nnel":"book\\u0073","instId":"SOL\\u002dUSDT"},"action":"upd\\u0061te",'
        b'"data":[{"asks":[],"bids":[["1","2","0","1"]],"ts":"7","seqId":5,"prevSeqId":4}]}',
        b'{"arg":{"channel":"books","inst\\u0049d":"SOL-USDT"},"\\u0061ction":"update",'
        b'"d\\u0061ta":[{"asks":[],"bid\\u0073":[["1","2","0","1"]],"t\\u0073":"7","seqId":5,"prevSeq\\u0049d":4}]}',
    ],
)
def test_an_escape_means_its_letter_in_keys_and_names(spelled):
    """A `prevSeqId` written with an escape was once an unknown field: every such frame would have been a gap."""
    plain = (
        b'{"arg":{"channel":"books","instId":"SOL-USDT"},"action":"update",'
        b'"data":[{"asks":[],"bids":[["1","2","0","1"]],"ts":"7","seqId":5,"prevSeqId":4}]}'
    )
    assert OURS.explain(spelled) == OURS.explain(plain)
    assert OURS.explain(plain)[3][0]["prev_id"] == 4


def test_a_rest_book_of_a_nameless_instrument_is_not_the_one_asked_for():
    assert OURS.explain(BODIES[0].replace(b'"ts":', b'"instId":"","ts":'), 0)[0] == "malformed"


def test_what_the_venue_writes_today_is_read_in_one_go():
    """Speed rests on it. What was written before there was a seqId goes the long way, and so does trades-all."""
    normalizer = decoder({"SOL-USDT": (0, SCALE, SCALE), "BTC-USD-SWAP": (1, SCALE, SCALE)})
    for case in cases(FIXTURES / "documented.txt"):
        snapshot_of, frame, meaning = case.values
        if snapshot_of is None and meaning[0].split()[0] in ("snapshot", "depth", "bbo", "trade"):
            today = b'"seqId"' in frame and (b'"prevSeqId"' in frame or b'"books"' not in frame)
            assert takes(normalizer.symbols, frame) == today, frame


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
        ts, seq, prev = milliseconds(rng), whole(rng), whole(rng)
        orders = rng.choice((1, 3, 6, 9))
        rows = [
            [f'["{number(rng, px)}","{number(rng, qty)}","0","{rng.randrange(10**orders)}"]' for _ in range(rng.choice((0, 1, 1, 2, 5)))] for _ in range(2)
        ]
        sides = f'"asks":[{",".join(rows[0])}],"bids":[{",".join(rows[1])}],"ts":"{ts}"'
        crc = rng.choice(("0", "-0", str(rng.randrange(-(2**31), 2**31)), "2147483648", "-2147483649"))
        kind = rng.randrange(3)
        channel = ("books", "books50-l2-tbt", "books-l2-tbt")[rng.randrange(3)]
        frame = (
            f'{{"arg":{{"channel":"{channel}","instId":"{name}"}},"action":"{rng.choice(("update", "snapshot"))}","data":[{{{sides},"checksum":{crc},'
            f'"seqId":{seq},"prevSeqId":{prev}}}]}}'
        )
        if kind == 1:
            frame = f'{{"arg":{{"channel":"bbo-tbt","instId":"{name}"}},"data":[{{{sides},"seqId":{seq}}}]}}'
        elif kind == 2:
            row = (
                f'{{"instId":"{name}","tradeId":"{whole(rng)}","px":"{number(rng, px)}","sz":"{number(rng, qty)}","side":"{rng.choice(("buy", "sell"))}",'
                f'"ts":"{ts}","count":"{rng.choice(("1", "1", "26", whole(rng)))}","source":"{rng.choice("001")}","seqId":{seq}}}'
            )
            frame = f'{{"arg":{{"channel":"trades","instId":"{name}"}},"data":[{",".join([row] * rng.randint(1, 3))}]}}'
        outcome, _, _, events = ours.explain(frame.encode())
        expected, its_events = model.decode(frame.encode())
        assert (outcome == "events", events) == (expected == "events", its_events), frame
        read += outcome == "events"
        taken += takes(ours.symbols, frame.encode())
    assert read > 900 and taken > read / 3  # what has a scale above 10 goes the long way


def test_the_documented_chain_of_ids_is_no_gap_anywhere():
    """(-1,10) (10,15) (15,15) (15,3) (3,5): an image, a change, a keep-alive, a reset by maintenance, and on; then a hole."""
    pipeline = pipeline_for("okx_spot", ())
    add(pipeline, "SOL-USDT", px_scale=3, qty_scale=8, tick=1)

    def frame(action, prev, seq, bids=(), asks=()):
        data = {"asks": asks, "bids": bids, "ts": "1790000878000", "checksum": 0, "seqId": seq, "prevSeqId": prev}
        push = {"arg": {"channel": "books", "instId": "SOL-USDT"}, "action": action, "data": [data]}
        return pipeline.feed_bytes(json.dumps(push, separators=(",", ":")).encode(), 1)

    bid, ask = [["120.6", "2", "0", "1"]], [["120.7", "1", "0", "1"]]
    chain = (("snapshot", -1, 10, bid), ("update", 10, 15, (), ask), ("update", 15, 15), ("update", 15, 3, [["120.5", "3", "0", "1"]]), ("update", 3, 5))
    assert {frame(*each) for each in chain} == {"events"}
    counters = pipeline.instrument_counters(0)
    assert [counters[name] for name in ("images", "applied", "keepalives", "stale", "gaps")] == [1, 3, 1, 0, 0]
    assert pipeline.book(0)["bids"] == [("120.6", "2"), ("120.5", "3")] and pipeline.states() == ["synced"]
    frame("update", 7, 9)
    assert pipeline.states() == ["invalid"]


def test_an_image_of_any_size_is_read_in_one_go_until_none_is_that_large():
    def image(n):
        rows = [",".join(f'["{first + i}.5","{i + 1}.125","0","1"]' for i in range(n)) for first in (300_000, 100_000)]
        return (
            f'{{"arg":{{"channel":"books","instId":"SOL-USDT"}},"action":"snapshot","data":[{{"asks":[{rows[0]}],"bids":[{rows[1]}],'
            '"ts":"1790001000407","checksum":0,"seqId":7,"prevSeqId":-1}]}'
        ).encode()

    for n in (2_047, 2_048, 2_049, 5_000, 32_768):
        assert takes(OURS.symbols, image(n))
        outcome, _, _, events = OURS.explain(image(n))
        assert outcome == "events" and [len(events[0][side]) for side in ("bids", "asks")] == [n, n]
        assert OURS.explain(b" " + image(n))[3] == events
    assert not takes(OURS.symbols, image(32_769))
    assert OURS.explain(image(32_769))[0] == "oversized"
