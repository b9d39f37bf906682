"""What venues say beside books and trades, and what we are told of ourselves: readers of polls, of slow topics, of private streams, and of key files.

Whatever comes, a reader counts what it cannot use; what it takes is a number that is one, and what is published of it is JSON.
"""

import json
import re
import tempfile
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from cext.clock import Clock
from cext.outbox import Outbox

from p9.capture.orders import told_of
from p9.config.venues import OkxAccount
from p9.errors import ConfigError
from p9.fact import Adl, Block, Funding, MarkPrice, OpenInterest, Reading, Roster
from p9.instrument import Instrument
from p9.key import Key, key_of
from p9.market.adl import AdlBoard
from p9.market.board import Board
from p9.market.funding import FundingSheet
from p9.market.mark_price import MarkPriceSheet
from p9.market.open_interest import OpenInterestSheet
from p9.market.sheet import POLL, STREAM
from p9.number import EARLIEST_NS, LATEST_NS, decoded, plain
from p9.stop_order import accounts_of
from p9.venue import Poll, market
from tests.fuzz import corpus
from tests.fuzz.deliveries import check_json, check_published
from tests.fuzz.mutator import Mutator
from tests.fuzz.target import Finding, Target

NOW_NS = 1_790_000_000_000_000_000
NUMBERS: dict[type, tuple[str, ...]] = {
    MarkPrice: ("mark", "index"), Funding: ("rate", "predicted_rate", "last_rate", "cap", "floor"), OpenInterest: ("contracts", "base", "quote", "usd"),
    Adl: ("balance", "pnl_ratio", "trigger_ratio", "stop_ratio", "balance_threshold"), Block: ("price", "quantity"),
}  # fmt: skip
SYMBOLS = {"binance_usdm": "BTCUSDT", "binance_coinm": "BTCUSD_PERP", "bybit_linear": "BTCUSDT", "bybit_inverse": "BTCUSD", "okx_swap": "BTC-USDT-SWAP"}

# The venue pages' samples.
BINANCE: list[Any] = [
    {"stream": "btcusdt@markPrice@1s", "data": {"e": "markPriceUpdate", "E": 1790000000123, "s": "BTCUSDT", "p": "11794.15", "P": "11784.62", "i": "11784.62", "r": "0.00038167", "T": 1790006400000}},
    {"symbol": "BTCUSDT", "markPrice": "11793.63", "indexPrice": "11781.80", "estimatedSettlePrice": "11781.16", "lastFundingRate": "0.00038246", "interestRate": "0.0001", "nextFundingTime": 1790006400000, "time": 1790000000123},
    [{"symbol": "BTCUSDT", "adjustedFundingRateCap": "0.025", "adjustedFundingRateFloor": "-0.025", "fundingIntervalHours": 8}],
    {"openInterest": "10659.509", "symbol": "BTCUSDT", "time": 1790000000123},
    [{"symbol": "BTCUSDT", "adlRisk": "low", "updateTime": 1790000000123}],
    {"symbols": ["BTCUSDT"], "assets": [{"asset": "USDT", "marginBalance": "793930579.315848", "updateTime": 1790000000123}]},
]
BYBIT: list[Any] = [
    {"topic": "tickers.BTCUSDT", "type": "snapshot", "cs": 1, "ts": 1790000000123, "data": {"symbol": "BTCUSDT", "markPrice": "17217.33", "indexPrice": "17227.36", "openInterest": "68744.761", "openInterestValue": "1183601235.91", "fundingRate": "-0.000212", "nextFundingTime": "1790006400000", "fundingIntervalHour": "8"}},
    {"retCode": 0, "result": {"category": "linear", "list": [{"symbol": "BTCUSDT", "markPrice": "16596.00", "indexPrice": "16598.54", "openInterest": "373504.107", "fundingRate": "0.000100", "nextFundingTime": "1790006400000"}]}, "time": 1790000000123},
    {"topic": "adlAlert.USDT", "type": "snapshot", "ts": 1790000000000, "data": [{"c": "USDT", "s": "BTCUSDT", "b": -5421.29889888, "mb": "", "i_pr": -0.3, "pr": 0, "adl_tt": 10000, "adl_sr": -0.25}]},
    {"retCode": 0, "result": {"updatedTime": "1790000000000", "list": [{"coin": "USDT", "symbol": "BTCUSDT", "balance": "92203504.5", "insurancePnlRatio": "-0.3", "pnlRatio": "0", "adlTriggerThreshold": "10000", "adlStopRatio": "-0.25"}]}},
    {"topic": "insurance.USDT", "type": "delta", "ts": 1790000000000, "data": [{"coin": "USDT", "symbols": "BTCUSDT", "balance": "25614.92972633", "updateTime": "1790000000000"}]},
]
OKX: list[Any] = [
    {"arg": {"channel": "mark-price", "instId": "BTC-USDT-SWAP"}, "data": [{"instId": "BTC-USDT-SWAP", "instType": "SWAP", "markPx": "42310.6", "ts": "1790000000123"}]},
    {"arg": {"channel": "index-tickers", "instId": "BTC-USDT"}, "data": [{"instId": "BTC-USDT", "idxPx": "42310.6", "ts": "1790000000123"}]},
    {"arg": {"channel": "funding-rate", "instId": "BTC-USDT-SWAP"}, "data": [{"instId": "BTC-USDT-SWAP", "instType": "SWAP", "fundingRate": "0.0001875391284828", "fundingTime": "1790006400000", "nextFundingTime": "1790035200000", "minFundingRate": "-0.00375", "maxFundingRate": "0.00375", "settFundingRate": "0.0001", "ts": "1790000000123"}]},
    {"arg": {"channel": "open-interest", "instId": "BTC-USDT-SWAP"}, "data": [{"instId": "BTC-USDT-SWAP", "instType": "SWAP", "oi": "2216113.01", "oiCcy": "22161.1301", "oiUsd": "1939251795.546", "ts": "1790000000123"}]},
    {"arg": {"channel": "adl-warning", "instType": "SWAP"}, "data": [{"instType": "SWAP", "instFamily": "BTC-USDT", "state": "warning", "bal": "280784384.95", "ccy": "", "adlType": "", "ts": "1790000000123"}]},
    {"arg": {"channel": "public-block-trades", "instId": "BTC-USDT-SWAP"}, "data": [{"instId": "BTC-USDT-SWAP", "tradeId": "439121886014849026", "px": "80000", "sz": "0.01", "side": "sell", "ts": "1790000000123", "groupId": ""}]},
    {"code": "0", "data": [{"details": [{"balance": "1369179138.7489", "ccy": "USDT", "ts": "1790000000123", "type": "regular_update"}], "instFamily": "BTC-USDT", "instType": "SWAP", "total": "1"}], "msg": ""},
]
SAMPLES = {"binance": BINANCE, "bybit": BYBIT, "okx": OKX}

_OKX_ORDER = {
    "algoId": "706620792746729474", "algoClOrdId": "S", "instId": "BTC-USDT-SWAP", "instType": "SWAP", "ordType": "oco", "state": "effective", "side": "sell", "posSide": "long", "sz": "0.01", "tgtCcy": "",
    "triggerPx": "102000", "triggerPxType": "last", "ordPx": "-1", "tpTriggerPx": "1", "tpOrdPx": "2", "slTriggerPx": "3", "slOrdPx": "-1", "actualSide": "tp", "ordId": "7", "triggerTime": "1790000000123", "failCode": "",
    "reduceOnly": "true",
}  # fmt: skip
ORDERS: dict[str, list[Any]] = {
    "binance": [
        {"e": "ALGO_UPDATE", "T": 1, "E": 2, "o": {"caid": "c", "aid": 1000000033225453, "o": "STOP", "s": "BTCUSDT", "S": "BUY", "ps": "BOTH", "q": "38", "X": "TRIGGERING", "ai": "", "tp": "0.13855", "p": "1", "wt": "MARK_PRICE", "R": False, "tt": 1790000000123, "rm": ""}},
        {"e": "listenKeyExpired", "E": 1790000000123, "listenKey": "abcdef"},
        {"subscriptionId": 0, "event": {"e": "executionReport", "s": "BTCUSDT", "c": "c", "C": "", "S": "BUY", "o": "STOP_LOSS_LIMIT", "q": "1.5", "Q": "0", "p": "1", "P": "2", "x": "TRADE", "X": "FILLED", "i": 7, "w": True, "W": 1790000000123, "T": 1790000000124, "d": 4}},
        {"subscriptionId": 0, "event": {"e": "eventStreamTerminated", "E": 1790000000123}},
        [{"algoId": 7, "clientAlgoId": "c", "orderType": "STOP", "symbol": "BTCUSDT", "side": "SELL", "positionSide": "LONG", "quantity": "1", "algoStatus": "FINISHED", "actualOrderId": "8", "triggerPrice": "5", "price": "6", "workingType": "MARK_PRICE", "reduceOnly": True, "createTime": 1790000000123, "updateTime": 1790000000124, "triggerTime": 1790000000124}],
        [{"orderId": 7, "clientOrderId": "c", "type": "TAKE_PROFIT", "symbol": "BTCUSDT", "side": "SELL", "origQty": "1", "origQuoteOrderQty": "0", "price": "6", "stopPrice": "5", "isWorking": True, "time": 1790000000123, "updateTime": 1790000000124, "workingTime": 1790000000124, "trailingDelta": 4}],
    ],
    "bybit": [
        {"id": "5", "topic": "order", "creationTime": 1790000000123, "data": [{"category": "linear", "symbol": "BTCUSDT", "orderId": "c1c7", "orderLinkId": "sl-1", "side": "Sell", "orderType": "Limit", "price": "1", "qty": "0.100", "orderStatus": "Triggered", "stopOrderType": "Stop", "triggerPrice": "45000.00", "triggerBy": "LastPrice", "positionIdx": 1, "marketUnit": "quoteCoin", "cumExecQty": "0", "reduceOnly": True, "updatedTime": "1790000000123"}]},
        {"retCode": 0, "retMsg": "OK", "result": {"category": "inverse", "nextPageCursor": "a%3Ab", "list": [{"symbol": "BTCUSD", "orderId": "c1c7", "orderLinkId": "sl-1", "side": "Sell", "orderType": "Market", "price": "", "qty": "3", "orderStatus": "Filled", "stopOrderType": "Stop", "triggerPrice": "45000.00", "triggerBy": "MarkPrice", "positionIdx": 2, "cumExecQty": "3", "reduceOnly": False, "createdTime": "1790000000122", "updatedTime": "1790000000123"}]}},
    ],
    "okx": [{"code": "0", "msg": "", "data": [_OKX_ORDER | {"cTime": "1790000000123", "uTime": "1790000000124"}]}, {"arg": {"channel": "orders-algo", "uid": "7", "instType": "SWAP"}, "data": [_OKX_ORDER, _OKX_ORDER | {"ordType": "move_order_stop", "actualSide": "", "state": "order_failed", "failCode": "51008"}]}],
}  # fmt: skip


def _instrument(name: str, contract: str) -> Instrument:
    return Instrument(
        exchange=name.split("_")[0], market=name, symbol="BTC-USDT-PERP", venue_symbol=SYMBOLS.get(name, "BTCUSDT"), base="BTC", quote="USDT", settle="USDT", kind="perpetual", tick="0.1", step="0.001",
        contract=contract, contract_value="1" if contract == "base" else "0.01", family="BTC-USDT", index="BTC-USDT",
    )  # fmt: skip


def _number(value: Any, where: str) -> None:
    """Text that is exactly one number."""
    if isinstance(value, str) and (re.fullmatch(r"-?\d+(\.\d+)?", value) is None or plain(Decimal(value)) != value):
        raise Finding("a number that is not written as one", f"{where} {value!r:.100}")


def _time(value: Any, where: str) -> None:
    if isinstance(value, int) and not EARLIEST_NS <= value <= LATEST_NS:
        raise Finding("a time of other days", f"{where} {value}")


class Facts(Target):
    """Polls and slow topics of one market. First byte of an input: whose reader it is; the rest: an answer or a frame."""

    def __init__(self, random: Random, name: str):
        super().__init__(random)
        self.market = market(name)
        self.readers = [*self.market.polls, *self.market.live]
        contract = "inverse" if name in ("binance_coinm", "bybit_inverse") else "linear" if name == "okx_swap" else "base"
        self.roster = Roster([_instrument(name, contract)])
        exchange = self.market.exchange
        samples = [json.dumps(sample).encode() for sample in SAMPLES[exchange]]
        seeds = samples + corpus.frames(exchange)
        fitting = [[seed for seed in seeds if self._facts(reader, seed)] for reader in self.readers]
        self.strange = Mutator(random, seeds)
        self.mutators = [Mutator(random, some or seeds) for some in fitting]

    def _facts(self, reader: Any, seed: bytes) -> list[Any]:
        reading = Reading(self.roster)
        try:
            reader.read(self.market, reading, decoded(seed))
        except ValueError:
            return []
        return reading.facts

    def make(self) -> bytes:
        """For the most part of what its reader understands."""
        n = self.random.randrange(len(self.readers))
        return bytes([n]) + (self.mutators[n]() if self.random.random() < 0.9 else self.strange())

    def check(self, given: bytes) -> int:
        if not given:
            return 1
        reader = self.readers[given[0] % len(self.readers)]
        try:
            said = decoded(given[1:])
        except ValueError:
            return 1
        reading = Reading(self.roster)
        reader.read(self.market, reading, said)
        for fact in reading.facts:
            for field in NUMBERS.get(type(fact), ()):
                _number(getattr(fact, field), f"{type(fact).__name__}.{field}")
            _time(getattr(fact, "at_ns", None), type(fact).__name__)
        self._publish(reading, POLL if isinstance(reader, Poll) else STREAM)
        return 1

    def _publish(self, reading: Reading, source: str) -> None:
        """As the boards do it."""
        outbox = Outbox(Clock(NOW_NS), epoch=1)
        board = Board(outbox, [MarkPriceSheet(Decimal("0.001")), FundingSheet(Decimal("0.0001")), OpenInterestSheet(Decimal("0.01"))])
        board.take(self.roster, reading.facts, source, NOW_NS)
        board.publish(NOW_NS)
        AdlBoard(outbox).take(self.roster, reading.facts, source, NOW_NS)
        check_published(outbox)


class Orders(Target):
    """Private streams of one venue, their answers to logins and listen keys included."""

    def __init__(self, random: Random, exchange: str):
        super().__init__(random)
        self.accounts = accounts_of(exchange)
        self.rows = [_instrument("bybit_linear", contract) for contract in ("base", "linear", "inverse")]
        self.mutate = Mutator(random, [json.dumps(sample).encode() for sample in ORDERS[exchange]])

    def make(self) -> bytes:
        return self.mutate()

    def check(self, given: bytes) -> int:
        market(self.accounts[0].markets[0]).venue.topic_of(given)
        try:
            said = decoded(given)
        except ValueError:
            return 1
        for account in self.accounts:
            if account.over is not None:
                account.over(said)
            if account.listen_key is not None:
                key = account.listen_key.read(said)
                if not isinstance(key, str) or (key and not key.isalnum()):
                    raise Finding("a listen key that is none", f"{key!r:.100}")
            reading = Reading(Roster(()))
            account.read(reading, said)
            account.reconcile.read(reading, said, 0)
            listed = Reading(Roster(()))
            if account.reconcile.read_listing is not None:
                account.reconcile.read_listing(listed, said)
            for order in listed.facts:
                _time(order.placed_ns, "Resting")
            for order in reading.facts:
                _time(order.at_ns, "StopOrder")
                for one in self.rows:
                    fields, _ = told_of(one, order)
                    for field in ("trigger_price", "order_price", "quantity", "quote_quantity", "contracts"):
                        _number(fields.get(field), field)
                    check_json(msgspec.json.encode(fields))
        return 1


class KeyFiles(Target):
    """A file with a key: a Key, or an error that repeats nothing of it."""

    SEEDS = (
        b"key=abcdef-0123456789\nsecret=22582BD0CFF14C41EDBF1AB98506286D\npassphrase=open sesame 1234\n", b"# mine\nkey: 0123456789abcdef\nsecret : fedcba9876543210\n\npassphrase = 'quoted phrase'\n",
        b"0123456789abcdef0123456789abcdef\n", b"key=\nsecret=\npassphrase=\n",
    )  # fmt: skip

    def __init__(self, random: Random):
        super().__init__(random)
        self.mutate = Mutator(random, list(self.SEEDS))
        self.folder = tempfile.TemporaryDirectory(prefix="p9-fuzz-")
        self.path = Path(self.folder.name) / "k"
        self.path.touch(mode=0o600)

    def make(self) -> bytes:
        return self.mutate.bytewise(self.random.choice(self.SEEDS))

    def check(self, given: bytes) -> int:
        self.path.write_bytes(given)
        try:
            key = key_of(OkxAccount(file=str(self.path)), "w", {})
        except ConfigError as error:
            said = str(error)
            told = [word for word in given.decode("utf-8", "replace").replace("=", " ").split() if len(word) >= 10 and any(sign.isdigit() for sign in word) and word in said]
            if told:
                raise Finding("an error repeats what may be a key", said) from None
            return 1
        if not isinstance(key, Key) or not key.key or len(key.sign("x")) != 32 or "\n" in key.key or repr(key) != "Key(***)":
            raise Finding("a key that is none", repr(key))
        return 1
