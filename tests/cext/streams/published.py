"""What an outbox would send, read as a consumer reads it."""

import json

import hiredis
from cext.outbox import BATCH_CONFIRMED, Outbox

LANES = (0, 1)


def _confirm(commands: list[list[bytes]]) -> bytes:
    """The answers of a server that took everything."""
    answers, queued = [], None
    for command in commands:
        answer = {b"PUBLISH": b":1\r\n", b"SET": b"+OK\r\n", b"MULTI": b"+OK\r\n"}.get(command[0], b"$1\r\n0\r\n")
        if command[0] == b"EXEC":
            answers += [b"*%d\r\n" % len(queued), *queued]
            queued = None
        elif queued is not None:
            queued.append(answer)
            answers.append(b"+QUEUED\r\n")
        else:
            answers.append(answer)
            queued = [] if command[0] == b"MULTI" else None
    return b"".join(answers)


def published(outbox: Outbox) -> list[dict]:
    """Every event since the last call, lane by lane in order, with its `channel`; all of them confirmed."""
    events = []
    for lane in LANES:
        while data := outbox.take(lane):
            reader = hiredis.Reader()
            reader.feed(data)
            commands = []
            while (command := reader.gets()) is not False:
                commands.append(command)
            events += [{"channel": command[1].decode(), **json.loads(command[2])} for command in commands if command[0] == b"PUBLISH"]
            assert outbox.replies(lane, _confirm(commands)) == BATCH_CONFIRMED
    return events
