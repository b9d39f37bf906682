"""What the first venue's REST refuses, and how it counts what is asked of it."""

import math
import time

from p9.simulate.rest import Refusal, dumps

BAN_S = 120


class Weights:
    """The weight of one calendar minute (`span_s`): one pool for spot, one that both futures lines share. Going on after
    a 429 until twice the limit brings a ban. `most` is the highest use of any minute so far."""

    def __init__(self, limit: int, span_s: float = 60.0):
        self.limit, self.span_s, self.used, self.most, self.banned_until_s = limit, span_s, 0, 0, 0.0
        self._minute = 0

    def spend(self, weight: int) -> None:
        """Raises Refusal when the limit is passed."""
        now = time.time()
        if now < self.banned_until_s:
            raise self.ban()
        if int(now // self.span_s) != self._minute:
            self._minute, self.used = int(now // self.span_s), 0
        self.used += weight
        self.most = max(self.most, self.used)
        if self.used > 2 * self.limit:
            self.banned_until_s = now + BAN_S
            raise self.ban()
        if self.used > self.limit:
            raise self.too_much()

    def ban(self, patience_s: float = 0.0) -> Refusal:
        until = time.time() + patience_s if patience_s else self.banned_until_s or time.time() + BAN_S
        text = f"Way too much request weight used; IP banned until {int(until * 1000)}. Please use WebSocket Streams for live updates to avoid bans."
        return Refusal(418, dumps({"code": -1003, "msg": text}), {"Retry-After": str(math.ceil(until - time.time()))})

    def too_much(self, patience_s: float = 0.0) -> Refusal:
        text = f"Too much request weight used; current limit is {self.limit} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API."
        wait = math.ceil(patience_s) or math.ceil(self.span_s - time.time() % self.span_s)
        return Refusal(429, dumps({"code": -1003, "msg": text}), {"Retry-After": str(wait), **self.header()})

    def header(self) -> dict[str, str]:
        return {"X-MBX-USED-WEIGHT-1M": str(self.used)}


def error(code: int, message: str, status: int = 400) -> Refusal:
    return Refusal(status, dumps({"code": code, "msg": message}))
