"""What one consumer got, and what that says beside what was accepted."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.chaos.ledger import MARK, Accepted


class Tally:
    """Counts every (channel, epoch, seq), and what came twice or out of its channel's order. Without `channels`: all that come."""

    def __init__(self, name: str, channels: Iterable[str] = ()):
        self.name = name
        self.channels = list(channels)
        self._all = not self.channels
        self.events = self.duplicates = self.disorders = 0
        self.examples: list[str] = []
        self._got: dict[tuple[str, int], bytearray] = {}
        self._newest = dict.fromkeys(self.channels, (-1, -1))

    def take(self, channel: str, epoch: int, seq: int) -> bool:
        """False: not one of the channels that are counted."""
        newest = self._newest.get(channel)
        if newest is None:
            if not self._all:
                return False
            self.channels.append(channel)
            newest = (-1, -1)
        got = self._got.setdefault((channel, epoch), bytearray())
        if len(got) <= seq:
            got.extend(bytes(seq + 1024 - len(got)))
        if got[seq]:
            self.duplicates += 1
            self._say(f"{channel} {epoch}-{seq} came again")
            return True
        got[seq] = 1
        self.events += 1
        if (epoch, seq) < newest:
            self.disorders += 1
            self._say(f"{channel} {epoch}-{seq} came after {newest[0]}-{newest[1]}")
        else:
            self._newest[channel] = (epoch, seq)
        return True

    def has(self, channel: str, epoch: int, seq: int) -> bool:
        got = self._got.get((channel, epoch), b"")
        return seq < len(got) and got[seq] == 1

    def holes(self) -> int:
        """Numbers that are missing below the highest of each epoch."""
        n = 0
        for (channel, epoch), got in self._got.items():
            missing = got.count(0, 1, got.rfind(1) + 1)
            n += missing
            if missing:
                self._say(f"{channel} {epoch}: {missing} missing below {got.rfind(1)}, the first is {got.find(0, 1)}")
        return n

    def highest(self) -> dict[tuple[str, int], int]:
        return {key: got.rfind(1) for key, got in self._got.items()}

    def _say(self, text: str) -> None:
        if len(self.examples) < 5:
            self.examples.append(f"{self.name}: {text}")


@dataclass
class Verdict:
    """`lost`: accepted before the last fsync and not there, by class; `in_window`: accepted later than that before a kill of the appliance."""

    accepted: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    in_window: int = 0
    unlogged: int = 0  # there, but accepted in the moment of a kill, before the ledger was written
    examples: list[str] = field(default_factory=list)


def safe_until_ns(rows: Iterable[Accepted]) -> dict[int, int]:
    """{epoch: what was accepted before is confirmed or on disk}"""
    safe: dict[int, int] = {}
    for row in rows:
        if row.channel == MARK:
            safe[row.epoch] = max(safe.get(row.epoch, 0), row.at_ns)
    return safe


def compare(tally: Tally, rows: list[Accepted], names: list[str], classes: dict[str, str], killed: Iterable[int]) -> Verdict:
    """`killed`: the epochs whose process was killed: what it accepted after its last fsync may be lost, and may be missing in the ledger. What is
    beside the ledger in another epoch would be invented: it raises."""
    verdict, killed = Verdict(), set(killed)
    safe = {epoch: at_ns for epoch, at_ns in safe_until_ns(rows).items() if epoch in killed}
    highest: dict[tuple[str, int], int] = {}
    for row in rows:
        if row.channel == MARK:
            continue
        name = names[row.channel]
        verdict.accepted += row.last - row.first + 1
        highest[name, row.epoch] = max(highest.get((name, row.epoch), 0), row.last)
        at_risk = row.epoch in killed and row.at_ns >= safe.get(row.epoch, 0)
        for seq in range(row.first, row.last + 1):
            if tally.has(name, row.epoch, seq):
                continue
            if at_risk:
                verdict.in_window += 1
            else:
                verdict.lost[classes[name]] = verdict.lost.get(classes[name], 0) + 1
                if len(verdict.examples) < 5:
                    verdict.examples.append(f"{tally.name}: {name} {row.epoch}-{seq} accepted at {row.at_ns}")
    for (name, epoch), top in tally.highest().items():
        extra = top - highest.get((name, epoch), 0)
        if extra > 0:
            if epoch not in killed:
                raise AssertionError(f"{tally.name}: {name} {epoch}-{top} was delivered and never accepted")
            verdict.unlogged += extra
    return verdict
