"""What must hold whatever goes wrong. The Checker is a consumer that hears everything, and knows the venues' true books.

It reads published bytes, what the venues saw, and the appliance's own counters; it shares no code with what it checks.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from struct import Struct
from typing import Any

import msgspec

from p9.simulate.bar import Period
from p9.simulate.instrument import Instrument
from tests.sim.appliance import Appliance
from tests.sim.desk import Line
from tests.sim.exchange import Exchange, FinerScale
from tests.sim.loop import VirtualLoop, Wall
from tests.sim.redis_server import Stream

INVARIANTS = {
    "book_true": "a published book equals the venue's true book at its update id",
    "window_true": "a snapshot equals the true book inside the window that it claims to know",
    "ticker_true": "a best bid and ask equals the venue's at its update id",
    "not_crossed": "a published book has its best bid below its best ask",
    "broken_silent": "no depth is written between the loss of a book and its repair",
    "gap_repaired": "every loss of a book is followed by its repair",
    "converges": "after the last fault every book is synced and every event confirmed within the bound",
    "final_truth": "at the end, with the markets at rest, every book is the venue's newest",
    "one_recovery": "one order book at most is asked for an instrument at a time",
    "rest_budget": "no venue's weight limit is passed, and no more than our half of it used",
    "connect_budget": "sockets are not opened more often than a venue allows",
    "message_budget": "no more messages a second on a socket than the venue allows",
    "seq_gapless": "each channel's seq has no hole within an epoch, and epochs only grow",
    "stream_order": "each stream holds every event of its channel once, in order, with the bytes that were published",
    "conservation": "accepted = confirmed + conflated + shed + quarantined + waiting, at all times",
    "memory_bounded": "queues, held frames, tasks and sockets stay within their bounds",
    "trades_once": "every trade that reached a socket in charge is published, none twice, and none is invented",
    "candles_true": "each closed candle is the sum of the published trades of its time, or with history the venue's own, and they tile time",
    "times_sane": "each time stamp was read from the clock, not later than now, received before published",
    "no_task_died": "no task of the appliance ended by itself, no callback raised",
    "deterministic": "two runs of one seed are the same to the last byte",
}
FOLDED = ("binance_usdm",)
UNNUMBERED = ("bybit_spot", "bybit_linear", "bybit_inverse")  # nothing in their trades tells that one is missing
EXACT = ("binance_spot", "bybit_linear", "okx_swap")  # their images hold the whole book (or the whole window); the other's is a part of it
CANDLES = (1, 60)  # seconds: those that are compared
START_SLACK_NS, AHEAD_NS = 10_000_000_000, 50_000_000
MOST_TASKS, MOST_LINES = 80, 24
KEPT_EXAMPLES = 3
KILL_LOSES_S = 0.4  # two ticks of the spool, and a stall
CLOCK_OFF_NS = 20_000_000_000  # candles are closed by a clock that may be wrong by so much
BOUNDS_BYTES = {"CRITICAL": 32 << 20, "HIGH": 96 << 20, "LOW": 16 << 20}
_as_bytes = Struct("d").pack
TRADE_TYPES = {"trade": "t", "aggTrade": "a"}


class _Head(msgspec.Struct, gc=False):
    """What says which event of its channel it is."""

    epoch: int
    seq: int


class _Book:
    """A consumer's book of one instrument, from `depth` alone."""

    def __init__(self, market: str):
        self.exact = market in EXACT
        self.bids: dict[str, str] = {}
        self.asks: dict[str, str] = {}
        self.best_bid, self.best_ask = 0.0, float("inf")
        self.known = False
        self.written: list[tuple[int, int]] = []  # (true µs, seq) of each depth event
        self.states: list[tuple[int, str, str]] = []  # (true µs, state, reason)


def _apply(side: dict[str, str], changes: list[list[str]], best: float, better: Callable[..., float], none: float) -> float:
    """The side's best price behind `changes`."""
    for price, quantity in changes:
        if quantity == "0":
            side.pop(price, None)
        else:
            side[price] = quantity
            best = better(best, float(price))
    if any(quantity == "0" and float(price) == best for price, quantity in changes):
        best = better(map(float, side), default=none)
    return best


class _Trades:
    """One instrument's trades: those that came, those that were published."""

    def __init__(self) -> None:
        self.came: Counter[str] = Counter()
        self.must: dict[str, float] = {}  # id: when it came on a socket in charge
        self.published: Counter[str] = Counter()
        self.firsts: list[int] = []  # of each epoch
        self.fills: set[int] = set()  # where the venue numbers them
        self.rows: list[tuple[int, int, Decimal, Decimal, bool, int]] = []  # (ts, id or the venue's own order, price, quantity, bought, fills)
        self.candles: dict[tuple[int, int], dict[str, Any]] = {}  # the newest revision by (seconds, open)


class Checker:
    """`blame` may be called by anybody; the world calls `tick` every second, `finish` at the end."""

    def __init__(self, loop: VirtualLoop, wall: Wall, exchange: Exchange):
        self.loop, self.wall, self.exchange = loop, wall, exchange
        self.appliance: Appliance | None = None
        self.failures: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = defaultdict(list)
        self.digest = hashlib.blake2b(digest_size=16)
        self.published: Counter[str] = Counter()
        self.books_compared = 0
        self.losses = 0
        self.start_ns = wall.true_ns
        self._seq: dict[bytes, tuple[int, int]] = {}  # channel: the newest (epoch, seq)
        self._books: dict[tuple[str, str], _Book] = {key: _Book(key[0]) for key in exchange.instruments}
        self._trades: dict[tuple[str, str], _Trades] = {key: _Trades() for key in exchange.instruments}
        self._heard: dict[bytes, dict[tuple[int, int], int]] = defaultdict(dict)  # channel: {(epoch, seq): hash of the payload}, as they came
        self._read: dict[str, Callable[[dict[str, Any]], None]] = {
            "depth": self._depth, "snapshots": self._snapshot, "book_ticker": self._ticker, "trades": self._trade, "candles": self._candle,
            "integrity": self._integrity,
        }  # fmt: skip
        self._decode = msgspec.json.Decoder().decode
        self._decode_head = msgspec.json.Decoder(_Head).decode
        self.kills: list[list[float]] = []  # [lost from, killed, started] in loop seconds
        self.damaged = 0  # events or ends of segments that a flipped bit has cost, as the spool says


    def blame(self, invariant: str, text: str) -> None:
        if invariant not in INVARIANTS:
            raise ValueError(f"there is no invariant {invariant!r}")
        self.failures[invariant] += 1
        if len(self.examples[invariant]) < KEPT_EXAMPLES:
            self.examples[invariant].append(f"{self.loop.now_s:.6f} s: {text}")

    def observe(self, what: bytes, data: bytes) -> None:
        """Into the fingerprint of this run."""
        self.digest.update(what + _as_bytes(self.loop.now_s) + data)

    def on_kill(self, disk_bad_since_s: float | None) -> None:
        """What was accepted in the last ticks, or since the disk refuses, is not promised to survive."""
        now_s = self.loop.now_s
        self.kills.append([min(now_s, disk_bad_since_s if disk_bad_since_s is not None else now_s) - KILL_LOSES_S, now_s, now_s])

    def on_start(self) -> None:
        self.kills[-1][2] = self.loop.now_s
        stats = self.appliance.spool.stats()
        self.damaged += stats["damaged"] + stats["torn"]

    def _excused(self, at_s: float, slack_s: float = 0.0) -> bool:
        """It fell into the death of the appliance."""
        return any(lost_s - slack_s <= at_s <= started_s + slack_s for lost_s, _, started_s in self.kills)

    # what is published

    def on_publish(self, channel: bytes, payload: bytes) -> None:
        self.observe(channel, payload)
        event = self._decode(payload)
        epoch, seq = event["epoch"], event["seq"]
        heard, known = self._heard[channel], self._seq.get(channel)
        if (epoch, seq) in heard:  # a batch that is sent again may hold the end of one epoch and the beginning of the next
            if heard[epoch, seq] != hash(payload):
                self.blame("seq_gapless", f"{channel.decode()}: epoch {epoch} seq {seq} came twice, with two texts")
            return
        excused = self.damaged and epoch < self.appliance.outbox.epoch
        if known is not None and epoch == known[0]:
            if seq != known[1] + 1 and not (seq > known[1] and excused):
                self.blame("seq_gapless", f"{channel.decode()}: {known[1]} then {seq}")
        elif (known is not None and epoch < known[0]) or (seq != 1 and not excused):
            self.blame("seq_gapless", f"{channel.decode()}: {known} then epoch {epoch} seq {seq}")
        self._seq[channel] = (epoch, seq)
        heard[epoch, seq] = hash(payload)
        kind = event["type"]
        self.published[kind] += 1
        self._check_times(event, kind)
        read = self._read.get(kind)
        if read is not None:
            read(event)

    def on_store(self, key: bytes, id: tuple[int, int], payload: bytes) -> None:
        self.observe(key, b"%d-%d" % id)

    def _check_times(self, event: dict[str, Any], kind: str) -> None:
        try:
            pub_us = self.wall.true_us(event["ts_pub"])
        except ValueError as error:
            self.blame("times_sane", f"{kind}: ts_pub {error}")
            return
        if pub_us > self.loop.now_s * 1e6 + 1:
            self.blame("times_sane", f"{kind}: published at {pub_us} us, which has not come")
        if kind not in ("depth", "snapshots", "book_ticker", "trades"):
            return
        recv_ns, event_ns = event["ts_recv"], event["ts_event"]
        try:
            if recv_ns is not None and self.wall.true_us(recv_ns) > pub_us:
                self.blame("times_sane", f"{kind}: received {recv_ns} after published {event['ts_pub']}")
        except ValueError as error:
            self.blame("times_sane", f"{kind}: ts_recv {error}")
        if event_ns is not None and not self.start_ns - START_SLACK_NS <= event_ns <= self.wall.true_ns + AHEAD_NS:
            self.blame("times_sane", f"{kind}: ts_event {event_ns} is not of this run")

    def _depth(self, event: dict[str, Any]) -> None:
        key = event["market"], event["venue_symbol"]
        book = self._books[key]
        if event["seq"] == 1:
            book.known = False  # another epoch
        book.written.append((self.wall.true_us(event["ts_pub"]), event["seq"]))
        if "snapshot" in event.get("flags", ()):
            book.bids, book.asks, book.best_bid, book.best_ask, book.known = {}, {}, 0.0, float("inf"), True
        elif not book.known:
            self.blame("book_true", f"{key}: an increment before any image")
            return
        book.best_bid = _apply(book.bids, event["bids"], book.best_bid, max, 0.0)
        book.best_ask = _apply(book.asks, event["asks"], book.best_ask, min, float("inf"))
        self._compare(key, book, event["last_id"])

    def _compare(self, key: tuple[str, str], book: _Book, id: int) -> None:
        truths = self.exchange.truths[key].books.get(id)
        if truths is None:
            self.blame("book_true", f"{key}: a book at id {id}, which the venue never gave")
            return
        self.books_compared += 1
        for bids, asks in truths:
            if book.exact:
                if book.bids == bids and book.asks == asks:
                    break
            elif book.bids.items() <= bids.items() and book.asks.items() <= asks.items():
                break
        else:
            self.blame("book_true", f"{key} at {id}: {_difference(book.bids, truths[0][0], book.exact)} {_difference(book.asks, truths[0][1], book.exact)}")
        if book.best_bid >= book.best_ask:
            self.blame("not_crossed", f"{key} at {id}: {book.best_bid} and {book.best_ask}")

    def _snapshot(self, event: dict[str, Any]) -> None:
        key = event["market"], event["venue_symbol"]
        truths = self.exchange.truths[key].books.get(event["update_id"])
        if truths is None:
            self.blame("window_true", f"{key}: an image at id {event['update_id']}, which the venue never gave")
            return
        lowest = float(event["valid_bid"]) if event["valid_bid"] is not None else None
        highest = float(event["valid_ask"]) if event["valid_ask"] is not None else None
        bids, asks = dict(event["bids"]), dict(event["asks"])
        for true_bids, true_asks in truths:
            seen_bids = true_bids if lowest is None else {price: quantity for price, quantity in true_bids.items() if float(price) >= lowest}
            seen_asks = true_asks if highest is None else {price: quantity for price, quantity in true_asks.items() if float(price) <= highest}
            if bids == seen_bids and asks == seen_asks:
                self.books_compared += 1
                return
        self.blame(
            "window_true",
            f"{key} at {event['update_id']} within {lowest} .. {highest}: {_difference(bids, seen_bids, True)} {_difference(asks, seen_asks, True)}",
        )

    def _ticker(self, event: dict[str, Any]) -> None:
        key = event["market"], event["venue_symbol"]
        if event["update_id"] is None and event["bid_price"] is None and event["ask_price"] is None:
            return  # unknown, and said so
        touches = self.exchange.truths[key].touches
        truths = touches.get(event["update_id"])
        if event["update_id"] is None:  # a frame whose id was spoilt: what it says was true all the same
            truths = [row for rows in touches.values() for row in rows]
        unit = "contracts" if "bid_contracts" in event else "quantity"
        said = (event["bid_price"], event[f"bid_{unit}"], event["ask_price"], event[f"ask_{unit}"])
        if truths is None or said not in truths:
            self.blame("ticker_true", f"{key} at {event['update_id']}: {said} is not {truths[:3] if truths else truths}")

    def _integrity(self, event: dict[str, Any]) -> None:
        if event["kind"] != "book_state":
            return
        book = self._books[event["market"], event["venue_symbol"]]
        if event["state"] != "synced" and event["previous"] == "synced":
            self.losses += 1
        book.states.append((self.wall.true_us(event["ts_pub"]), event["state"], event["reason"]))

    # trades and candles

    def on_arrival(self, line: Line, data: bytes, kind: str, intact: bool) -> None:
        """A frame reaches the appliance's socket; `data` is what the venue sent, `intact` whether it is what arrives."""
        if kind != "trade":
            return
        frame = self._decode(data)
        if line.market.startswith("binance"):
            row = frame.get("data", frame)
            ids = [(row["s"], str(row[TRADE_TYPES[row["e"]]]))]
        elif line.market.startswith("bybit"):
            ids = [(row["s"], row["i"]) for row in frame["data"]]
        else:
            ids = [(row["instId"], row["tradeId"]) for row in frame["data"]]
        for symbol, id in ids:
            trades = self._trades[line.market, symbol]
            trades.came[id] += 1
            if intact and not line.listener.standby:
                trades.must.setdefault(id, self.loop.now_s)

    def _trade(self, event: dict[str, Any]) -> None:
        key = event["market"], event["venue_symbol"]
        trades, id = self._trades[key], event["trade_id"]
        if event["seq"] == 1 and id.isdecimal():
            trades.firsts.append(int(id))
        trades.published[id] += 1
        if trades.published[id] > 1:
            self.blame("trades_once", f"{key}: trade {id} is published {trades.published[id]} times")
        if not trades.came[id] and not self.exchange.is_trade(*key, id):
            self.blame("trades_once", f"{key}: trade {id} was never told by the venue")
        first, last = event["first_trade_id"], event["last_trade_id"]
        fills = last - first + 1 if first is not None and last is not None else 1
        for fill in range(first, last + 1) if first is not None and last is not None else ():
            if fill in trades.fills:
                self.blame("trades_once", f"{key}: fill {fill} is published twice, the second time in trade {id}")
            trades.fills.add(fill)
        at_ns = event["ts_event"] if event["ts_event"] is not None else event["ts_recv"]
        order = last if last is not None else self.exchange.order_of(*key, id)
        trades.rows.append((at_ns, order, Decimal(event["price"]), Decimal(event["quantity"]), event["side"] == "buy", fills))

    def _candle(self, event: dict[str, Any]) -> None:
        seconds = (event["close_time"] - event["open_time"]) // 1_000_000_000
        if seconds in CANDLES:
            self._trades[event["market"], event["venue_symbol"]].candles[seconds, event["open_time"]] = event

    def _check_candles(self) -> None:
        for key, trades in self._trades.items():
            for seconds in CANDLES:
                span_ns = seconds * 1_000_000_000
                bars: dict[int, list[tuple[int, int, Decimal, Decimal, bool, int]]] = defaultdict(list)
                for row in trades.rows:
                    bars[row[0] // span_ns * span_ns].append(row)
                opens = sorted(at for length, at in trades.candles if length == seconds)
                if not opens:
                    continue
                for before, after in pairwise(opens):
                    if after - before != span_ns and not any(before - 2 * span_ns - CLOCK_OFF_NS <= self.start_ns + kill[1] * 1e9 <= after + span_ns + CLOCK_OFF_NS for kill in self.kills):
                        self.blame("candles_true", f"{key} {seconds} s: no candle between {before} and {after}")
                for open_ns in opens:
                    said = trades.candles[seconds, open_ns]
                    if "backfill" in said.get("flags", ()):
                        self._check_candle_of_history(f"{key} {seconds} s {open_ns}", self.exchange.instruments[key], seconds, said, bars.get(open_ns, []))
                    else:
                        self._check_candle(f"{key} {seconds} s {open_ns}", said, bars.get(open_ns, []))

    def _check_candle(self, where: str, said: dict[str, Any], rows: list[tuple[int, int, Decimal, Decimal, bool, int]]) -> None:
        close_s = (said["close_time"] - self.start_ns) / 1e9
        if self.kills and (not said["complete"] or self.damaged or self._excused(close_s, 70.0)):
            return  # the trades, or the newest revision, died with the appliance
        rows = sorted(rows, key=lambda row: row[:2])
        if not rows:
            if said["trades"] or Decimal(said["volume"]):
                self.blame("candles_true", f"{where}: {said['trades']} trades, none was published")
            return
        prices = [row[2] for row in rows]
        true = (rows[0][2], max(prices), min(prices), rows[-1][2], sum(row[3] for row in rows), sum(row[3] for row in rows if row[4]), sum(row[5] for row in rows))
        found = (*(Decimal(said[name]) for name in ("open", "high", "low", "close", "volume", "buy_volume")), said["trades"])
        if true != found:
            self.blame("candles_true", f"{where} revision {said['revision']}: said {[*map(str, found)]}, the trades {[*map(str, true)]}")

    def _check_candle_of_history(self, where: str, one: Instrument, seconds: int, said: dict[str, Any], rows: list[tuple[int, int, Decimal, Decimal, bool, int]]) -> None:
        """One that was made of the venue's memory too is the venue's own; what the venue does not tell is null."""
        if self.kills and (not said["complete"] or self.damaged or self._excused((said["close_time"] - self.start_ns) / 1e9, 70.0)):
            return
        if one.market in FOLDED or self._untold(one, said):  # a row that straddles the edge cannot be told from one that does not
            if Decimal(said["volume"]) < sum(row[3] for row in rows):
                self.blame("candles_true", f"{where}: {said['volume']} with history, {sum(row[3] for row in rows)} were published")
            return
        if isinstance(one.px, FinerScale):  # its ticks are others now than they were
            return
        open_ms = said["open_time"] // 1_000_000
        (bar,) = one.candles.between(Period(seconds * 1000), open_ms, open_ms)
        true = [one.px.value(tick) for tick in (bar.open, bar.high, bar.low, bar.close)] + [one.qty.value(bar.lots), one.qty.value(bar.buy_lots), bar.count]
        native = said["contracts"] if one.market == "okx_swap" else said["volume"]
        bought = said["buy_contracts"] if one.market == "okx_swap" else said["buy_volume"]
        found = [None if text is None else Decimal(text) for text in (said["open"], said["high"], said["low"], said["close"], native, bought, said["trades"])]
        if [mine for mine in found if mine is not None] != [theirs for mine, theirs in zip(found, true, strict=True) if mine is not None]:
            self.blame("candles_true", f"{where} revision {said['revision']}, with history: said {[*map(str, found)]}, the venue {[*map(str, true)]}")

    def _untold(self, one: Instrument, said: dict[str, Any]) -> bool:
        """Trades of the candle, since the first that came, never came, and nothing says so: not even the number of a later one."""
        trades = self._trades[one.market, one.symbol]
        came = trades.came
        within = {id: at_ns for id, at_ns in self.exchange.truths[one.market, one.symbol].trades.items() if said["open_time"] <= at_ns < said["close_time"]}
        if one.market not in UNNUMBERED:
            newest = max(map(int, came), default=0)
            return any(int(id) > newest and not trades.published[id] for id in within)
        first_ns = min((at_ns for id, at_ns in within.items() if came[id]), default=said["close_time"])
        return any(at_ns > first_ns and not came[id] for id, at_ns in within.items())

    # the appliance

    def tick(self, running: bool = True) -> None:
        """Every virtual second."""
        assert self.appliance is not None
        stats = self.appliance.outbox.stats()["classes"]
        for name, row in stats.items():
            ended = row["confirmed"] + row["conflated"] + row["shed"] + row["quarantined"] + row["waiting"]
            if row["accepted"] != ended:
                self.blame("conservation", f"{name}: accepted {row['accepted']}, ended or waiting {ended}")
            if row["waiting_bytes"] > BOUNDS_BYTES.get(name, 1 << 62):
                self.blame("memory_bounded", f"{name}: {row['waiting_bytes']} bytes wait")
        for name, capture in self.appliance.captures.items():
            if capture.faults:
                self.blame("no_task_died", f"{name}: {capture.reason}")
            if capture.resync is not None and len(capture.resync.broken) > len(capture.instruments):
                self.blame("memory_bounded", f"{name}: {len(capture.resync.broken)} repairs of {len(capture.instruments)} books")
        for lane in self.appliance.publisher.lanes:
            if running and lane._keeper is not None and lane._keeper.done():
                self.blame("no_task_died", f"the keeper of lane {lane.name}")

    def count_bounds(self, n_tasks: int, n_lines: int) -> None:
        if n_tasks > MOST_TASKS or n_lines > MOST_LINES:
            self.blame("memory_bounded", f"{n_tasks} tasks, {n_lines} sockets")

    def check_final_books(self) -> None:
        """With the markets at rest and nothing on its way."""
        assert self.appliance is not None
        for capture in self.appliance.captures.values():
            for ix, row in capture.instruments.items():
                key = capture.market.name, row.venue_symbol
                truth, said = self.exchange.truths[key], capture.pipeline.book(ix)
                bids, asks = dict(said["bids"]), dict(said["asks"])
                true_bids, true_asks = truth.books[truth.last_id][0]
                lowest = float(said["valid_bid"]) if said["valid_bid"] is not None else 0.0
                highest = float(said["valid_ask"]) if said["valid_ask"] is not None else float("inf")
                true_bids = {price: quantity for price, quantity in true_bids.items() if float(price) >= lowest}
                true_asks = {price: quantity for price, quantity in true_asks.items() if float(price) <= highest}
                if said["state"] != "synced" or bids != true_bids or asks != true_asks:
                    self.blame(
                        "final_truth",
                        f"{key}: {said['state']} at {said['id']}, the venue at {truth.last_id}: {_difference(bids, true_bids, True)} {_difference(asks, true_asks, True)}",
                    )

    def finish(self, left: int, streams: dict[bytes, Stream]) -> None:
        """After the drain: `left` events were not confirmed; `streams` is what Redis holds."""
        assert self.appliance is not None
        if left:
            self.blame("converges", f"{left} events are left in the outbox")
        for key, book in self._books.items():
            self._check_spans(key, book)
        for key, trades in self._trades.items():
            # one that was overtaken by the very first that an appliance told cannot be told from one of long ago
            lost = {
                id for id in trades.must.keys() - trades.published.keys()
                if not (self.damaged or self._excused(trades.must[id]) or (id.isdecimal() and any(0 < first - int(id) < 50 for first in trades.firsts)))
            }  # fmt: skip
            if lost:
                first = min(lost, key=lambda id: (trades.must[id], id))
                self.blame("trades_once", f"{key}: {len(lost)} trades came and are not published, the first {first} at {trades.must[first]:.6f} s")
        self._check_candles()
        self._check_streams(streams)

    def _check_streams(self, streams: dict[bytes, Stream]) -> None:
        """What Redis holds at the end, against what was published."""
        for key, stream in streams.items():
            channel = key.removeprefix(b"stream:{").removesuffix(b"}")
            heard = self._heard[channel]
            stored = {}
            for payload in stream.payloads:
                head = self._decode_head(payload)
                if (head.epoch, head.seq) in stored:
                    self.blame("stream_order", f"{key.decode()}: {(head.epoch, head.seq)} is stored twice")
                stored[head.epoch, head.seq] = hash(payload)
            if stored != heard:
                missing = [id for id in heard if id not in stored]
                extra = [id for id in stored if id not in heard]
                self.blame("stream_order", f"{key.decode()}: {len(heard)} published, {len(stored)} stored; missing {missing[:3]}, extra {extra[:3]}")
            elif list(stored) != list(heard) or stream.ids != sorted(set(stream.ids)):
                self.blame("stream_order", f"{key.decode()}: stored in another order")
        for channel in self._heard:
            if channel.split(b":")[0] in (b"integrity", b"trades", b"candles", b"gaps") and b"stream:{%b}" % channel not in streams:
                self.blame("stream_order", f"{channel.decode()} has no stream")

    def _check_spans(self, key: tuple[str, str], book: _Book) -> None:
        lost_us, reason = None, ""
        spans = []
        killed = [(int(kill[1] * 1e6), "synced", "killed") for kill in self.kills]
        for at_us, state, why in sorted(book.states + killed, key=lambda row: row[0]):
            if state == "synced":
                if lost_us is not None and not (why == "killed" and self.damaged):  # else the word of its repair may be what the disk has lost
                    spans.append((lost_us, at_us, reason))
                lost_us = None
            elif lost_us is None:
                lost_us, reason = at_us, why
        if lost_us is not None and book.states:
            self.blame("gap_repaired", f"{key}: lost at {lost_us} us for {reason}, never repaired")
        n = 0
        for at_us, seq in book.written:
            while n < len(spans) and spans[n][1] <= at_us:
                n += 1
            if n < len(spans) and spans[n][0] < at_us < spans[n][1] and not self._excused(at_us / 1e6):
                self.blame("broken_silent", f"{key}: depth {seq} written at {at_us} us, the book was lost ({spans[n][2]}) {spans[n][0]} .. {spans[n][1]} us")


def _difference(found: dict[str, str], true: dict[str, str], exact: bool) -> str:
    wrong = [f"{price}: {quantity} is {true.get(price)}" for price, quantity in found.items() if true.get(price) != quantity]
    missing = [f"{price}: {quantity} is missing" for price, quantity in true.items() if price not in found] if exact else []
    return f"{len(wrong)} wrong, {len(missing)} missing {(wrong + missing)[:2]}"
