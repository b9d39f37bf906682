"""Asking a venue by REST which stop orders of one's own were triggered while its private stream was lost (p9.stop_order.Reconcile says how).

Nothing of it is believed that cannot be: an answer that is refused, is none, has a value that cannot be used, or pages that do not end leave the matter
open, and what it did tell is told all the same.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from yarl import URL

from p9 import secret
from p9.errors import ConfigError, RestError
from p9.fact import Reading, Roster
from p9.instrument import Instrument
from p9.key import Key
from p9.market.rest import Priority, RestClient
from p9.number import decoded
from p9.stop_order import Reconcile, StopOrder
from p9.venue import Market, Request

MOST_PAGES = 100  # of one question
LIST_S = 24 * 3600.0  # the older the list of what rests, the further back a history must be asked


class Reconciler:
    """`now_ns()`: the venue's time. `bad` counts what could not be used, by what was wrong with it."""

    def __init__(self, how: Reconcile, market: Market, client: RestClient, *, key: Callable[[], Key], now_ns: Callable[[], int]):
        self.how = how
        self.bad: Counter[str] = Counter()
        self._market, self._client, self._key, self._now_ns = market, client, key, now_ns
        self._lists: list[tuple[int, dict[str, int]]] = []  # (when it was asked for, {unit: when the oldest order was placed that rested then}), the last two
        self._unlisted = "what rests was not listed yet"
        self._due_s = 0.0
        self._known: set[str] | None = None  # orders that were triggered before we listened, and are open still

    @property
    def due(self) -> bool:
        """Whether what rests is to be listed (anew)."""
        return bool(self.how.listing) and time.monotonic() >= self._due_s

    @property
    def ready(self) -> bool:
        """Whether it can be told which orders may be triggered while nobody listens."""
        return bool(self._lists) or not self.how.listing

    async def list_resting(self, live_ns: int, again_s: float) -> str:
        """Learn what rests; the reason why it is not known, or nothing. `live_ns`: since when the stream tells what is triggered."""
        reading, at_ns = Reading(Roster(())), self._now_ns()
        assert self.how.read_listing is not None
        why = await self._ask(self.how.listing, reading, self.how.read_listing)
        self._due_s = time.monotonic() + (again_s if why else LIST_S)
        self._unlisted = why
        if not why:
            oldest: dict[str, int] = {}
            for order in reading.facts:
                oldest[order.unit] = min(order.placed_ns, oldest.get(order.unit, at_ns))
            self._lists = [*self._lists[-1:], (at_ns, oldest)]
            if self._known is None:
                self._known = {f"{order.market} {order.order_id}" for order in reading.facts if order.changed_ns is not None and order.changed_ns < live_ns - self.how.earlier_ns}
        return why

    async def triggered(self, instruments: Sequence[Instrument], since_ns: int) -> tuple[list[StopOrder], str]:
        """What was triggered from then on, and why that may not be all of it (nothing: it is). A list that was made later knows nothing of those that were
        triggered in between."""
        listed_ns, oldest = next((each for each in reversed(self._lists) if each[0] <= since_ns), (0 if self.how.listing else since_ns, {}))
        if not listed_ns:
            return [], self._unlisted or "what rested was listed only after the line was lost"
        reading = Reading(Roster(()))
        questions = self.how.questions(instruments, lambda unit: min(oldest.get(unit, listed_ns), since_ns) - self.how.earlier_ns, self._now_ns())
        why = await self._ask(questions, reading, lambda reading, answer: self.how.read(reading, answer, since_ns - self.how.earlier_ns))
        return [order for order in reading.facts if f"{order.market} {order.order_id}" not in (self._known or ())], why

    async def _ask(self, questions: Sequence[Request], reading: Reading, read: Callable[[Reading, Any], None]) -> str:
        try:
            why = "" if self._key().signs else "the key has no secret to sign with"
        except ConfigError as error:
            why = str(error)
        for question in questions:
            waiting, asked = [question], set()
            while waiting and not why:
                request = waiting.pop()
                if (request.path, request.params) in asked or len(asked) == MOST_PAGES:
                    why = f"{request.path}: its pages do not end"
                    reading.reject("pages_without_end")
                    break
                asked.add((request.path, request.params))
                try:
                    answer = decoded(await self._client.get(self._market, request, Priority.AUDIT, sign=self._sign))
                    read(reading, answer)
                    waiting += self.how.next_pages(request, answer)
                except (RestError, ConfigError) as error:
                    why = secret.censored(str(error))
                    self.bad[type(error).__name__] += 1
                except Exception as error:  # an answer that nobody foresaw: its kind is told, and not what stands in it
                    reading.reject(type(error).__name__)
                    why = f"{request.path}: {type(error).__name__}"
        self.bad += reading.bad
        return why or (f"answers that cannot be used: {', '.join(sorted(reading.bad))}" if reading.bad else "")

    def _sign(self, request: Request) -> tuple[Request, dict[str, str]]:
        query = URL.build(query=request.params).raw_query_string if request.params else ""  # as the client writes it
        params, headers = self.how.sign(self._key(), request.path, query, self._now_ns())
        return msgspec.structs.replace(request, params=(*request.params, *params)), headers
