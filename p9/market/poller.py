"""Every question on a timer: one runner for all rows of a market (p9.venue.Poll).

A round asks a row's questions, a few at once, and follows their pages; then it waits for the rest of its interval, jittered. A round that the
venue's limits hold up ends later and the next one begins later: polls never pile up. Polls come after recoveries and audits and before back-fill.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from p9.errors import RateLimited, RestError
from p9.fact import Reading, Roster
from p9.market.rest import Priority, RestClient
from p9.number import decoded
from p9.venue import Market, Poll, Request

MAX_PAGES = 50
IN_FLIGHT = 3  # questions of one row
FIRST_WITHIN_S = 2.0  # the first round of each row, spread over so long


class PollState(msgspec.Struct):
    """One row's fortune. `reason`: why its last round brought nothing; empty: it brought something."""

    rounds: int = 0
    answered_s: float | None = None  # by the event loop's clock
    round_s: float = 0.0  # how long the last round took
    reason: str = ""


class Poller:
    """`every_s`: {kind: interval}; a kind that is not there is not asked. `take(poll, reading, recv_ns)` hears what each page said."""

    def __init__(
        self, market: Market, client: RestClient, roster: Roster, *, polls: Sequence[Poll], every_s: Mapping[str, float],
        take: Callable[[Poll, Reading, int], None], now_ns: Callable[[], int], log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.market, self.roster = market, roster
        self.states = [(poll, PollState()) for poll in polls if poll.kind in every_s]
        self.counts: Counter[tuple[str, str]] = Counter()  # (kind, what): asked, answered, and each kind of failure
        self.bad: Counter[tuple[str, str]] = Counter()  # (kind, what was wrong): values that could not be used
        self._client, self._every_s, self._take, self._now_ns = client, every_s, take, now_ns
        self._log = log or (lambda *_, **__: None)

    async def run(self) -> None:
        """For ever, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for poll, state in self.states:
                group.create_task(self._repeat(poll, state))

    async def _repeat(self, poll: Poll, state: PollState) -> None:
        loop = asyncio.get_running_loop()
        every_s = self._every_s[poll.kind] * poll.every
        await asyncio.sleep(random.uniform(0.0, min(FIRST_WITHIN_S, every_s)))
        while True:
            began_s = loop.time()
            wait_s = await self.ask(poll, state)
            state.round_s = loop.time() - began_s
            await asyncio.sleep(max(wait_s, every_s * random.uniform(0.95, 1.05) - state.round_s, 0.05 * every_s))

    async def ask(self, poll: Poll, state: PollState) -> float:
        """One round; how long the venue wants silence after it."""
        state.rounds += 1
        wait_s = 0.0
        reason = ""
        requests = poll.requests(self.market, self.roster)
        for first in range(0, len(requests), IN_FLIGHT):
            some = requests[first : first + IN_FLIGHT]
            for error in await asyncio.gather(*(self._ask(poll, request) for request in some), return_exceptions=True):
                if error is None:
                    state.answered_s = asyncio.get_running_loop().time()
                elif isinstance(error, RestError | ValueError):
                    reason = str(error)
                    if isinstance(error, RateLimited):
                        wait_s = max(wait_s, error.retry_after_s or 1.0)
                else:
                    raise error
            if wait_s:
                break  # the others would only wait
        if reason != state.reason:
            self._log("poll failed" if reason else "poll is back", market=self.market.name, kind=poll.kind, reason=reason)
        state.reason = reason
        return wait_s

    async def _ask(self, poll: Poll, request: Request | None) -> None:
        """One question and its pages. Raises RestError, or ValueError for an answer that is no JSON."""
        asked: set[Request] = set()
        while request is not None:
            if request in asked or len(asked) == MAX_PAGES:
                self.counts[poll.kind, "endless_pages"] += 1
                raise ValueError(f"{request.path}: its pages come to no end")
            asked.add(request)
            self.counts[poll.kind, "asked"] += 1
            try:
                body = await self._client.get(self.market, request, Priority.POLL, attempts=2)
                recv_ns = self._now_ns()
                answer = decoded(body)
            except (RestError, ValueError) as error:
                self.counts[poll.kind, type(error).__name__] += 1
                raise
            self.counts[poll.kind, "answered"] += 1
            reading = Reading(self.roster)
            try:
                poll.read(self.market, reading, answer)
            except Exception as error:  # a mistake of a reader's costs this answer, not what the other rows ask
                self.counts[poll.kind, "fault"] += 1
                raise ValueError(f"{request.path} cannot be read: {type(error).__name__}: {error}") from error
            self._note(poll.kind, reading)
            self._take(poll, reading, recv_ns)
            request = self.market.venue.next_page(request, answer)

    def _note(self, kind: str, reading: Reading) -> None:
        for reason, n in reading.bad.items():
            if not self.bad[kind, reason]:
                self._log("value refused", market=self.market.name, kind=kind, reason=reason, found=reading.examples[reason])
            self.bad[kind, reason] += n

    def status(self) -> dict[str, Any]:
        now_s = asyncio.get_running_loop().time()
        return {
            "rows": [
                {
                    "kind": poll.kind, "rounds": state.rounds, "round_s": round(state.round_s, 3), "reason": state.reason,
                    "age_s": None if state.answered_s is None else round(now_s - state.answered_s, 1),
                }
                for poll, state in self.states
            ],
            "counts": _nested(self.counts), "bad": _nested(self.bad),
        }  # fmt: skip


def _nested(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (kind, what), n in counts.items():
        found.setdefault(kind, {})[what] = n
    return found
