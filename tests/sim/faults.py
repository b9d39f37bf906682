"""What can go wrong, and when: each seed enables a random half of these kinds (swarm testing), at a pace of its own.

A kind is a method of Faults named in KINDS with the mean seconds between two strikes. A strike takes effect at once, or arms what the desk and
Redis ask about frames, connections and answers. After `heal` nothing more happens, and what was held back is released.
"""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import msgspec

from p9.simulate.instrument import Instrument
from tests.sim.desk import Desk, Line
from tests.sim.disk import Disk
from tests.sim.exchange import MARKETS, Exchange
from tests.sim.loop import VirtualLoop, Wall
from tests.sim.redis_server import RedisServer

FRAME_KINDS = ("drop", "duplicate", "reorder", "delay", "truncate", "corrupt", "garbage", "stranger", "gap")
REST_KINDS = ("rest_stale", "rest_partial", "rest_cut", "rest_html", "rest_empty", "rest_429", "rest_418", "rest_500", "rest_slow", "rest_timeout", "rest_unreachable")
KINDS: dict[str, float] = {  # mean seconds between two strikes
    **dict.fromkeys(FRAME_KINDS, 10.0),
    **dict.fromkeys(REST_KINDS, 25.0),
    "mute": 50.0, "half_open": 90.0, "trickle": 60.0, "disconnect": 40.0, "close": 50.0, "refuse_connect": 70.0, "slow_connect": 70.0,
    "announce_shutdown": 100.0, "restart_numbers": 60.0, "lost_answer": 50.0, "refuse_subscription": 80.0, "delist": 120.0, "tick_change": 150.0,
    "burst": 20.0,
    "redis_kill": 70.0, "redis_stall": 60.0, "redis_loading": 90.0, "redis_oom": 90.0, "redis_readonly": 90.0, "redis_cut": 50.0,
    "redis_cut_in_reply": 60.0, "redis_slow": 60.0, "redis_refuses_connects": 90.0,
    "redis_forgets": 80.0, "appliance_kill": 110.0, "power_cut": 150.0, "disk_full": 60.0, "disk_flip": 150.0,
    "clock_jump": 50.0, "clock_drift": 80.0, "clock_stop": 80.0, "cpu_stall": 50.0,
}  # fmt: skip
RESTARTS_S = 60.0  # between two of one book's numbers
FRAMES = ("book", "touch", "trade")


class RestFault(NamedTuple):
    kind: str
    wait_s: float = 0.0


class _Armed(msgspec.Struct):
    """A fault that waits for its frames."""

    kind: str
    market: str
    frames: str
    left: int
    until_s: float


class Faults:
    """`kill` ends the appliance as SIGKILL would; it comes back by itself."""

    def __init__(
        self, loop: VirtualLoop, wall: Wall, exchange: Exchange, desk: Desk, redis: RedisServer, disk: Disk, random: Random, *,
        kinds: tuple[str, ...], pace: float, kill: Callable[[], None],
    ):  # fmt: skip
        self.loop, self.wall, self.exchange, self.desk, self.redis, self.disk, self.random = loop, wall, exchange, desk, redis, disk, random
        self.kinds, self.pace, self._kill = kinds, pace, kill
        self._forgot_s = self._died_s = -100.0
        self.counts: Counter[str] = Counter()
        self.healed = False
        self.log: list[tuple[float, str, str]] = []  # (loop time, kind, where)
        self._armed: list[_Armed] = []
        self._held: dict[tuple[int, str], bytes] = {}
        self._rest: list[tuple[str, str, float, float]] = []  # (kind, market, until, share)
        self._no_connects: dict[str, float] = {}  # market: until
        self._slow_connects: dict[str, float] = {}
        self._lost_answers: dict[str, float] = {}
        self._refused_subscriptions: dict[str, float] = {}
        self._restarted_s: dict[Instrument, float] = {}
        self._doomed: set[Line] = set()  # topics of theirs were refused: they end with the fault
        desk.faults = self

    def start(self) -> None:
        """Before the appliance starts: half of the kinds of bad answers meet its very first questions."""
        for kind in self.kinds:
            self._await(kind)
            if kind in REST_KINDS and self.random.random() < 0.5:
                self.strike(kind)

    def _await(self, kind: str) -> None:
        self.loop.call_later(self.random.expovariate(1.0 / (KINDS[kind] * self.pace)) + 0.1, self._strike, kind)

    def _strike(self, kind: str) -> None:
        if self.healed:
            return
        self._await(kind)
        self.strike(kind)

    def strike(self, kind: str) -> None:
        """Now."""
        if kind in FRAME_KINDS:
            where = self.random.choice(MARKETS)
            frames = self.random.choice(FRAMES) if kind != "gap" else "book"
            n = self.random.randint(3, 12) if kind == "gap" else self.random.choice((1, 1, 1, 2, 4))
            self._armed.append(_Armed(kind, where, frames, n, self.loop.now_s + 15.0))
        elif kind in REST_KINDS:
            where = self.random.choice(MARKETS)
            self._rest.append((kind, where, self.loop.now_s + self.random.uniform(3.0, 25.0), self.random.choice((0.3, 1.0))))
        else:
            where = getattr(self, f"_{kind}")() or ""
        self.log.append((self.loop.now_s, kind, where))
        self.counts[kind] += 1

    def heal(self) -> None:
        """Everything works again. Sockets that are half open stay so: nobody can tell the appliance."""
        self.healed = True
        self._armed.clear()
        self._held.clear()
        self._rest.clear()
        for windows in (self._no_connects, self._slow_connects, self._lost_answers, self._refused_subscriptions):
            windows.clear()
        for line in self.desk.lines:
            line.muted.clear()
            line.trickle_until_s = 0.0
        redis = self.redis
        redis.refuses, redis.accepts, redis.slow_s, redis.cuts_replies, redis.stalled_until_s = "", True, 0.0, 0.0, 0.0
        self.disk.full_until_s, self.disk.cuts_power = 0.0, False
        if not redis.up:
            self._revive(0.0)
        self.wall.go()
        for market, _ in sorted(self.exchange.delisted):
            self._end_sockets(market)
        self.exchange.delisted.clear()
        self._cut_doomed()

    # what the desk asks

    def on_frame(self, line: Line, frame: bytes, topic: str, symbol: str, kind: str) -> list[tuple[bytes, bool, float]]:
        """What of this frame goes over the line, in order: (bytes, whether they are as the venue sent them, seconds late)."""
        key = (line.number, topic)
        fault = self._fault_of(line.market, kind)
        if fault is None:
            sent = [(frame, True, 0.0)]
        elif fault in ("drop", "gap"):
            sent = []
        elif fault == "duplicate":
            sent = [(frame, True, 0.0), (frame, True, self.random.choice((0.0, 0.0, 0.3)))]
        elif fault == "reorder" and key not in self._held:
            self._held[key] = frame
            return []
        elif fault == "delay":
            sent = [(frame, True, self.random.uniform(0.5, 5.0))]
        elif fault == "truncate":
            sent = [(frame[: self.random.randint(1, len(frame) - 1)], False, 0.0)]
        elif fault == "corrupt":
            at = self.random.choice([at for at, byte in enumerate(frame) if 48 <= byte <= 57])  # a digit: without a key a frame may be another, true one
            sent = [(frame[:at] + b"\xff" + frame[at + 1 :], False, 0.0)]
        elif fault == "garbage":
            sent = [(self.random.choice((b"", b"{}", b"[]", b"null", b'{"a":', self.random.randbytes(40), b"{" * 500)), False, 0.0)]
        elif fault == "stranger":
            sent = [(b'{"zz":[1,{"a":"\\"}"}],"n":-1.5e9,' + frame[1:], True, 0.0)]
        else:
            sent = [(frame, True, 0.0)]
        if key in self._held:  # the one that was held back goes behind this one
            self.desk.loop.call_soon(line.resume, self._held.pop(key), kind)
        return sent

    def _fault_of(self, market: str, kind: str) -> str | None:
        for armed in self._armed:
            if armed.market == market and armed.frames == kind:
                armed.left -= 1
                if armed.left <= 0 or self.loop.now_s > armed.until_s:
                    self._armed.remove(armed)
                return armed.kind
        return None

    def swallows_answer(self, line: Line) -> bool:
        return self._lost_answers.get(line.market, 0.0) > self.loop.now_s and self.random.random() < 0.7

    def refuses_subscription(self, line: Line, text: str) -> bool:
        if self._refused_subscriptions.get(line.market, 0.0) <= self.loop.now_s or text == "ping":
            return False
        asked = msgspec.json.decode(text)
        if line.market.startswith("binance"):
            if asked.get("method") != "SUBSCRIBE":
                return False
            line.send(msgspec.json.encode({"error": {"code": 2, "msg": "Invalid request: not now"}, "id": asked["id"]}).decode())
        elif asked.get("op") != "subscribe":
            return False
        elif line.market.startswith("bybit"):
            reply = {"success": False, "ret_msg": f"error:handler not found,topic:{asked['args'][0]}", "conn_id": line.id, "req_id": asked["req_id"], "op": "subscribe"}
            line.send(msgspec.json.encode(reply).decode())
        else:
            for arg in asked["args"]:
                named = ", ".join(f"{key}:{value}" for key, value in arg.items())
                text = f"Wrong URL or {named} doesn't exist. Please use the correct URL, channel and parameters referring to API document."
                line.send(msgspec.json.encode({"id": asked["id"], "event": "error", "msg": text, "code": "60018", "connId": line.id}).decode())
        if line not in self._doomed:
            self._doomed.add(line)
        return True

    def on_connect(self, market: str) -> float:
        return self.random.uniform(2.0, 15.0) if self._slow_connects.get(market, 0.0) > self.loop.now_s else 0.0

    def refuses_connect(self, market: str) -> bool:
        return self._no_connects.get(market, 0.0) > self.loop.now_s

    def on_rest(self, market: str, symbol: str, is_book: bool) -> RestFault:
        self._rest = [row for row in self._rest if row[2] > self.loop.now_s]
        for kind, where, _, share in self._rest:
            if where != market or self.random.random() >= share or (kind == "rest_stale" and not is_book):
                continue
            self.desk.counts[kind] += 1
            wait_s = {"rest_slow": self.random.uniform(0.5, 6.0), "rest_timeout": 60.0}.get(kind, 0.0)
            return RestFault({"rest_stale": "stale_snapshot", "rest_500": "http_500", "rest_unreachable": "unreachable"}.get(kind, kind), wait_s)
        return RestFault("")

    def spoil_answer(self, kind: str, status: int, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], list[bytes], bool]:
        half = body[: self.random.randint(0, max(0, len(body) - 1))] if kind in ("rest_partial", "rest_cut") else b""
        if kind == "rest_partial":
            return status, headers, [half], True
        if kind == "rest_cut":
            return status, headers, [half], False
        if kind == "rest_html":
            return 200, {"Content-Type": "text/html"}, [b"<html><body>Maintenance</body></html>"], False
        if kind == "rest_empty":
            return 200, {}, [b""], False
        if kind == "rest_429":
            return 429, {"Retry-After": "3"}, [b'{"code":-1003,"msg":"Too much request weight used."}'], False
        if kind == "rest_418":
            return 418, {"Retry-After": "12"}, [b'{"code":-1003,"msg":"Way too much request weight used; IP banned."}'], False
        return status, headers, [body[: len(body) // 2], body[len(body) // 2 :]], False

    # strikes on sockets

    def _line(self) -> Line | None:
        return self.random.choice(self.desk.lines) if self.desk.lines else None

    def _mute(self) -> str:
        line = self._line()
        topics = [stream.name if hasattr(stream, "name") else arg for arg, stream in (line.subscriptions.items() if line else ())]
        if not topics:
            return ""
        if line.market.startswith("okx"):
            topics = [stream.subscribers[line] for stream in line.subscriptions.values()]
        topic = self.random.choice(topics)
        line.muted[topic] = self.loop.now_s + self.random.uniform(10.0, 60.0)
        return f"{line.market} {topic}"

    def _half_open(self) -> str:
        line = self._line()
        if line is None:
            return ""
        line.dead = True
        self.loop.call_later(90.0, line._gone)
        return line.market

    def _trickle(self) -> str:
        line = self._line()
        if line is None:
            return ""
        line.trickle_until_s = self.loop.now_s + self.random.uniform(2.0, 8.0)
        return line.market

    def _disconnect(self) -> str:
        line = self._line()
        if line is not None:
            line.cut()
        return line.market if line else ""

    def _close(self) -> str:
        line = self._line()
        if line is not None:
            line.close(self.random.choice((1000, 1001, 1006, 1008, 4004)), "goodbye")
        return line.market if line else ""

    def _refuse_connect(self) -> str:
        return self._window(self._no_connects, 2.0, 20.0, then=self._disconnect_market)

    def _slow_connect(self) -> str:
        return self._window(self._slow_connects, 5.0, 30.0, then=self._disconnect_market)

    def _disconnect_market(self, market: str) -> None:
        for line in self.desk.of(market):
            line.cut()

    def _announce_shutdown(self) -> str:
        if self.random.random() < 0.5:
            self.exchange.binance["binance_spot"].connections = set(self.desk.of("binance_spot"))
            self.exchange.binance["binance_spot"].shut_down()
            market = "binance_spot"
        else:
            self.exchange.okx.connections = set(self.desk.of("okx_swap"))
            self.exchange.okx.notice()
            market = "okx_swap"
        doomed = self.desk.of(market)
        self.loop.call_later(self.random.uniform(5.0, 60.0), lambda: [line.close(1001, "going away") for line in doomed])
        return market

    # strikes on a venue

    def _restart_numbers(self) -> str:
        """Not twice a minute: who misses all that one book said between two restarts cannot tell the second's numbers from the first's."""
        one = self.random.choice([one for one in self.exchange.instruments.values() if not one.market.startswith("binance")])
        if self.loop.now_s - self._restarted_s.get(one, -RESTARTS_S) < RESTARTS_S:
            return ""
        self._restarted_s[one] = self.loop.now_s
        self.exchange.restart(one)
        return f"{one.market} {one.symbol}"

    def _lost_answer(self) -> str:
        return self._window(self._lost_answers, 1.0, 8.0, then=self._disconnect_market)

    def _refuse_subscription(self) -> str:
        market = self._window(self._refused_subscriptions, 0.5, 4.0, then=self._disconnect_market)
        self.loop.call_later(self.random.uniform(10.0, 30.0), self._cut_doomed)
        return market

    def _cut_doomed(self) -> None:
        for line in sorted(self._doomed, key=lambda line: line.number):
            line.cut()
        self._doomed.clear()

    def _delist(self) -> str:
        key = self.random.choice(list(self.exchange.instruments))
        self.exchange.delisted.add(key)
        self.loop.call_later(self.random.uniform(10.0, 50.0), self._relist, key)
        return " ".join(key)

    def _relist(self, key: tuple[str, str]) -> None:
        if key in self.exchange.delisted:
            self.exchange.delisted.discard(key)
            self._end_sockets(key[0])

    def _end_sockets(self, market: str) -> None:
        for line in self.desk.of(market):
            line.close(1001, "maintenance")

    def _tick_change(self) -> str:
        one = self.random.choice(list(self.exchange.instruments.values()))
        self._disconnect_market(one.market)
        self.exchange.change_tick(one)
        return f"{one.market} {one.symbol}"

    def _burst(self) -> str:
        one = self.random.choice(list(self.exchange.instruments.values()))
        self.exchange.burst(one, self.random.randint(10, 80))
        return f"{one.market} {one.symbol}"

    # strikes on Redis

    def _redis_kill(self) -> None:
        if self.redis.up:
            self.redis.kill()
            self.loop.call_later(self.random.uniform(0.2, 8.0), self._revive, 0.0)

    def _revive(self, forgets_s: float) -> None:
        if not self.redis.up:
            self.redis.revive(forgets_s)

    def _redis_stall(self) -> None:
        self.redis.stalled_until_s = self.loop.now_s + self.random.choice((0.3, 1.0, 3.0, 8.0))

    def _refuse_writes(self, how: str) -> None:
        self.redis.refuses = how
        self.loop.call_later(self.random.uniform(0.2, 8.0), self._accept_writes)

    def _accept_writes(self) -> None:
        self.redis.refuses = ""

    def _redis_loading(self) -> None:
        self._refuse_writes("loading")

    def _redis_oom(self) -> None:
        self._refuse_writes("oom")

    def _redis_readonly(self) -> None:
        self._refuse_writes("readonly")

    def _redis_cut(self) -> None:
        self.redis.cut_all()

    def _redis_cut_in_reply(self) -> None:
        self.redis.cuts_replies = self.random.choice((0.05, 0.5))
        self.loop.call_later(self.random.uniform(0.5, 5.0), setattr, self.redis, "cuts_replies", 0.0)

    def _redis_slow(self) -> None:
        self.redis.slow_s = self.random.uniform(0.01, 0.25)
        self.loop.call_later(self.random.uniform(2.0, 15.0), setattr, self.redis, "slow_s", 0.0)

    def _redis_refuses_connects(self) -> None:
        self.redis.accepts = False
        self.redis.cut_all()
        self.loop.call_later(self.random.uniform(0.5, 8.0), setattr, self.redis, "accepts", True)

    def _redis_forgets(self) -> None:
        """It dies before its newest entries are on its disk. What it confirmed to an appliance that has died since is not promised."""
        if self.redis.up and self.loop.now_s - self._died_s > 25.0:
            self.redis.kill()
            self._forgot_s = self.loop.now_s
            self.loop.call_later(self.random.uniform(0.2, 4.0), self._revive, self.random.uniform(0.1, 3.0))

    # strikes on the appliance and its disk

    def _may_die(self) -> bool:
        """The kept tail is in memory: who dies before he could send it again has lost it."""
        return self.loop.now_s - self._forgot_s > 25.0

    def _appliance_kill(self) -> None:
        self._dies()

    def _dies(self) -> None:
        if not self._may_die():
            return
        self._died_s = self.loop.now_s
        self._kill()

    def _power_cut(self) -> None:
        """At its next write, or just a torn write where it may not die then."""
        self.disk.cuts_power = True
        self.disk.on_power_cut = self._dies

    def _disk_full(self) -> None:
        self.disk.full_until_s = self.loop.now_s + self.random.uniform(1.0, 15.0)

    def _disk_flip(self) -> None:
        """While Redis is away there is something on the disk; who reads it again is who starts again."""
        if self.redis.up and self._may_die():
            self.redis.kill()
            self.loop.call_later(2.0, self._flip)
            self.loop.call_later(4.0, self._revive, 0.0)

    def _flip(self) -> None:
        if not self.healed and self._may_die() and self.disk.flip():
            self._dies()

    # strikes on the machine

    def _clock_jump(self) -> None:
        if self.wall.settings_left > 100:
            self.wall.jump(round(self.random.choice((-5e9, -1e9, -5e6, 5e6, 1e9, 5e9)) * self.random.random()))

    def _clock_drift(self) -> None:
        if self.wall.settings_left > 100:
            step_ns = round(self.random.uniform(-5e7, 5e7))
            for second in range(15):
                self.loop.call_later(float(second), self._drift, step_ns)

    def _drift(self, step_ns: int) -> None:
        if not self.healed:
            self.wall.jump(step_ns)

    def _clock_stop(self) -> None:
        if self.wall.settings_left > 100:
            self.wall.stop()
            self.loop.call_later(self.random.uniform(0.2, 4.0), self._clock_goes)

    def _clock_goes(self) -> None:
        self.wall.go()

    def _cpu_stall(self) -> None:
        self.loop.stall(self.random.choice((0.1, 0.5, 2.0)))

    def _window(self, windows: dict[str, float], least_s: float, most_s: float, then: Callable[[str], Any]) -> str:
        """For a while, in one market; half of the time it is also put to the test at once."""
        market = self.random.choice(MARKETS)
        windows[market] = self.loop.now_s + self.random.uniform(least_s, most_s)
        if self.random.random() < 0.5:
            then(market)
        return market
