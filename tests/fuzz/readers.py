"""What people and venues hand us in cold code: configurations, recordings, fault specs, REST answers, replies to subscriptions.

Whatever it is, the answer is a result or an error of ours that says what is wrong; anything else is a finding.
"""

import contextlib
import gzip
import json
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from random import Random

import msgspec
from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline

from p9 import config
from p9.capture.recording import asked_symbol, read
from p9.capture.replay import scales_of
from p9.config import Config, text
from p9.errors import P9Error, RestError
from p9.instrument import Instrument
from p9.market.instruments import Instruments, load
from p9.publication import streams_of
from p9.simulate import faults
from p9.venue import market
from p9.venues.recognition import Recognition
from tests.fuzz import corpus
from tests.fuzz.deliveries import check_published
from tests.fuzz.mutator import Mutator
from tests.fuzz.target import Finding, Target

START_NS = 1_790_000_000_000_000_000


class Configurations(Target):
    """The YAML of a configuration file: a Config or a ConfigError."""

    SEEDS = (
        b"venues:\n  binance:\n    spot: {symbols: [BTC-USDT, 'ETH-USDT'], depth: 1000}\n  okx:\n    swap:\n      enabled: false\n",
        b"redis:\n  url: redis://localhost:6379/0\nanalytics:\n  candles: {close_delay: 250ms}\n  redis_publish_confirmer:\n    priority_queues: [CRITICAL, HIGH, MEDIUM, LOW]\n",
        b"capture: {max_held_frames: 2000, max_held_bytes: 8MB, timer: 50ms, rest_share: 0.5}\nlog: &a {level: info}\nhttp: *a\n",
        b"? a\n: - b\n<<: {x: 1}\n",
    )
    PIECES = (
        b"!!python/object/apply:os.system ['true']", b"!!binary aGk=", b"!!timestamp 2026-01-01", b"2026-01-01", b"&a [*a]", b"*a", b"<<: *a", b"? ", b"- ", b": ", b"{", b"}", b"[", b"]", b"|", b">",
        b"%YAML 9.9\n---\n", b"---\n", b"...\n", b"\t", b"\x00", b"\xff", "\ufeff".encode(), b"1e999", b".inf", b".nan", b"-.inf", b"0o17", b"0x1f", b"1_000", b"190:20:30", b"~", b"null", b"yes",
        b"on", b"!!set {a}", b"!!omap [a: 1]", b"!!pairs [a: 1]", b"!!float x", b"!!int x", b"!!bool x", b"!!null x", b"!!str [a]", b"!!map [a]", b"!!seq {a: 1}", b"!foo bar", b"? [a, b]\n: c",
        b"99999999999999999999999999ms", b"1e400s", b"-1s", b"24h", b"64kB", b"16MB", b"\xe2\x80\xa8", b"'", b'"', b"\\", b"!!merge x", b"=", b"!!value x", b"2001-99-99", b"2001-12-14t21:59:43.10-05:00",
    )  # fmt: skip

    def __init__(self, random: Random):
        super().__init__(random)
        self.seeds = [*self.SEEDS, text.render().encode()]
        self.mutate = Mutator(random, self.seeds)

    def make(self) -> bytes:
        random = self.random
        text = random.choice(self.seeds)
        if len(text) > 2000:  # a part of the long one: the whole is slow to read
            lines = text.splitlines(keepends=True)
            at = random.randrange(len(lines))
            text = b"".join(lines[at : at + 25]) if random.random() < 0.95 else text
        for _ in range(random.randrange(1, 4)):
            kind = random.random()
            if kind < 0.4:
                at = random.randrange(len(text) + 1)
                text = text[:at] + random.choice(self.PIECES) + text[at + random.choice((0, 0, 1, 5)) :]
            elif kind < 0.6:
                lines = text.splitlines(keepends=True) or [b""]
                i, j = random.randrange(len(lines)), random.randrange(len(lines))
                lines[i : i + random.randrange(2)] = [random.choice((lines[j], b"  " + lines[j], lines[j].lstrip()))]
                text = b"".join(lines)
            else:
                text = self.mutate.bytewise(text)
        return text[:20_000]

    def check(self, given: bytes) -> int:
        try:
            text = given.decode("utf-8-sig")
        except UnicodeDecodeError:
            return 1  # load() says so
        try:
            config.parse(text)
        except P9Error as error:
            str(error)
        return 1


class Recordings(Target):
    """Lines of a recording of any format: recorded frames or a RecordingError; and what a replay asks of each line."""

    def __init__(self, random: Random):
        super().__init__(random)
        frames = [frame for venue in ("binance", "bybit", "okx") for frame in corpus.frames(venue) if len(frame) < 1500 and b"\n" not in frame][:300]
        lines = []
        for n, frame in enumerate(frames):
            lines.append(
                (
                    b"%d %b" % (START_NS + n, frame),
                    b'{"recv_ns":%d,"market":"bybit_linear","raw":%b}' % (START_NS + n, frame),
                    b'{"recv_s":%d.25,"raw":%b,"url":"https://x/api/v3/depth?symbol=BTCUSDT&limit=5"}' % (1_790_000_000 + n, frame),
                    b'{"recv_ts":"1790000000.%d","msg":%b,"category":"linear"}' % (n, frame),
                    b'{"recv_ns":%d,"market":"okx_swap","raw":%b}' % (START_NS, json.dumps(frame.decode("utf-8", "replace")).encode()),
                    frame,
                )[n % 6]
            )
        lines += [b'{"recv_ns":1790000000000000000,"market":"bybit_linear","lost":12}', b"pong", b""]
        self.mutate = Mutator(random, lines)
        self.lines = lines
        self.folder = tempfile.TemporaryDirectory(prefix="p9-fuzz-")

    def make(self) -> bytes:
        random = self.random
        lines = [self.mutate() if random.random() < 0.5 else random.choice(self.lines) for _ in range(random.randrange(1, 12))]
        text = b"\n".join(lines)
        kind = random.random()
        if kind < 0.1:
            text = gzip.compress(text, 1)
            if kind < 0.05:
                text = self.mutate.bytewise(text)
        return text

    def check(self, given: bytes) -> int:
        path = Path(self.folder.name) / ("r.jsonl.gz" if given.startswith(b"\x1f\x8b") else "r.jsonl")
        path.write_bytes(given)
        lines = []
        try:
            for line in read(path):
                lines.append(line)
        except P9Error as error:
            str(error)
        named = Recognition(lines)
        for line in lines:
            named.market_of(line)
            scales = scales_of(line.raw)
            if not (0 <= scales[0] <= 18 and 0 <= scales[1] <= 18):
                raise Finding("scales that no book can have", f"{scales} {line.raw!r:.200}")
            if line.url:
                asked_symbol(line.url)
        return max(1, len(lines))


class FaultSpecs(Target):
    """`--faults`: rules or a FaultSpecError."""

    PIECES = (
        "drop:0.01", "duplicate:1", "reorder:0.5", "malformed:0", "disconnect:30s", "mute:60s/5s", "stale_snapshot:0.2", "http_429:0.1", "http_500:0.01", "http_418:1/2s", "http_429:0.1/2s", "@binance", "@okx_swap/BTC-USDT-SWAP/trade", "@", "@*/*/book", "@okx_swap", "@a/b/c/d", ",",
        ":", "/", "ms", "s", "m", "nan", "inf", "-inf", "-1s", "1e308m", "1e999", "0s", "nans", "infs", "drop:nan", "drop:1e-400", "mute:0s/0s", "disconnect:-5s", " ", "\x00", "\u0661s", "١", "_", "1_0s",
    )  # fmt: skip

    def make(self) -> bytes:
        return "".join(self.random.choices(self.PIECES, k=self.random.randrange(1, 7))).encode()

    def check(self, given: bytes) -> int:
        try:
            rules = faults.parse(given.decode("utf-8", "replace"))
        except faults.FaultSpecError as error:
            str(error)
            return 1
        for rule in rules:
            shares = rule.name not in faults.SOCKET_FAULTS
            if not 0.0 <= rule.value < float("inf") or not 0.0 <= rule.for_s < float("inf") or (shares and rule.value > 1.0) or (not shares and rule.value <= 0.0):
                raise Finding("a rule that cannot be kept", repr(rule))
        return 1


class _Client:
    """Answers a question with bytes at hand, and then with nothing more."""

    def __init__(self, bodies: list[bytes]):
        self.bodies = bodies

    async def get(self, market, request, priority):
        if not self.bodies:
            raise RestError("no more")
        return self.bodies.pop(0)


def _at_once(coroutine: Coroutine) -> None:
    """Run to its end what waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise Finding("it waits")


class RestAnswers(Target):
    """Cold readers of one market. First byte of an input: I instruments · T trades · E refusals, headers before a line's end · C control frames."""

    def __init__(self, random: Random, name: str):
        super().__init__(random)
        self.market = market(name)
        self.seeds = {
            "I": [json.dumps(answer).encode() for answer in _INSTRUMENTS[self.market.exchange]],
            "T": [json.dumps(answer).encode() for answer in _TRADES[self.market.exchange]],
            "E": [
                b'12,1790000001000,1790000000000\n{"code":-1003,"msg":"Too many requests; IP banned until 1790000000123."}', b'{"code":-1121,"msg":"Invalid symbol."}', b'nan,1790000001000,1790000000000\n{"retCode":10006,"retMsg":"Too many visits!","result":{}}',
                b'{"retCode":0,"retMsg":"OK","result":{}}', b'inf,1,9\n{"code":"50011","msg":"Too Many Requests","data":[]}', b'{"code":"0","msg":"","data":[]}', b'{"code":"51001","msg":"Instrument ID does not exist"}',
                b"<html>403</html>",
            ],
            "C": corpus.frames(self.market.exchange),
        }  # fmt: skip
        self.mutators = {kind: Mutator(random, seeds) for kind, seeds in self.seeds.items()}

    def make(self) -> bytes:
        kind = self.random.choice("IIITEC")
        return kind.encode() + self.mutators[kind]()

    def check(self, given: bytes) -> int:
        kind, body = given[:1], given[1:]
        if kind == b"I":
            if body.lstrip()[:1] in (b"{", b"["):  # RestClient refuses the rest
                self._instruments(body)
        elif kind == b"T":
            self._trades(body)
        elif kind == b"E":
            head, _, body = body.partition(b"\n")
            said = head.decode("latin-1").split(",")
            headers = dict(zip(("retry-after", "x-bapi-limit-reset-timestamp", "timenow"), said, strict=False))
            for status in (200, 400, 403, 418, 429, 500):
                error = self.market.venue.read_error(status, headers, body)
                if error is not None:
                    str(error)
                    wait_s = error.retry_after_s
                    if wait_s is not None and not 0.0 <= wait_s < 10 * 86400:
                        raise Finding("a pause that cannot be kept", f"{wait_s} {body!r:.200}")
        else:
            self.market.venue.read_control(body)
        return 1

    def _instruments(self, body: bytes) -> None:
        """As Capture does it."""
        known = Instruments(self.market.exchange)
        try:
            _at_once(load(_Client([body]), self.market, known))
        except P9Error as error:
            str(error)
            return
        self._pipeline(known.select(self.market.name, ("*",))[0])

    def _pipeline(self, rows: list[Instrument]) -> tuple[Outbox, Pipeline]:
        """As Capture makes it; an instrument that it refuses is left out."""
        clock = Clock(START_NS)
        outbox = Outbox(clock, epoch=1)
        pipeline = Pipeline(
            market=self.market.name, exchange=self.market.exchange, normalizer=self.market.venue.normalizer(self.market), outbox=outbox, clock=clock, link="next",
            rest_seeded=True, repeats_are_stale=True,
        )  # fmt: skip
        streams = streams_of(Config())
        for row in rows:
            with contextlib.suppress(ValueError):
                pipeline.add(
                    venue_symbol=row.venue_symbol.encode(), symbol=row.symbol, px_scale=row.px_scale, qty_scale=row.qty_scale, tick=row.scaled_tick, contract=row.contract,
                    contract_value=row.contract_value, depth=50, streams=streams(row),
                )  # fmt: skip
        return outbox, pipeline

    def _trades(self, body: bytes) -> None:
        """As the back-fill does it; what comes of them is published."""
        try:
            trades = self.market.venue.read_trades(msgspec.json.decode(body))
        except (msgspec.DecodeError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError):
            return
        known = Instruments(self.market.exchange)
        known.add(self.market.venue.parse_instruments(self.market, [msgspec.json.decode(self.seeds["I"][0])]).instruments)
        outbox, pipeline = self._pipeline(known.select(self.market.name, ("*",))[0])
        pipeline.backfill(0, [msgspec.structs.astuple(trade) for trade in trades], START_NS)
        pipeline.on_timer(START_NS + 100_000_000_000)
        check_published(outbox)


_BINANCE_ROW = {
    "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "marginAsset": "USDT", "contractType": "PERPETUAL", "deliveryDate": 4133404800000, "onboardDate": 1569398400000,
    "pair": "BTCUSDT", "contractSize": 100, "contractStatus": "TRADING",
    "filters": [{"filterType": "PRICE_FILTER", "tickSize": "0.10"}, {"filterType": "LOT_SIZE", "stepSize": "0.001"}],
}  # fmt: skip
_BYBIT_ROW = {
    "symbol": "BTCUSDT", "contractType": "LinearPerpetual", "status": "Trading", "baseCoin": "BTC", "quoteCoin": "USDT", "launchTime": "1585526400000", "deliveryTime": "0", "settleCoin": "USDT",
    "priceFilter": {"minPrice": "0.10", "tickSize": "0.10"}, "lotSizeFilter": {"qtyStep": "0.001", "basePrecision": "0.000001"}, "symbolType": "",
}  # fmt: skip
_OKX_ROW = {
    "instType": "SWAP", "instId": "BTC-USDT-SWAP", "uly": "BTC-USDT", "instFamily": "BTC-USDT", "baseCcy": "BTC", "quoteCcy": "USDT", "settleCcy": "USDT", "ctVal": "0.01", "ctMult": "1",
    "ctValCcy": "BTC", "optType": "", "stk": "", "listTime": "1597026383085", "expTime": "", "tickSz": "0.1", "lotSz": "0.01", "ctType": "linear", "state": "live",
}  # fmt: skip
_INSTRUMENTS = {
    "binance": [{"symbols": [_BINANCE_ROW, _BINANCE_ROW | {"symbol": "BTCUSDT_261225", "contractType": "CURRENT_QUARTER", "deliveryDate": 1798185600000}]}, {"symbols": [_BINANCE_ROW]}],
    "bybit": [{"retCode": 0, "result": {"category": "linear", "list": [_BYBIT_ROW, _BYBIT_ROW | {"symbol": "ETHUSDT", "baseCoin": "ETH"}], "nextPageCursor": ""}}],
    "okx": [
        {"code": "0", "msg": "", "data": [
            _OKX_ROW, _OKX_ROW | {"instType": "SPOT", "instId": "BTC-USDT"}, _OKX_ROW | {"instType": "FUTURES", "instId": "BTC-USD-261225", "expTime": "1798185600000", "ctValCcy": "USD", "settleCcy": "BTC"},
        ]},
    ],
}  # fmt: skip
_TRADES = {
    "binance": [
        [{"a": 26129, "p": "0.01633102", "q": "4.70443515", "f": 27781, "l": 27781, "T": 1498793709153, "m": True, "M": True}],
        [{"id": 28457, "price": "4.00000100", "qty": "12.00000000", "quoteQty": "48.000012", "time": 1499865549590, "isBuyerMaker": True, "isBestMatch": True}],
    ],
    "bybit": [
        {"retCode": 0, "result": {"category": "spot", "list": [
            {"execId": "2100000000007764263", "symbol": "BTCUSDT", "price": "16618.49", "size": "0.00012", "side": "Buy", "time": "1672052955758", "isBlockTrade": False, "isRPITrade": True},
        ]}},
    ],
    "okx": [{"code": "0", "msg": "", "data": [{"instId": "BTC-USDT", "side": "sell", "sz": "0.00001", "px": "29963.2", "source": "", "tradeId": "242720720", "ts": "1654161646974"}]}],
}  # fmt: skip
