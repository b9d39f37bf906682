"""The live side of a market's slow facts: its topics (p9.venue.Live) on lines of their own, beside the sockets of books and trades."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

from cext.clock import Clock
from picows import ws_connect

from p9.capture.cold_feed import ColdFeed, ColdTopic
from p9.capture.connection import Dial, FrameRecorder
from p9.capture.line import Connects, FeedSettings
from p9.fact import Reading, Roster
from p9.number import decoded
from p9.venue import Live, Market

MOST_TOPICS = 200  # of one socket: what one loses, fewer instruments lose


class LiveFacts:
    """`kinds`: what is wanted. `take(reading, recv_ns)` hears what each frame said, `on_lost(kinds)` what is not live any more."""

    def __init__(
        self, market: Market, roster: Roster, connects: Connects, *, forms: Sequence[Live], kinds: Collection[str], clock: Clock,
        take: Callable[[Reading, int], None], on_lost: Callable[[Collection[str]], None], settings: FeedSettings | None = None,
        recorder: FrameRecorder | None = None, dial: Dial = ws_connect, log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.market, self.roster = market, roster
        self.bad: Counter[str] = Counter()  # values that could not be used, by what was wrong
        self.feeds: list[ColdFeed] = []
        self._forms = [form for form in forms if set(form.kinds) & set(kinds)]
        self._form_of: dict[str, Live] = {}
        self._take, self._on_lost, self._clock = take, on_lost, clock
        self._connects, self._settings, self._recorder, self._dial = connects, settings, recorder, dial
        self._log = log or (lambda *_, **__: None)
        self._group: asyncio.TaskGroup | None = None
        self._n_made = 0
        self.align()

    async def run(self) -> None:
        """For ever, until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            for feed in self.feeds:
                self._group.create_task(feed.run())
            await asyncio.get_running_loop().create_future()  # a market may have no topics for now

    def align(self) -> None:
        """Subscribe to what the roster's instruments have, and nothing else: those that stay notice nothing of it."""
        by_route: dict[str, dict[str, ColdTopic]] = {feed.route: {} for feed in self.feeds}
        self._form_of = {}
        for form in self._forms:
            for name in form.topics(self.market, self.roster):
                self._form_of[name] = form
                by_route.setdefault(form.route, {})[name] = ColdTopic(name, form.silent_s)
        for route, wanted in by_route.items():
            for feed in [feed for feed in self.feeds if feed.route == route]:
                stay = {name: topic for name, topic in feed.topics.items() if name in wanted}
                room = self._most(wanted) - len(stay)
                new = [name for name in wanted if not any(name in other.topics for other in self.feeds)][: max(0, room)]
                topics = [*stay.values(), *(wanted[name] for name in new)]
                if topics != list(feed.topics.values()):
                    feed.change(topics)
            left = [topic for name, topic in wanted.items() if not any(name in feed.topics for feed in self.feeds)]
            most = self._most(wanted)
            for first in range(0, len(left), most):
                self._open(route, left[first : first + most])

    def _most(self, topics: Collection[str]) -> int:
        return max(1, min(MOST_TOPICS, self.market.limits.socket_chars // max(map(len, topics), default=1)))

    def _open(self, route: str, topics: Sequence[ColdTopic]) -> None:
        feed = ColdFeed(
            f"{self.market.name} facts {route} {self._n_made}", self.market, route, topics, self._connects, clock=self._clock, on_frame=self._read,
            on_lost=lambda: self._lost(feed), settings=self._settings, recorder=self._recorder, dial=self._dial, log=self._log,
        )  # fmt: skip
        self._n_made += 1
        self.feeds.append(feed)
        if self._group is not None:
            self._group.create_task(feed.run())

    def tune(self, settings: FeedSettings) -> None:
        """Other thresholds of its sockets."""
        self._settings = settings
        for feed in self.feeds:
            feed.tune(settings)

    def _lost(self, feed: ColdFeed) -> None:
        self._on_lost({kind for name in feed.topics if name in self._form_of for kind in self._form_of[name].kinds})

    def renew(self, kind: str, venue_symbol: str) -> None:
        """Subscribe anew what says this of an instrument: a new image comes."""
        some = Roster([one for one in self.roster if one.venue_symbol == venue_symbol])
        wanted = {name for form in self._forms if kind in form.kinds for name in form.topics(self.market, some)}
        for feed in self.feeds:
            names = [name for name in feed.topics if name in wanted]
            if feed.up and names:
                feed.connection.renew(names)

    def _read(self, payload: bytes, recv_ns: int) -> None:
        form = self._form_of.get(self.market.venue.topic_of(payload) or "")
        if form is None:
            self.bad["unknown_topic"] += 1
            return
        reading = Reading(self.roster)
        form.read(self.market, reading, decoded(payload))
        for reason, n in reading.bad.items():
            if not self.bad[reason]:
                self._log("value refused", kinds=form.kinds, reason=reason, found=reading.examples[reason])
            self.bad[reason] += n
        self._take(reading, recv_ns)

    def status(self) -> dict[str, Any]:
        return {"feeds": [feed.status() for feed in self.feeds], "bad": dict(self.bad)}
