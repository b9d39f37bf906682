"""Binance frames and REST books against hand-checked goldens, an independent decoder, and everything that mutation can make of them."""

import gzip
import json
import os
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cext.venues.binance.normalizer import BinanceNormalizer

from tests.cext.venues.binance_model import Model
from tests.cext.venues.mutants import mutants

FIXTURES = Path(__file__).parent / "binance"
RECORDINGS = Path(os.environ.get("P9_RECORDINGS", Path(__file__).parents[4] / "shared" / "recordings")) / "binance"

# venue symbol: (decimals of the tick + 2, decimals of the step + 2), as the instruments' loader scales them
SCALES = {
    "spot": {"BTCUSDT": (4, 7), "BNBBTC": (8, 5)},
    "usdm": {"BTCUSDT": (3, 6), "ETHUSDT": (4, 5), "币安人生USDT": (6, 2)},
    "coinm": {"BTCUSD_PERP": (3, 2)},
}


def decoders(market, scales):
    """Ours and the model, knowing the same instruments by the symbol and by its stream name."""
    ours = BinanceNormalizer(futures=market != "spot")
    known = {}
    for symbol, (px_scale, qty_scale) in scales.items():
        ix = ours.symbols.add(symbol.encode(), px_scale, qty_scale)
        ours.symbols.alias(symbol.lower().encode(), ix)
        known[symbol] = known[symbol.lower()] = (ix, px_scale, qty_scale)
    return ours, Model(known, futures=market != "spot")


@pytest.mark.parametrize("path", sorted(p for p in FIXTURES.glob("*.jsonl") if ".golden." not in p.name), ids=lambda p: p.stem)
def test_golden(path):
    """One line a frame, one line a decoding. P9_UPDATE_GOLDEN=1 rewrites; the diff is the review."""
    market, shape = path.stem.split("_", 1)
    ours, model = decoders(market, SCALES[market])
    rest = shape.startswith("rest_")
    lines = []
    for frame in path.read_bytes().splitlines():
        outcome, topic, instrument, events = ours.explain(frame, 0 if rest else None)
        said, expected = model.decode_snapshot(0, frame) if rest else model.decode(frame)
        assert events == expected, (frame, said)
        lines.append(json.dumps({"outcome": outcome, "topic": topic, "instrument": instrument, "events": events}, ensure_ascii=False))
    golden = path.with_suffix(".golden.jsonl")
    if os.environ.get("P9_UPDATE_GOLDEN") == "1":
        golden.write_text("\n".join(lines) + "\n")
    assert lines == golden.read_text().splitlines()


def recorded(pattern):
    """(file name, [(frame or body, symbol that a body was asked for)]) of the recordings that fit; says so when there are none."""
    paths = sorted(RECORDINGS.glob(pattern))
    if not paths:
        pytest.skip(f"no recordings {pattern} in {RECORDINGS} (P9_RECORDINGS names the folder above it)")
    for path in paths:
        lines = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).splitlines()
        if ".txt" in path.suffixes:  # <time> <frame>, the REST book among them
            lines = [line.split(b" ", 1)[1] for line in lines]
            own = next(json.loads(line)["data"]["s"] for line in lines if b'"depthUpdate"' in line)
            yield path.name, [(line, own if line.startswith(b'{"lastUpdateId"') else None) for line in lines]
        elif path.name.startswith("rec_"):  # {"url":…,"recv_s":…,"raw":<frame or body>}
            asked = [parse_qs(urlsplit(json.loads(line).get("url", "")).query).get("symbol", [None])[0] for line in lines]
            yield path.name, [(line[line.index(b'"raw":') + 6 : -1], symbol) for line, symbol in zip(lines, asked, strict=True)]
        else:
            yield path.name, [(line, None) for line in lines]


def symbols_in(frames):
    """Every symbol that the frames name, at scales that hold any of them."""
    names = set()
    for frame, asked in frames:
        message = json.loads(frame)
        data = message.get("data", message)
        names |= {asked} - {None} if asked else {data["s"]} if "s" in data else set()
    return dict.fromkeys(sorted(names), (8, 8))


@pytest.mark.parametrize("pattern", ["rec_spot_btc*", "rec_usdm_btc*", "rec_coinm_btc*", "rec_*cryptofeed*", "live_usdm_market*", "sample_ws_control*"])
def test_recordings_decode_as_the_model_reads_them(pattern):
    for name, frames in recorded(pattern):
        ours, model = decoders("spot" if "_spot_" in name else "futures", symbols_in(frames))
        counts = {}
        for frame, asked in frames:
            ix = ours.symbols.index(asked.encode()) if asked else None
            said, expected = model.decode_snapshot(ix, frame) if asked else model.decode(frame)
            outcome, _, _, events = ours.explain(frame, ix)
            assert outcome == said or (outcome, said) == ("control", "unknown_topic"), (name, frame)
            assert events == expected, (name, frame)
            counts[outcome] = counts.get(outcome, 0) + 1
        if name.startswith("rec_"):
            assert counts["events"] > 0.95 * len(frames), (name, counts)


KEYS = "stream data e E T s S ps st U u pu b B a A t p ap q nq z f l m M X o lastUpdateId bids asks symbol pair result error code id"


@pytest.mark.parametrize("market, n", [("spot", 9000), ("usdm", 9000), ("coinm", 4000)])
def test_a_mutant_gives_the_models_events_or_is_refused_by_both(market, n):
    ours, model = decoders(market, SCALES[market])
    paths = [path for path in sorted(FIXTURES.glob(f"{market}_*.jsonl")) if ".golden." not in path.name]
    read = 0
    for rest, share in ((False, 0.9), (True, 0.1)):
        frames = [frame for path in paths if ("_rest_" in path.name) == rest for frame in path.read_bytes().splitlines()]
        snapshot_of = 0 if rest else None
        meaningful = [frame for frame in frames if ours.explain(frame, snapshot_of)[0] == "events"]
        for mutant in mutants(6 * meaningful + frames, int(n * share), f"binance/{market}", KEYS):
            outcome, _, _, events = ours.explain(mutant, snapshot_of)
            said, expected = model.decode_snapshot(0, mutant) if rest else model.decode(mutant)
            assert (outcome == "events", events) == (said == "events", expected), mutant
            assert ours.explain(b" " + mutant, snapshot_of)[3] == events, mutant  # the road without the fast reading
            read += outcome == "events"
    assert read > n / 10


@pytest.mark.parametrize("digits", range(1, 20))
def test_ids_and_numbers_of_every_length_are_read_alike_on_both_roads(digits):
    ours, model = decoders("usdm", SCALES["usdm"])
    for number in ("1" * digits, "9" * digits, "1" + "0" * (digits - 1), "0" * digits):
        for price in (number, number[:-1] + "." + number[-1:], number[:1] + "." + number[1:], "0." + number):
            for frame in (
                f'{{"stream":"btcusdt@depth","data":{{"e":"depthUpdate","E":{number},"T":17,"s":"BTCUSDT","U":1,"u":{number},"pu":{number},'
                f'"b":[["{price}","{price}"],["1.0","{price}"]],"a":[["{price}","1"]]}}}}',
                f'{{"stream":"btcusdt@bookTicker","data":{{"e":"bookTicker","u":{number},"s":"BTCUSDT","b":"{price}","B":"{price}","a":"{price}",'
                f'"A":"{price}","T":1,"E":{number}}}}}',
                f'{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":1,"a":{number},"s":"BTCUSDT","p":"{price}","q":"{price}","f":1,'
                f'"l":{number},"T":{number},"m":true}}}}',
            ):
                frame = frame.encode()
                said, expected = model.decode(frame)
                outcome, _, _, events = ours.explain(frame)
                assert (outcome, events) == (said, expected), frame
                assert ours.explain(b" " + frame)[::3] == (outcome, events), frame
