"""The whole road: frames of one instrument, some of them spoiled, through Pipeline, book, streams and outbox, beside another instrument
whose frames are all good.

An input is a list of steps: one letter, the size, the bytes.
    F  a frame            I  a REST book for the instrument       T  so many ms pass (four bytes)
    X  its socket is lost D  Redis takes all that waits, and every event is looked at
    S  (first) an outbox with little room
"""

import json
import struct
from collections.abc import Iterator
from random import Random

import hiredis
import msgspec
from cext.clock import Clock
from cext.outbox import BATCH_CONFIRMED, Outbox
from cext.pipeline import Pipeline

from p9.config import Config
from p9.instrument import Instrument
from p9.publication import streams_of
from p9.venue import market
from tests.fuzz.mutator import Mutator
from tests.fuzz.target import Finding, Target

START_NS = 1_790_000_000_000_000_000
STEP = struct.Struct("<cI")
SEQUENCES = 24  # of good frames, made once
FRAMES = 120  # in one of them
MARKETS = {  # market: the instrument under fire and its neighbour, as the venue writes them
    "binance_spot": ("BTCUSDT", "XYZQQQ"), "binance_usdm": ("BTCUSDT", "XYZQQQ"), "bybit_linear": ("BTCUSDT", "XYZQQQ"), "okx_swap": ("BTC-USDT-SWAP", "XYZ-QQQ-SWAP"),
}  # fmt: skip
SMALL = {"items": (20, 60, 0, 40), "bytes": (8000, 20000, 0, 20000), "queue_items": 10, "batch_items": 16, "flight_bytes": 4000}


def step(letter: bytes, what: bytes = b"") -> bytes:
    return STEP.pack(letter, len(what)) + what


def steps_of(given: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + STEP.size <= len(given):
        letter, size = STEP.unpack_from(given, at)
        at += STEP.size
        yield letter, given[at : at + size]
        at += size


class Flow:
    """A venue's true book and the frames that tell it. Prices are ticks of 0.01, quantities units of 0.001."""

    def __init__(self, random: Random, name: str, symbol: str):
        self.random, self.name, self.symbol = random, name, symbol
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.id, self.at_ms, self.mid = 1000, START_NS // 1_000_000, 5_000_000
        self.trade_id = 1
        self._change(12)

    def _change(self, n: int) -> list[dict[int, int]]:
        """New quantities at `n` prices, never crossing."""
        random, changed = self.random, [{}, {}]
        self.mid += random.choice((-2, 0, 0, 0, 2))
        for side, sign in ((0, -1), (1, 1)):  # what the mid went over is gone
            for px in [px for px in self.sides[side] if (px - self.mid) * sign <= 0]:
                changed[side][px] = 0
        for _ in range(n):
            side = random.randrange(2)
            px = self.mid + (1 if side else -1) * random.randrange(1, 15)
            if px in self.sides[side] or random.random() < 0.8:
                changed[side][px] = random.choice((0, 1, 20, 1234, 99_999_999))
        for side in (0, 1):
            for px, qty in list(changed[side].items()):
                if qty:
                    self.sides[side][px] = qty
                elif self.sides[side].pop(px, None) is None:
                    del changed[side][px]
        return changed

    def rows(self, sides) -> list[list[list[str]]]:
        extra = ["0", "1"] if self.name.startswith("okx") else []
        return [[[f"{px / 100:.2f}", f"{qty / 1000:.3f}", *extra] for px, qty in side.items()] for side in sides]

    def image(self) -> bytes:
        """The whole book: a REST body, or the frame that begins a stream."""
        bids, asks = self.rows(self.sides)
        if self.name.startswith("binance"):
            return json.dumps({"lastUpdateId": self.id, "bids": bids, "asks": asks}).encode()
        return self._venue_book("snapshot", bids, asks, -1)

    def _venue_book(self, action: str, bids, asks, previous: int) -> bytes:
        if self.name.startswith("bybit"):
            data = {"s": self.symbol, "b": bids, "a": asks, "u": self.id, "seq": self.id * 7}
            return json.dumps({"topic": f"orderbook.50.{self.symbol}", "type": {"update": "delta"}.get(action, action), "ts": self.at_ms, "data": data, "cts": self.at_ms}).encode()
        data = {"asks": asks, "bids": bids, "ts": str(self.at_ms), "checksum": 0, "seqId": self.id, "prevSeqId": previous}
        return json.dumps({"arg": {"channel": "books", "instId": self.symbol}, "action": action, "data": [data]}).encode()

    def depth(self) -> bytes:
        bids, asks = self.rows(self._change(self.random.choice((0, 1, 1, 2, 5))))
        self.at_ms += self.random.choice((0, 10, 100))
        previous = self.id
        self.id += 1 if self.name.startswith("bybit") else self.random.choice((1, 1, 3))
        if not self.name.startswith("binance"):
            return self._venue_book("update", bids, asks, previous)
        data = {"e": "depthUpdate", "E": self.at_ms, "s": self.symbol, "U": previous + 1, "u": self.id, "b": bids, "a": asks}
        if self.name != "binance_spot":
            data |= {"T": self.at_ms, "pu": previous}
        return json.dumps({"stream": f"{self.symbol.lower()}@depth@100ms", "data": data}).encode()

    def best(self) -> bytes:
        bids, asks = self.rows(({max(self.sides[0], default=1): self.sides[0].get(max(self.sides[0], default=1), 0)},
                                {min(self.sides[1], default=2): self.sides[1].get(min(self.sides[1], default=2), 0)}))  # fmt: skip
        if self.name.startswith("binance"):
            data = {"u": self.id, "s": self.symbol, "b": bids[0][0], "B": bids[0][1], "a": asks[0][0], "A": asks[0][1]}
            return json.dumps({"stream": f"{self.symbol.lower()}@bookTicker", "data": data}).encode()
        if self.name.startswith("bybit"):
            data = {"s": self.symbol, "b": bids, "a": asks, "u": self.id, "seq": self.id * 7}
            return json.dumps({"topic": f"orderbook.1.{self.symbol}", "type": "snapshot", "ts": self.at_ms, "data": data, "cts": self.at_ms}).encode()
        data = {"asks": asks, "bids": bids, "ts": str(self.at_ms), "seqId": self.id}
        return json.dumps({"arg": {"channel": "bbo-tbt", "instId": self.symbol}, "data": [data]}).encode()

    def trade(self) -> bytes:
        self.trade_id += self.random.choice((1, 1, 1, 4))
        px, qty, buys = f"{(self.mid + self.random.choice((-1, 1))) / 100:.2f}", f"{self.random.choice((1, 20, 1234567)) / 1000:.3f}", self.random.random() < 0.5
        if self.name.startswith("binance"):
            data = {"e": "trade", "E": self.at_ms, "s": self.symbol, "t": self.trade_id, "p": px, "q": qty, "T": self.at_ms, "m": not buys}
            return json.dumps({"stream": f"{self.symbol.lower()}@trade", "data": data}).encode()
        if self.name.startswith("bybit"):
            row = {"T": self.at_ms, "s": self.symbol, "S": "Buy" if buys else "Sell", "v": qty, "p": px, "i": f"{self.trade_id:08x}-30df", "BT": False, "seq": self.id * 7}
            return json.dumps({"topic": f"publicTrade.{self.symbol}", "type": "snapshot", "ts": self.at_ms, "data": [row]}).encode()
        row = {"instId": self.symbol, "tradeId": str(self.trade_id), "px": px, "sz": qty, "side": "buy" if buys else "sell", "ts": str(self.at_ms), "count": "1"}
        return json.dumps({"arg": {"channel": "trades", "instId": self.symbol}, "data": [row]}).encode()

    def book(self) -> dict[str, list[tuple[str, str]]]:
        """As Pipeline.book writes it."""
        def text(n: int, scale: int) -> str:
            whole, _, rest = f"{n / 10**scale:.{scale}f}".partition(".")
            return f"{whole}.{rest.rstrip('0')}".rstrip(".")

        return {name: [(text(px, 2), text(qty, 3)) for px, qty in sorted(side.items(), reverse=name == "bids")]
                for name, side in zip(("bids", "asks"), self.sides, strict=True)}  # fmt: skip


class Pipelines(Target):
    """`name`: a market of MARKETS."""

    def __init__(self, random: Random, name: str):
        super().__init__(random)
        self.name = name
        self.symbol, self.neighbour = MARKETS[name]
        self.rest_seeded = market(name).sequence.rest_seeded
        self.sequences = [self._good(Random(f"{name} {n}")) for n in range(SEQUENCES)]
        self.mutate = Mutator(random, [self.sequences[0][0][1]], [self.symbol.encode(), b"nobody", b"depthUpdate", b"snapshot", b"update"])
        flow = Flow(Random(f"{name} neighbour"), name, self.neighbour)
        self.neighbour_image = flow.image()
        self.neighbour_frames = [(flow.depth(), flow.book()) for _ in range(3 * FRAMES)]

    def _good(self, random: Random) -> list[tuple[bytes, bytes]]:
        """(letter, bytes) steps of a flow without faults."""
        flow = Flow(random, self.name, self.symbol)
        image = b"I" if self.rest_seeded else b"F"
        steps = [(b"F", flow.depth()), (image, flow.image())]
        for _ in range(FRAMES):
            kind = random.random()
            if kind < 0.65:
                steps.append((b"F", flow.depth()))
            elif kind < 0.75:
                steps.append((b"F", flow.best()))
            elif kind < 0.9:
                steps.append((b"F", flow.trade()))
            elif kind < 0.94:
                steps.append((image, flow.image()))
            elif kind < 0.97:
                steps.append((b"T", struct.pack("<I", random.choice((50, 50, 300, 1100)))))
            else:
                steps.append((b"D", b""))
        return steps

    def make(self) -> bytes:
        random, mutate = self.random, self.mutate
        out = [step(b"S")] if random.random() < 0.2 else []
        share = random.choice((0.02, 0.1, 0.4))
        spoiled = (b"F", b"")
        for letter, what in random.choice(self.sequences):
            kind = random.random()
            if kind > share or letter not in b"FI":
                out.append(step(letter, what))
                continue
            kind /= share
            if kind < 0.7:
                spoiled = (letter, mutate.variant(what))
                out.append(step(*spoiled))
            elif kind < 0.75:  # lost
                continue
            elif kind < 0.8:  # twice
                out += [step(letter, what), step(letter, what)]
            elif kind < 0.85:  # late, or again, in another place
                out += [step(*spoiled), step(letter, what)]
            elif kind < 0.9:
                out += [step(letter, what), step(b"D")]
            elif kind < 0.95:
                out += [step(letter, what), step(b"X")]
            else:
                out.append(step(b"T", struct.pack("<I", random.choice((0, 1, 1000, 61_000, 3_600_000, 4_000_000_000)))))
        return b"".join(out)

    def pieces(self, given: bytes) -> list[bytes]:
        return [step(letter, what) for letter, what in steps_of(given)]

    def check(self, given: bytes) -> int:
        return Run(self).through(given)


class Run:
    """One input on its way."""

    def __init__(self, target: Pipelines):
        self.target = target
        self.clock = Clock(START_NS)
        self.seqs: dict[bytes, int] = {}
        self.ids: dict[bytes, tuple[int, int]] = {}
        self.told: tuple[dict, dict] | None = None  # the book that a consumer has from `depth`
        self.n = 0

    def _start(self, **bounds) -> None:
        row = market(self.target.name)
        rule = row.sequence
        self.outbox = Outbox(self.clock, epoch=1, **bounds)
        self.pipeline = Pipeline(
            market=row.name, exchange=row.exchange, normalizer=row.venue.normalizer(row), outbox=self.outbox, clock=self.clock, link=rule.link,
            rest_seeded=rule.rest_seeded, repeats_are_stale=rule.repeats_are_stale, restart_id=rule.restart_id, max_held_frames=50,
        )  # fmt: skip
        streams = streams_of(Config())
        for symbol, ours in ((self.target.symbol, "BTC-USDT"), (self.target.neighbour, "XYZ-QQQ")):
            instrument = Instrument(
                exchange=row.exchange, market=row.name, symbol=ours, venue_symbol=symbol, base=ours[:3], quote=ours[4:], settle=ours[4:], kind="spot", tick="0.01",
                step="0.001",
            )  # fmt: skip
            self.pipeline.add(
                venue_symbol=symbol.encode(), symbol=ours, px_scale=4, qty_scale=5, tick=100, depth=1000, streams=streams(instrument),
                aliases=[symbol.lower().encode()] if symbol.lower() != symbol and row.exchange == "binance" else [],
            )  # fmt: skip

    def through(self, given: bytes) -> int:
        target, steps = self.target, list(steps_of(given))
        small = bool(steps) and steps[0][0] == b"S"
        self._start(**(SMALL if small else {}))
        self.small = small
        neighbour = 0
        self._feed(target.neighbour_frames[0][0])
        self._image_of_neighbour()
        for number, (letter, what) in enumerate(steps):
            if letter == b"F":
                self._feed(what)
                self._looks_whole()
            elif letter == b"I":
                self.n += 1
                if self.pipeline.states()[0] != "synced":  # nobody asks for the image of a good book
                    self.pipeline.image(0, what, self.clock.now())
                    self._looks_whole()
            elif letter == b"T":
                self._wait(what)
            elif letter == b"X":
                self.pipeline.disconnected([0], self.clock.now())
            elif letter == b"D":
                self._drain()
            if number % 4 == 0 and neighbour + 1 < len(target.neighbour_frames):
                neighbour += 1
                self._feed(target.neighbour_frames[neighbour][0])
        self._drain()
        self._neighbour_is_well(neighbour)
        return self.n

    def _image_of_neighbour(self) -> None:
        if self.target.rest_seeded:
            self.pipeline.image(1, self.target.neighbour_image, self.clock.now())
        else:
            self._feed(self.target.neighbour_image)
            self._feed(self.target.neighbour_frames[0][0])

    def _feed(self, frame: bytes) -> None:
        self.n += 1
        now_ns = self.clock.now() + 1_000_000
        self.clock.set(now_ns)
        self.pipeline.feed_bytes(frame, now_ns)

    def _wait(self, what: bytes) -> None:
        now_ns = self.clock.now() + int.from_bytes(what[:4], "little") * 1_000_000
        self.clock.set(now_ns)
        self.pipeline.on_timer(now_ns)

    def _looks_whole(self) -> None:
        if self.pipeline.states()[0] == "synced":
            best = self.pipeline.book(0, 1)
            if best["bids"] and best["asks"] and float(best["bids"][0][0]) >= float(best["asks"][0][0]):
                raise Finding("a synced book is crossed", f"{best['bids'][0]} {best['asks'][0]}")

    def _neighbour_is_well(self, last: int) -> None:
        book = self.pipeline.book(1)
        expected = self.target.neighbour_frames[last][1]
        if book["state"] != "synced" or {"bids": book["bids"], "asks": book["asks"]} != expected:
            raise Finding("another instrument's book suffered", f"{book!r:.400} / {expected!r:.400}")

    # ---- the consumer's side

    def _drain(self) -> None:
        """Redis takes everything; what it got is read as a consumer reads it."""
        self._adds_up()
        for lane in (0, 1):
            while data := self.outbox.take(lane):
                if self.outbox.replies(lane, self._answers(data)) != BATCH_CONFIRMED:
                    raise Finding("a full confirmation confirms not everything")
        self._adds_up()
        if self.outbox.waiting():
            raise Finding("something waits after all was taken", str(self.outbox.waiting()))
        if self.told is not None and not self.small and self.pipeline.states()[0] == "synced":
            book = self.pipeline.book(0)
            told = {name: sorted(side.items(), key=lambda row: float(row[0]), reverse=name == "bids") for name, side in zip(("bids", "asks"), self.told, strict=True)}
            if book["valid_bid"] is None and book["valid_ask"] is None and (book["bids"], book["asks"]) != (told["bids"], told["asks"]):
                raise Finding("the published book is not the book", f"{told!r:.300} / {book!r:.300}")

    def _adds_up(self) -> None:
        for cls, n in self.outbox.stats()["classes"].items():
            if n["accepted"] != n["confirmed"] + n["conflated"] + n["shed"] + n["quarantined"] + n["waiting"]:
                raise Finding("the account of a class does not add up", f"{cls} { {k: v for k, v in n.items() if isinstance(v, int)} }")

    def _answers(self, data: bytes) -> bytes:
        reader = hiredis.Reader()
        reader.feed(data)
        answers, queued = [], None
        while (command := reader.gets()) is not False:
            word = command[0]
            if word == b"MULTI":
                queued = []
                answers.append(b"+OK\r\n")
            elif word == b"EXEC":
                answers += [b"*%d\r\n" % len(queued), *queued]
                queued = None
            else:
                answer = b":1\r\n" if word == b"PUBLISH" else b"+OK\r\n"
                if word == b"PUBLISH":
                    self._reads(command[1], command[2])
                elif word == b"XADD":
                    self._stored(command)
                if queued is None:
                    answers.append(answer)
                else:
                    answers.append(b"+QUEUED\r\n")
                    queued.append(answer)
        if reader.has_data():
            raise Finding("the commands are no RESP")
        return b"".join(answers)

    def _reads(self, channel: bytes, text: bytes) -> None:
        try:
            event = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Finding("a published text is no JSON", f"{error} {text!r:.500}") from None
        if event["seq"] != self.seqs.get(channel, 0) + 1:
            raise Finding("a seq is missing", f"{channel!r} {self.seqs.get(channel, 0)} {event['seq']}")
        self.seqs[channel] = event["seq"]
        kind = event["type"]
        if kind == "book_ticker":
            bid, ask = event["bid_price"], event["ask_price"]
            if bid is not None and ask is not None and float(bid) >= float(ask):
                raise Finding("a crossed best price was published", f"{text!r:.500}")
        elif kind == "depth" and event["symbol"] == "BTC-USDT":
            if "snapshot" in event.get("flags", ()):
                self.told = ({}, {})
            if self.told is not None:
                for side, rows in zip(self.told, (event["bids"], event["asks"]), strict=True):
                    for px, qty in rows:
                        if qty == "0":
                            side.pop(px, None)
                        else:
                            side[px] = qty
        elif kind == "snapshots" and event["bids"] and event["asks"] and float(event["bids"][0][0]) >= float(event["asks"][0][0]):
            raise Finding("a crossed snapshot was published", f"{text!r:.500}")
        elif kind == "candles" and not (event["low"] is None or float(event["low"]) <= float(event["open"]) <= float(event["high"])):
            raise Finding("a candle that cannot be", f"{text!r:.500}")

    def _stored(self, command: list[bytes]) -> None:
        at = next(i for i in range(2, len(command)) if b"-" in command[i])
        ms, seq = map(int, command[at].split(b"-"))
        if (ms, seq) <= self.ids.get(command[1], (0, 0)):
            raise Finding("a stream id that Redis refuses", f"{command[1]!r} {self.ids.get(command[1])} {command[at]!r}")
        self.ids[command[1]] = (ms, seq)
