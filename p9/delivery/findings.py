"""What delivery itself has to say to consumers: CRITICAL events in `integrity:all:-`, kept like all others until Redis has them."""

from typing import Any

import msgspec
from cext.outbox import Outbox

CRITICAL = 0


class Findings:
    """`tell(kind, detail, **more)`; `word` is another first word of the channel."""

    def __init__(self, outbox: Outbox, word: str = ""):
        self._outbox = outbox
        self._channel = outbox.channel("integrity", "all", "-", "-", "-", CRITICAL, None, "", word)

    def tell(self, kind: str, detail: str, **more: Any) -> None:
        now_ns = self._outbox.clock.now()
        self._outbox.emit(self._channel, msgspec.json.encode({"kind": kind, "detail": detail, **more}), ts_event=now_ns, ts_recv=now_ns)
