"""What Redis may answer, and what clients may ask of the built-in server."""

import itertools
import json
import re
import struct
from random import Random

import hiredis
import msgspec
from cext.clock import Clock
from cext.outbox import BATCH_BROKEN, BATCH_CONFIRMED, BATCH_FAILED, Outbox
from cext.replies import scan

from p9.delivery.resp_server.request import ProtocolError, RequestReader
from tests.fuzz.mutator import Mutator
from tests.fuzz.pipelines import step, steps_of
from tests.fuzz.target import Finding, Target

BYTE_BY_BYTE = 300  # as long as that, bytes are fed one by one too
START_NS = 1_790_000_000_000_000_000
REPLIES = [
    b"+OK\r\n", b"+QUEUED\r\n", b":0\r\n", b":1\r\n", b":-1\r\n", b":999999999999999999\r\n", b"$-1\r\n", b"$0\r\n\r\n", b"$3\r\nabc\r\n", b"*0\r\n", b"*-1\r\n",
    b"*2\r\n:1\r\n$15\r\n1790000000000-1\r\n", b"$2\r\n\r\n\r\n", b"-ERR unknown command\r\n", b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    b"-EXECABORT Transaction discarded because of previous errors.\r\n", b"-MOVED 3999 127.0.0.1:6381\r\n", b"-LOADING Redis is loading the dataset in memory\r\n",
    b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", b"-NOAUTH Authentication required.\r\n",
    b"-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n", b"$20\r\n" + b"x" * 20 + b"\r\n", b"-" + b"E" * 300 + b"\r\n", b"+\r\n",
    b"*3\r\n+OK\r\n*1\r\n:1\r\n$-1\r\n",
]  # fmt: skip
HOSTILE = [
    b"*99999999\r\n", b"$99999999\r\n", b"$1048577\r\n", b"*1048577\r\n", b"$9223372036854775807\r\n", b"$-9223372036854775808\r\n", b"$-2\r\n", b":\r\n", b":1", b"\r\n", b"\r", b"\n",
    b"$5\r\nab", b"%1\r\n", b"_\r\n", b"#t\r\n", b"$3\r\nabcd\r\n", b"+a\rb\r\n", b":12x\r\n", b"$1048576\r\n", b"\x00", b"$ 3\r\nabc\r\n", b"*1\r\n" * 50, b":0000000000000000000001\r\n",
]  # fmt: skip


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(at)]


class Stream(Target):
    """Bytes of a connection: the first four bytes of an input say how they are cut."""

    def __init__(self, random: Random, parts: list[bytes], hostile: list[bytes]):
        super().__init__(random)
        self.parts, self.hostile = parts, hostile
        self.mutate = Mutator(random, [b"".join(parts)])

    def make(self) -> bytes:
        random = self.random
        text = b"".join(random.choices(self.parts, k=random.randrange(1, 6)))
        kind = random.random()
        if kind < 0.25:
            at = random.randrange(len(text) + 1)
            text = text[:at] + random.choice(self.hostile) + text[at:]
        elif kind < 0.75:
            text = self.mutate.bytewise(text)
        return random.randbytes(4) + text


class Replies(Stream):
    """The scanner of replies: however the bytes are cut, the same replies; what hiredis reads as RESP2 it reads alike."""

    def __init__(self, random: Random):
        super().__init__(random, REPLIES, HOSTILE)

    def check(self, given: bytes) -> int:
        data = given[4:]
        whole = scan([data])
        if scan(cut(data, list(given[:4]))) != whole or (len(data) < BYTE_BY_BYTE and scan([data[i : i + 1] for i in range(len(data))]) != whole):
            raise Finding("the cutting of the bytes matters", repr(data)[:300])
        self._as_hiredis(data, whole)
        return 1

    def _as_hiredis(self, data: bytes, said: list[tuple]) -> None:
        if re.search(rb"\*\d{5}", data):
            return  # it allocates whatever is announced
        reader = hiredis.Reader(replyError=lambda text: text)
        reader.feed(data)
        left = list(said)
        while True:
            try:
                reply = reader.gets()
            except (hiredis.ProtocolError, OverflowError, TypeError):
                return  # what it does not read, we may
            if reply is False or not self._takes(reply, left):
                return

    def _takes(self, reply: object, left: list[tuple]) -> bool:
        """Match one of theirs against the front of ours; False where ours goes no further."""
        if not left or left[0][0] == "broken":
            return False
        kind, value = left.pop(0)
        if isinstance(reply, list):
            if kind == "nil":
                return False
            if (kind, value) != ("array", len(reply)):
                raise Finding("not as hiredis reads it", f"{kind} {value!r} / {reply!r:.200}")
            return all(self._takes(item, left) for item in reply)
        ours, theirs = None if kind == "nil" else value, reply
        if isinstance(reply, str):  # an error's text
            ours = value.decode("utf-8", "replace")
        if ours != theirs and not (isinstance(theirs, bool | float) or theirs is None):
            raise Finding("not as hiredis reads it", f"{kind} {value!r} / {reply!r:.200}")
        return ours == theirs


def request(*args: bytes) -> bytes:
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(a), a) for a in args)


REQUESTS = [
    request(b"PING"), request(b"SET", b"k", b"v"), request(b"PUBLISH", b"trades:binance:BTC-USDT", b'{"v":1}'), request(b"MULTI"), request(b"EXEC"), b"PING\r\n", b"\r\n",
    request(b"XADD", b"stream:{a}", b"MINID", b"~", b"1", b"1790000000000-1", b"e", b"{}"), b'SET "a b" \'c\\\'d\'\r\n', b'ECHO "\\x41\\n"\r\n', request(b"SUBSCRIBE", b"*"), b"*0\r\n",
    request(b"HELLO", b"3", b"AUTH", b"u", b"p"), request(b"SET", b"", b"\r\n$3\r\n"), request(*[b"x"] * 70), request(b"ECHO", b"y" * 5000), b"*-1\r\n",
]  # fmt: skip
HOSTILE_REQUESTS = [
    *HOSTILE, b"*1048577\r\n", b"*1\r\n$536870913\r\n", b"*1\r\n$-1\r\n", b"*+1\r\n", b"*01\r\n", b'"abc', b"'abc\r\n", b'"a"b\r\n', b"*1\r\n:1\r\n", b"x" * 70000, b"*" + b"1" * 70000,
    b"*1\r\n$" + b"1" * 70000,
]  # fmt: skip


class Requests(Stream):
    """The reader of requests: however the bytes are cut, the same commands and the same complaint; no other error."""

    def __init__(self, random: Random):
        super().__init__(random, REQUESTS, HOSTILE_REQUESTS)

    def check(self, given: bytes) -> int:
        data = given[4:]
        whole = self._read([data])
        if self._read(cut(data, list(given[:4]))) != whole or (len(data) < BYTE_BY_BYTE and self._read([data[i : i + 1] for i in range(len(data))]) != whole):
            raise Finding("the cutting of the bytes matters", repr(data)[:300])
        for args in whole[0]:
            if not args or not all(isinstance(arg, bytes) for arg in args):
                raise Finding("a command that is none", repr(args)[:300])
        return 1

    def _read(self, pieces: list[bytes]) -> tuple[list[list[bytes]], str]:
        reader, found = RequestReader(), []
        try:
            for piece in pieces:
                reader.feed(piece)
                while (args := reader.take()) is not None:
                    found.append(args)
        except ProtocolError as error:
            return found, str(error)
        return found, ""


class Answers(Target):
    """The outbox under answers of any kind. Whatever Redis says, its account adds up, it never confirms what was not confirmed to it, and a
    good connection at last delivers everything, in order.

    Steps: E (channel, size) an event · G (lane) good answers · P (lane, place, bytes) good answers, one of them replaced · R (lane, bytes)
    any bytes · K (lane) its connection is lost · Q quarantined keys are good again · T (ms) time passes.
    """

    def __init__(self, random: Random):
        super().__init__(random)
        self.mutate = Mutator(random, [b"".join(REPLIES)])

    def make(self) -> bytes:
        random, out = self.random, []
        for _ in range(random.randrange(5, 80)):
            kind, lane = random.random(), random.randrange(2)
            if kind < 0.5:
                out.append(step(b"E", bytes((random.randrange(8), random.choice((1, 1, 1, 20, 255))))))
            elif kind < 0.6:
                out.append(step(b"G", bytes((lane,))))
            elif kind < 0.8:
                answer = random.choice((*REPLIES, *HOSTILE)) if random.random() < 0.8 else self.mutate.bytewise(random.choice(REPLIES))
                out.append(step(b"P", bytes((lane,)) + struct.pack("<H", random.randrange(65536)) + answer))
            elif kind < 0.88:
                out.append(step(b"R", bytes((lane,)) + b"".join(random.choices((*REPLIES, *HOSTILE), k=random.randrange(1, 4)))))
            elif kind < 0.94:
                out.append(step(b"K", bytes((lane,))))
            else:
                out.append(step(b"T", struct.pack("<I", random.choice((0, 1, 5000, 100_000)))) if lane else step(b"Q"))
        return b"".join(out)

    def pieces(self, given: bytes) -> list[bytes]:
        return [step(letter, what) for letter, what in steps_of(given)]

    def check(self, given: bytes) -> int:
        return _Delivery().through(given)


class _Delivery:
    def __init__(self) -> None:
        self.clock = Clock(START_NS)
        self.outbox = Outbox(self.clock, epoch=1, batch_items=8, flight_bytes=3000, queue_items=6, items=(40, 60, 0, 30), bytes=(20000, 30000, 0, 20000))
        self.channels = [
            self.outbox.channel(f"c{i}", "x", "A-B", "m", "AB", cls, queued=i == 6, keeps_last=i == 7)
            for i, cls in enumerate((0, 0, 1, 1, 2, 2, 3, 3))
        ]
        self.sent: list[bytes | None] = [None, None]  # what is in flight
        self.quarantined: set = set()
        self.n = 0

    def through(self, given: bytes) -> int:
        for letter, what in steps_of(given):
            self.n += 1
            if letter == b"E" and len(what) == 2:
                channel = self.channels[what[0] % 8]
                self.outbox.emit(channel, json.dumps({"n": self.n, "x": "y" * what[1]}).encode(), ts_recv=self.clock.now())
            elif letter == b"Q":
                for channel in self.quarantined:
                    self.outbox.release(channel)
                self.quarantined.clear()
            elif letter == b"T":
                self.clock.set(self.clock.now() + int.from_bytes(what[:4], "little") * 1_000_000)
            elif what[:1] in (b"\0", b"\1"):
                self._connection(letter, what[0], what[1:])
            self._adds_up()
        for lane in (0, 1):
            self._lose(lane)
        self._deliver_all()
        return self.n

    def _connection(self, letter: bytes, lane: int, what: bytes) -> None:
        if letter == b"K":
            self._lose(lane)
            return
        if self.sent[lane] is None:
            self.sent[lane] = self.outbox.take(lane)
        if letter == b"R":
            self._says(lane, what)
        elif self.sent[lane] is not None:
            answers = good_answers(self.sent[lane])
            if letter == b"P" and len(what) >= 2:
                answers[int.from_bytes(what[:2], "little") % len(answers)] = what[2:]
            self._says(lane, b"".join(answers))

    def _says(self, lane: int, data: bytes) -> None:
        said = self.outbox.replies(lane, data)
        if said == BATCH_BROKEN:
            self._lose(lane)
        elif said == BATCH_CONFIRMED:
            self.sent[lane] = None
        elif said == BATCH_FAILED:
            self.sent[lane] = None
            self._failed(lane)

    def _failed(self, lane: int) -> None:
        """As the publisher does it."""
        of_batch, failures = self.outbox.failures(lane)
        if of_batch is None and not failures and lane == 0 and not self.outbox.waiting():
            raise Finding("a failed batch without a failure")
        self.outbox.last_error()
        spoiled = {failure.channel for failure in failures if failure.error == "WRONGTYPE"}
        for channel in spoiled:
            self.outbox.quarantine(channel)
            self.quarantined.add(channel)
        if spoiled:
            return  # the batch's indices are others now
        for failure in failures:
            if failure.error == "SMALLER" and failure.stored:
                if self.n % 2:
                    self.outbox.was_stored(lane, failure.index)
                else:
                    self.outbox.restamp(failure.channel, self.clock.now() // 1_000_000 + self.n)
        self.outbox.sweep(lane)

    def _lose(self, lane: int) -> None:
        self.outbox.disconnected(lane)
        self.sent[lane] = None

    def _adds_up(self) -> None:
        for cls, n in self.outbox.stats()["classes"].items():
            if n["accepted"] != n["confirmed"] + n["conflated"] + n["shed"] + n["quarantined"] + n["waiting"]:
                raise Finding("the account of a class does not add up", f"{cls} { {k: v for k, v in n.items() if isinstance(v, int)} }")
            if min(v for v in n.values() if isinstance(v, int)) < 0:
                raise Finding("a count below zero", f"{cls} { {k: v for k, v in n.items() if isinstance(v, int)} }")

    def _deliver_all(self) -> None:
        for lane in (0, 1):
            while (data := self.outbox.take(lane)) is not None:
                if self.outbox.replies(lane, b"".join(good_answers(data))) != BATCH_CONFIRMED:
                    raise Finding("a good connection does not deliver", repr(data)[:300])
        self._adds_up()
        if self.outbox.waiting():
            raise Finding("something waits after all was delivered", str(self.outbox.waiting()))


def good_answers(data: bytes) -> list[bytes]:
    """One reply a command, EXEC's elements each on its own."""
    reader = hiredis.Reader()
    reader.feed(data)
    answers, queued = [], None
    while (command := reader.gets()) is not False:
        word = command[0]
        answer = b":1\r\n" if word == b"PUBLISH" else b"+OK\r\n" if word in (b"SET", b"MULTI") else b"$3\r\n1-1\r\n"
        if word == b"EXEC":
            answers += [b"*%d\r\n" % len(queued), *queued]
            queued = None
        elif queued is not None:
            queued.append(answer)
            answers.append(b"+QUEUED\r\n")
        else:
            answers.append(answer)
            queued = [] if word == b"MULTI" else None
    return answers


def check_json(text: bytes) -> None:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Finding("a published text is no JSON", f"{error} {text!r:.400}") from None


def check_published(outbox: Outbox) -> None:
    """All that waits, on both lanes: taken, confirmed, and JSON."""
    for lane in (0, 1):
        while (data := outbox.take(lane)) is not None:
            reader = hiredis.Reader()
            reader.feed(data)
            while (command := reader.gets()) is not False:
                if command[0] == b"PUBLISH":
                    check_json(command[2])
            outbox.replies(lane, b"".join(good_answers(data)))
