"""Every door that hostile bytes can come through, by name, with its share of the time."""

from functools import partial

from tests.fuzz.decoders import Decoder
from tests.fuzz.deliveries import Answers, Replies, Requests
from tests.fuzz.facts import SYMBOLS, Facts, KeyFiles, Orders
from tests.fuzz.films import Films, Stored
from tests.fuzz.pipelines import MARKETS, Pipelines
from tests.fuzz.readers import Configurations, FaultSpecs, Recordings, RestAnswers
from tests.fuzz.segments import Segments
from tests.fuzz.target import Row

TARGETS = {
    "frames_binance_spot": Row(partial(Decoder, venue="binance"), 10),
    "frames_binance_usdm": Row(partial(Decoder, venue="binance", futures=True), 10),
    "frames_bybit": Row(partial(Decoder, venue="bybit"), 12),
    "frames_okx": Row(partial(Decoder, venue="okx"), 12),
    "books_binance": Row(partial(Decoder, venue="binance", rest=True), 3),
    "books_bybit": Row(partial(Decoder, venue="bybit", rest=True), 3),
    "books_okx": Row(partial(Decoder, venue="okx", rest=True), 3),
    **{f"road_{name}": Row(partial(Pipelines, name=name), 6) for name in MARKETS},
    "replies": Row(Replies, 5),
    "outbox": Row(Answers, 5),
    "segments": Row(Segments, 2),
    "films": Row(Films, 2),
    "stored": Row(Stored, 2),
    "requests": Row(Requests, 4),
    "configurations": Row(Configurations, 3),
    "recordings": Row(Recordings, 3),
    "fault_specs": Row(FaultSpecs, 0.5),
    **{f"facts_{name}": Row(partial(Facts, name=name), 1) for name in SYMBOLS},
    **{f"orders_{exchange}": Row(partial(Orders, exchange=exchange), 0.5) for exchange in ("binance", "bybit", "okx")},
    "key_files": Row(KeyFiles, 0.5),
    **{f"answers_{name}": Row(partial(RestAnswers, name=name), 1) for name in ("binance_spot", "binance_coinm", "bybit_linear", "okx_swap", "okx_futures")},
}
