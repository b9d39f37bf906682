"""What one consumer got, and what that says beside what was accepted."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.chaos.ledger import Accepted


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


def compare(tally: Tally, rows: Iterable[Accepted], names: list[str], classes: dict[str, str], kills_ns: dict[int, int], window_ns: int) -> Verdict:
    """`kills_ns`: {epoch: when its process was killed}. What is beside the ledger in an epoch that was not killed would be invented: it raises."""
    verdict = Verdict()
    highest: dict[tuple[str, int], int] = {}
    for row in rows:
        name = names[row.channel]
        verdict.accepted += row.last - row.first + 1
        highest[name, row.epoch] = max(highest.get((name, row.epoch), 0), row.last)
        kill_ns = kills_ns.get(row.epoch)
        for seq in range(row.first, row.last + 1):
            if tally.has(name, row.epoch, seq):
                continue
            if kill_ns is not None and row.at_ns > kill_ns - window_ns:
                verdict.in_window += 1
            else:
                verdict.lost[classes[name]] = verdict.lost.get(classes[name], 0) + 1
                if len(verdict.examples) < 5:
                    verdict.examples.append(f"{tally.name}: {name} {row.epoch}-{seq} accepted at {row.at_ns}")
    for (name, epoch), top in tally.highest().items():
        extra = top - highest.get((name, epoch), 0)
        if extra > 0:
            if epoch not in kills_ns:
                raise AssertionError(f"{tally.name}: {name} {epoch}-{top} was delivered and never accepted")
            verdict.unlogged += extra
    return verdict
