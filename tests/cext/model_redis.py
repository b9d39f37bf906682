"""A model of Redis that carries out what an outbox sends it, and may refuse."""

import hiredis
from cext.clock import Clock
from cext.outbox import Outbox

CRITICAL, HIGH, MEDIUM, LOW = range(4)
START_NS = 1_700_000_000_000_000_000


def outbox_at(start_ns=START_NS, **settings):
    return Outbox(Clock(start_ns), epoch=1_700_000_000_000, **settings)


def channel_of(outbox, type="trades", cls=HIGH, symbol="BTC-USDT", **more):
    return outbox.channel(type, "venue", symbol, "venue_spot", symbol.replace("-", ""), cls, **more)


def commands_in(data):
    reader = hiredis.Reader()
    reader.feed(data)
    found = []
    while (command := reader.gets()) is not False:
        found.append(command)
    return found


class ModelRedis:
    """Streams, values and pub/sub as Redis has them, with MULTI … EXEC; `refuse` names a command or key with the error it answers."""

    def __init__(self):
        self.streams, self.values, self.published, self.refuse = {}, {}, [], {}

    def carry_out(self, command):
        word, key = command[0], command[1]
        if word == b"PUBLISH":
            self.published.append((key, command[2]))
            return b":1\r\n"
        if word == b"SET":
            self.values[key] = command[2]
            return b"+OK\r\n"
        assert word == b"XADD"
        if key in self.refuse:
            return b"-%b\r\n" % self.refuse[key]
        id = command[5] if command[2] == b"MINID" else command[2]
        stream = self.streams.setdefault(key, [])
        if stream and tuple(map(int, stream[-1][0].split(b"-"))) >= tuple(map(int, id.split(b"-"))):
            return b"-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n"
        stream.append((id, command[-1]))
        return b"$%d\r\n%b\r\n" % (len(id), id)

    def answer(self, data):
        answers, queued = [], None
        for command in commands_in(data):
            if command == [b"MULTI"]:
                queued, aborted = [], False
                answers.append(b"+OK\r\n")
            elif command == [b"EXEC"]:
                if aborted:
                    answers.append(b"-EXECABORT Transaction discarded because of previous errors.\r\n")
                else:
                    answers.append(b"*%d\r\n" % len(queued))
                    answers += [self.carry_out(each) for each in queued]
                queued = None
            elif command[0] in self.refuse:
                answers.append(b"-%b\r\n" % self.refuse[command[0]])
                aborted = True
            elif queued is not None:
                queued.append(command)
                answers.append(b"+QUEUED\r\n")
            else:
                answers.append(self.carry_out(command))
        return b"".join(answers)


def exchange(outbox, redis, lane):
    """One whole round trip; what `replies` said, or None where nothing was to be sent."""
    data = outbox.take(lane)
    return outbox.replies(lane, redis.answer(data)) if data is not None else None


def adds_up(outbox):
    for name, n in outbox.stats()["classes"].items():
        ends = n["confirmed"] + n["conflated"] + n["shed"] + n["quarantined"]
        assert n["accepted"] == ends + n["waiting"], (name, n)
