"""A venue that counts its times in another unit from one day to the next: the same moment is read, never one of 1970."""

import re
from pathlib import Path

import pytest
from cext.venues.binance.normalizer import BinanceNormalizer
from cext.venues.bybit import BybitNormalizer
from cext.venues.okx import OkxNormalizer

from tests.cext.venues.frames import fixtures

HERE = Path(__file__).parent
STAMP = re.compile(rb'("(?:E|T|ts|cts|C|updatedTime)":"?)(\d{13})(?=["},])')
VENUES = {
    "binance": (lambda: BinanceNormalizer(futures=True), ("BTCUSDT", "ETHUSDT"), ("usdm_depth", "usdm_bbo", "usdm_trades")),
    "bybit": (BybitNormalizer, ("BTCUSDT", "BTCUSD", "SOLUSDT"), ("book_delta", "bbo", "trades")),
    "okx": (OkxNormalizer, ("SOL-USDT", "BTC-USD-SWAP"), ("books", "bbo", "trades")),
}


@pytest.mark.parametrize("venue", VENUES)
def test_pain_16_seconds_and_microseconds_are_told_by_their_size(venue):
    make, symbols, shapes = VENUES[venue]
    normalizer = make()
    for symbol in symbols:
        ix = normalizer.symbols.add(symbol.encode(), 8, 8)
        if venue == "binance":
            normalizer.symbols.alias(symbol.lower().encode(), ix)
    compared = 0
    for path in fixtures(HERE / venue):
        if path.stem not in shapes:
            continue
        for frame in path.read_bytes().splitlines():
            outcome, _, _, events = normalizer.explain(frame)
            if outcome != "events" or not STAMP.search(frame):
                continue
            micro = normalizer.explain(STAMP.sub(rb"\g<1>\g<2>000", frame))
            assert (micro[0], micro[3]) == ("events", events), frame
            whole = normalizer.explain(STAMP.sub(lambda found: found[1] + found[2][:10], frame))
            assert whole[0] == "events"
            seconds = [event | {"ts_event": event["ts_event"] // 10**9 * 10**9 if event["ts_event"] > 0 else event["ts_event"]} for event in events]
            assert whole[3] == seconds, frame
            nano = normalizer.explain(STAMP.sub(rb"\g<1>\g<2>000000", frame))
            assert nano[0] == "malformed" and not nano[3], "no venue ever told them: refused and counted"
            compared += 1
    assert compared >= 5
