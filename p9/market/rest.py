"""Asking a venue by REST, within its limits and ours.

One client a venue. A question waits until its budget has room: first recovery, then audits, then polls, then back-fill; each class may fill only its
share of our ceiling, so that there is always room for a book that broke. An answer is raw bytes (order books are decoded in the hot path)
or a typed error; the venue's own count of what this address used corrects ours.
"""

import asyncio
import heapq
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, Protocol

import aiohttp
import msgspec

from p9.budget import Budget, Window
from p9.errors import AddressBanned, RateLimited, RestError, RestRefused
from p9.trust import context_of
from p9.venue import Market, Request


class Priority(IntEnum):
    """Who is served first."""

    RECOVERY = 0
    AUDIT = 1
    POLL = 2
    BACKFILL = 3


FULL = 0.9  # of a venue's limit, ours and others' use together: beyond it nobody asks
SHARES = {Priority.RECOVERY: 1.0, Priority.AUDIT: 0.7, Priority.POLL: 0.6, Priority.BACKFILL: 0.5}  # of our ceiling


class RestSettings(msgspec.Struct, frozen=True):
    """How we ask."""

    share: float = 0.5  # of a venue's limit; the rest of this address belongs to others
    timeout_s: float = 10.0
    max_in_flight: int = 8  # questions at once a venue: a cold start of hundreds of books is a ramp, not a blow
    attempts: int = 4  # of a question whose answer was of no use
    retry_first_s: float = 0.25
    retry_most_s: float = 5.0
    max_body: int = 64 << 20


Sign = Callable[[Request], tuple[Request, Mapping[str, str]]]


class AnswerRecorder(Protocol):
    def answer(self, recv_ns: int, market: str, url: str, body: bytes) -> None: ...


class _Pool:
    """One budget: its window, the questions that wait for it, and until when the venue wants silence."""

    def __init__(self, budget: Budget, share: float):
        self.window = Window(max(1.0, budget.limit * share), budget.span_s)
        self.quiet_until_s = 0.0
        self.waiting: list[tuple[int, int, int, asyncio.Future]] = []  # (priority, turn, weight, future), a heap
        self.timer: asyncio.TimerHandle | None = None
        self.limit = budget.limit
        self.others = 0.0  # used by others of this address in the minute `others_minute`, as far as the venue's count tells
        self.others_minute = -1


def _loop_s() -> float:
    return asyncio.get_running_loop().time()


class RestClient:
    """`now_ns`: the appliance's clock. Open with `async with` or `start`/`stop`."""

    def __init__(
        self, exchange: str, *, settings: RestSettings | None = None, now_ns: Callable[[], int] = time.time_ns,
        recorder: AnswerRecorder | None = None, session: Callable[..., aiohttp.ClientSession] = aiohttp.ClientSession,
    ):  # fmt: skip
        self.exchange, self.settings, self.recorder = exchange, settings or RestSettings(), recorder
        self.counts: Counter[str] = Counter()  # asked, answered, and each kind of failure
        self._now_ns = now_ns
        self._pools: dict[str, _Pool] = {}
        self._turns = itertools.count()
        self._banned_until_s = 0.0
        self._in_flight = asyncio.Semaphore(self.settings.max_in_flight)
        self._make_session = session
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "RestClient":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        timeout = aiohttp.ClientTimeout(total=self.settings.timeout_s, sock_connect=min(5.0, self.settings.timeout_s))
        self._session = self._make_session(timeout=timeout, headers={"User-Agent": "p9-microstream"})

    async def stop(self) -> None:
        for pool in self._pools.values():
            if pool.timer is not None:
                pool.timer.cancel()
            for *_, future in pool.waiting:
                future.cancel()
            pool.waiting.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def quiet_s(self, budget: Budget) -> float:
        """For how long the venue wants to hear nothing of this kind; 0: it listens."""
        pool = self._pools.get(budget.name)
        until_s = max(self._banned_until_s, pool.quiet_until_s if pool else 0.0)
        return max(0.0, until_s - _loop_s())

    def status(self) -> dict[str, Any]:
        """For /status: used and ceiling by budget, the silence that is asked of us, and what was counted."""
        now_s = _loop_s()
        return {
            "banned_s": round(max(0.0, self._banned_until_s - now_s), 1),
            "budgets": {
                name: {
                    "used": round(pool.window.used(now_s)), "ceiling": round(pool.window.limit), "span_s": pool.window.span_s,
                    "used_by_others": round(pool.others), "waiting": len(pool.waiting), "quiet_s": round(max(0.0, pool.quiet_until_s - now_s), 1),
                }
                for name, pool in self._pools.items()
            },
            "counts": dict(self.counts),
        }  # fmt: skip

    def tune(self, settings: RestSettings) -> None:
        """Another share of the venue's limits from now on."""
        self.settings = settings
        for pool in self._pools.values():
            pool.window.limit = max(1.0, pool.limit * settings.share)

    def wait_s(self, request: Request, priority: Priority) -> float:
        """How long this question would wait for its budget if it were asked now; 0: it would go at once. Those that wait already go first."""
        pool = self._pools.get(request.budget.name)
        if pool is None:
            return max(0.0, self._banned_until_s - _loop_s())
        ahead = sum(weight for _, _, weight, future in pool.waiting if not future.done())
        return self._wait_s(pool, request.weight + ahead, SHARES[priority])

    async def get(
        self, market: Market, request: Request, priority: Priority, *, attempts: int | None = None, headers: Mapping[str, str] | None = None,
        sign: Sign | None = None,
    ) -> bytes:
        """The answer's body, asked again with jittered back-off where that may help; limits are waited for, and do not count as attempts. What is asked
        with `headers` of its own (a key) is private: its answer is not recorded, and it goes nowhere
        else. So is what is asked as `sign(request)` makes it, just before it goes out: signatures age.

        Raises RestRefused (the venue said no), AddressBanned or RateLimited (after the last attempt), RestError (nothing useful came).
        """
        left = attempts if attempts is not None else self.settings.attempts
        backoff_s = self.settings.retry_first_s
        while True:
            await self._admit(request, priority)
            async with self._in_flight:
                if self.quiet_s(request.budget):
                    continue  # shut out while it waited for its turn
                error = await self._ask(market, *(sign(request) if sign is not None else (request, headers)))
            if isinstance(error, bytes):
                return error
            left -= 1
            if left <= 0 or isinstance(error, RestRefused):
                raise error
            if not isinstance(error, RateLimited):
                await asyncio.sleep(random.uniform(0.0, backoff_s))
                backoff_s = min(2 * backoff_s, self.settings.retry_most_s)

    async def get_json(
        self, market: Market, request: Request, priority: Priority, *, attempts: int | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        return msgspec.json.decode(await self.get(market, request, priority, attempts=attempts, **({"headers": headers} if headers else {})))

    async def _ask(self, market: Market, request: Request, private: Mapping[str, str] | None) -> bytes | RestError:
        """One question on the wire: a good body, or what was wrong with it."""
        if self._session is None:
            raise RuntimeError("the client was not started")
        self.counts["asked"] += 1
        where = f"{market.name} {request.path}"
        try:
            async with self._session.request(
                request.method, market.rest_url + request.path, params=request.params, headers=private, allow_redirects=private is None,
                ssl=context_of(market.rest_url) or True,
            ) as response:  # fmt: skip
                body = await self._read(response)
                status, headers, url = response.status, {key.lower(): value for key, value in response.headers.items()}, str(response.url)
        except TimeoutError:
            return self._failed("timeout", RestError(f"no answer within {self.settings.timeout_s:g} s", where=where))
        except aiohttp.ClientPayloadError as error:
            return self._failed("partial", RestError(f"the answer broke off: {error}", where=where))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return self._failed("unreachable", RestError(f"{type(error).__name__}: {error}", where=where, hint="check the network and rest_url"))
        self._learn(request.budget, headers)
        error = market.venue.read_error(status, headers, body)
        if error is None and body.lstrip()[:1] not in (b"{", b"["):
            error = RestError(f"{status}: not JSON but {headers.get('content-type', 'nothing')}: {body[:80]!r}")
        if error is None:
            self.counts["answered"] += 1
            if self.recorder is not None and private is None:
                self.recorder.answer(self._now_ns(), market.name, url, body)
            return body
        error.where = where
        if isinstance(error, AddressBanned):
            self._banned_until_s = max(self._banned_until_s, _loop_s() + (error.retry_after_s or 60.0))
            return self._failed("banned", error)
        if isinstance(error, RateLimited):
            pool = self._pools[request.budget.name]
            pool.quiet_until_s = max(pool.quiet_until_s, _loop_s() + (error.retry_after_s or 1.0) * random.uniform(1.0, 1.1))
            return self._failed("rate_limited", error)
        return self._failed("refused" if isinstance(error, RestRefused) else f"status_{status}" if status != 200 else "not_json", error)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > self.settings.max_body:
                raise aiohttp.ClientPayloadError(f"more than {self.settings.max_body} bytes")
        return bytes(body)

    def _failed(self, kind: str, error: RestError) -> RestError:
        self.counts[kind] += 1
        return error

    def _learn(self, budget: Budget, headers: dict[str, str]) -> None:
        """The venue counts the whole address from the full minute on: what it counts more than we do was used by others."""
        used = headers.get(budget.used_header, "") if budget.used_header else ""
        if used.isdecimal():
            pool = self._pools[budget.name]
            unix_s = self._now_ns() / 1e9
            others = max(0.0, int(used) - pool.window.used_since(_loop_s() - unix_s % 60.0))
            minute = int(unix_s // 60)
            pool.others = max(others, pool.others) if pool.others_minute == minute else others
            pool.others_minute = minute

    async def _admit(self, request: Request, priority: Priority) -> None:
        """Wait for the question's turn and take its weight."""
        pool = self._pools.get(request.budget.name)
        if pool is None:
            pool = self._pools[request.budget.name] = _Pool(request.budget, self.settings.share)
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(pool.waiting, (int(priority), next(self._turns), request.weight, future))
        self._serve(pool)
        await future

    def _serve(self, pool: _Pool) -> None:
        """Let in whom the budget has room for; set the alarm for the rest."""
        if pool.timer is not None:
            pool.timer.cancel()
            pool.timer = None
        while pool.waiting:
            priority, _, weight, future = pool.waiting[0]
            if future.done():
                heapq.heappop(pool.waiting)
                continue
            wait_s = self._wait_s(pool, weight, SHARES[Priority(priority)])
            if wait_s > 0:
                pool.timer = asyncio.get_running_loop().call_later(wait_s, self._serve, pool)
                return
            heapq.heappop(pool.waiting)
            pool.window.take(weight, _loop_s())
            future.set_result(None)

    def _wait_s(self, pool: _Pool, weight: int, share: float) -> float:
        now_s = _loop_s()
        wait_s = max(self._banned_until_s - now_s, pool.quiet_until_s - now_s, pool.window.wait_s(weight, now_s, share))
        unix_s = self._now_ns() / 1e9
        if pool.others_minute == int(unix_s // 60) and pool.window.used(now_s) + pool.others + weight > pool.limit * FULL:
            wait_s = max(wait_s, 60.0 - unix_s % 60.0)  # others have used it up: the venue counts anew with the minute
        return max(0.0, wait_s)
