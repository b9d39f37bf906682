"""What stands on the disk when the appliance starts: spool segments, good, damaged, and with checksums that fit all the same."""

import struct
from random import Random

from cext.clock import Clock
from cext.crc32c import checksum
from cext.journal import Journal, entries
from cext.outbox import BATCH_CONFIRMED, Outbox

from tests.fuzz.deliveries import good_answers
from tests.fuzz.mutator import Mutator
from tests.fuzz.target import Finding, Target

START_NS = 1_790_000_000_000_000_000
HEAD = struct.Struct("<IIIHBBqqqqqq")  # magic, size, crc, name_size, flags, cls, ordinal, epoch, seq, ms, accepted, received
MAGIC = 0x31533950
EDGES = (0, 1, -1, 2**31, 2**53, 2**62, 2**63 - 1, -(2**63))


def entry(name: bytes, payload: bytes, *, flags: int = 0, cls: int = 0, numbers: tuple[int, ...] = (0, 1, 1, 1, 0, 0), size: int | None = None, named: int | None = None) -> bytes:
    """One entry whose checksum fits, padded. `size` and `named`: lies about its size and its name's."""
    body = name + payload
    size = HEAD.size + len(body) if size is None else size
    head = HEAD.pack(MAGIC, size & 0xFFFFFFFF, 0, (len(name) if named is None else named) & 0xFFFF, flags, cls, *numbers)
    whole = head + body
    whole += bytes(-len(whole) % 8)
    crc = checksum(whole[:8] + bytes(4) + whole[12:size])
    return whole[:8] + struct.pack("<I", crc) + whole[12:]


class Segments(Target):
    """The first byte of an input is the class, then the file's bytes."""

    def __init__(self, random: Random):
        super().__init__(random)
        self.good = [
            entry(f"trades:x:A-B{i % 3}".encode(), b'{"v":1,"seq":%d,"x":"%b"}' % (i, b"y" * (i * 7 % 90)), flags=i % 2, numbers=(i, 5, i, 1_790_000_000_000 + i, START_NS, 0))
            for i in range(40)
        ]
        self.mutate = Mutator(random, [b"".join(self.good[:8])])

    def make(self) -> bytes:
        random = self.random
        first = random.choice((0, 0, 0, 5))
        parts = self.good[first : first + random.randrange(1, 12)]
        for _ in range(random.randrange(3)):
            numbers = [first + random.randrange(12), 5, 1, 1_790_000_000_000, START_NS, 0]
            numbers[random.randrange(6)] = random.choice(EDGES)
            odd = entry(
                random.choice((b"trades:x:A-B0", b"", b"\xff\xfe", b"a\r\n$9\r\n{}", b"n" * 300)), random.choice((b"{}", b"", b"x" * 2000)), flags=random.choice((0, 1, 255)),
                cls=random.choice((0, 0, 0, 1, 9, 255)), numbers=tuple(numbers), size=random.choice((None, None, None, 0, 8, 63, 64, 65, 16777216, 16777217, 2**32 - 1)),
                named=random.choice((None, None, None, 0, 40, 65535)),
            )  # fmt: skip
            parts.insert(random.randrange(len(parts) + 1), odd)
        text = b"".join(parts)
        if random.random() < 0.4:
            text = self.mutate.bytewise(text)
        return bytes((first,)) + text

    def check(self, given: bytes) -> int:
        if not given:
            return 1
        first, data = given[0] % 8, given[1:]
        journals = (Journal(0), Journal(1))
        good, lost, torn = journals[0].recover(first, data)
        if not 0 <= good <= len(data) or lost < 0 or torn != (good < len(data)):
            raise Finding("a segment was not understood", f"{good} {lost} {torn} of {len(data)}")
        entries(data)
        clock = Clock(START_NS)
        outbox = Outbox(clock, epoch=journals[0].newest_epoch + 1 if journals[0].newest_epoch < 2**60 else 1, journals=journals)
        outbox.channel("trades", "x", "A-B0", "m", "AB", 0)
        self._adds_up(outbox)
        offset = 0
        while offset < len(data):
            offset = outbox.readmit(0, data, offset, 4096)
            self._deliver(outbox)
        outbox.give_up_unread(0)
        self._deliver(outbox)
        if outbox.waiting():
            raise Finding("something waits after all was read and delivered", str(outbox.waiting()))
        return 1

    def _deliver(self, outbox: Outbox) -> None:
        while (commands := outbox.take(0)) is not None:
            if outbox.replies(0, b"".join(good_answers(commands))) != BATCH_CONFIRMED:
                raise Finding("a good connection does not deliver", repr(commands)[:300])
        self._adds_up(outbox)

    def _adds_up(self, outbox: Outbox) -> None:
        for cls, n in outbox.stats()["classes"].items():
            if n["accepted"] != n["confirmed"] + n["conflated"] + n["shed"] + n["quarantined"] + n["waiting"]:
                raise Finding("the account of a class does not add up", f"{cls} { {k: v for k, v in n.items() if isinstance(v, int)} }")
