"""The decoders: every mutant is survived, and a share of them, whatever they have become, is read by the slow models too: the same events, or none.

`explain` gives each frame a block of memory of its own, exactly as long as the frame: a read of one byte past its end is the sanitizer's to see.
"""

import re
from random import Random

from cext.venues.binance.normalizer import BinanceNormalizer
from cext.venues.bybit import BybitNormalizer
from cext.venues.okx import OkxNormalizer

from tests.cext.venues import binance_model, bybit_model, okx_model
from tests.fuzz import corpus
from tests.fuzz.mutator import Mutator
from tests.fuzz.target import Finding, Target

MAX_INT64 = 2**63 - 1
NAME = re.compile(rb'"(?:s|instId|symbol)":\s*"([A-Za-z0-9_-]{3,30})"')
SCALES = [(2, 5), (1, 3), (8, 8), (4, 0), (0, 0), (12, 4)]
MODEL_SHARE = 0.05


class Decoder(Target):
    """Frames, or (`rest`) the bodies of REST books, of one venue."""

    def __init__(self, random: Random, venue: str, *, rest: bool = False, futures: bool = False, share: float = MODEL_SHARE):
        super().__init__(random)
        seeds = corpus.bodies(venue) if rest else corpus.frames(venue)
        names = sorted({name for seed in corpus.frames(venue) + seeds for name in NAME.findall(seed)})[:40]
        self.known = {name.decode(): (ix, *SCALES[ix % len(SCALES)]) for ix, name in enumerate(names)}
        self.rest, self.share = rest, share
        self.ours, self.model = self._readers(venue, futures)
        self.mutate = Mutator(random, seeds, names)

    def _readers(self, venue: str, futures: bool):
        ours = {"binance": lambda: BinanceNormalizer(futures=futures), "bybit": BybitNormalizer, "okx": OkxNormalizer}[venue]()
        for name, (ix, px_scale, qty_scale) in list(self.known.items()):
            assert ours.symbols.add(name.encode(), px_scale, qty_scale) == ix
            if venue == "binance" and name.lower() != name:
                ours.symbols.alias(name.lower().encode(), ix)
                self.known[name.lower()] = (ix, px_scale, qty_scale)
        model = {"binance": binance_model, "bybit": bybit_model, "okx": okx_model}[venue].Model
        return ours, model(self.known, futures=futures) if venue == "binance" else model(self.known)

    def make(self) -> bytes:
        return self.mutate()

    def check(self, given: bytes) -> int:
        outcome, topic, instrument, events = self.ours.explain(given, 0 if self.rest else None)
        if outcome != "events":
            if events:
                raise Finding("events beside a refusal", outcome)
        else:
            for event in events:
                self._is_sound(event)
        if not 0 <= topic <= 6 or not -1 <= instrument < len(self.known):
            raise Finding("a place that is none", f"{topic} {instrument}")
        if self.random.random() < self.share:
            self._agrees(given, outcome, events)
        return 1

    def _is_sound(self, event: dict) -> None:
        rows = [(event["px"], event["qty"])] if event["kind"] in ("trade", "block", "liquidation") else [*event["bids"], *event["asks"]]
        if not all(0 <= px <= MAX_INT64 and 0 <= qty <= MAX_INT64 for px, qty in rows) or event["ts_event"] < -1 or event["last_id"] < -1:
            raise Finding("a number that is none", repr(event)[:300])
        if event["kind"] == "liquidation" and not (event["px"] and event["qty"] and 0 <= event["order_px"] <= MAX_INT64 and event["own_side"].isalpha()
                                                   and 0 <= event["px_scale"] <= 18 and 0 <= event["qty_scale"] <= 18):
            raise Finding("a liquidation of nothing", repr(event))
        if event["kind"] in ("trade", "block") and not re.fullmatch(r"[!#-\[\]-~]{1,40}", event["trade_id"]):
            raise Finding("a trade id that cannot be written", repr(event["trade_id"]))

    def _agrees(self, given: bytes, outcome: str, events: list) -> None:
        said, expected = self.model.decode_snapshot(0, given) if self.rest else self.model.decode(given)
        if events != expected:
            raise Finding(f"read as {outcome} what the model reads as {said}", f"{events!r:.300} / {expected!r:.300}")
