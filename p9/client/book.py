"""An order book kept from `depth` and `snapshots` events, with every step verified: a wrong book is never shown, it is not there."""

from collections import deque
from decimal import Decimal
from heapq import nlargest, nsmallest

from p9.client.event import Depth, Event, Level, Snapshot

MAX_BUFFERED = 10_000  # depth events that wait for an image

Sides = tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]  # price -> quantity: bids, asks


class Book:
    """One instrument's. `synced` False: it is not known now, and the next image (flag `snapshot`, or a `snapshots` event) brings it back.

    `seq` must go up one by one, and the venue's own ids must join: prev_id is the last one's last_id where the venue says it, and first_id is
    not beyond the next id where it does not; the first change after an image may begin before it.
    """

    def __init__(self) -> None:
        self.synced = False
        self.reason = "no image yet"  # why it is not synced
        self.losses = 0  # how often it was lost
        self.epoch = self.seq = -1  # of the last depth event in it
        self.last_id: int | None = None  # the venue's, of the last change in it
        self.valid_bid: Decimal | None = None  # levels are known down to here; None: to the end
        self.valid_ask: Decimal | None = None
        self._sides: Sides = ({}, {})
        self._fresh = False  # right behind an image
        self._overtaken = (-1, -1)  # the last change in the newest snapshot
        self._buffered: deque[Depth] = deque(maxlen=MAX_BUFFERED)

    def take(self, event: Event) -> bool:
        """A `depth` or `snapshots` event of the instrument, in its channel's order; whether the book is synced."""
        if isinstance(event, Depth):
            self._depth(event)
        elif isinstance(event, Snapshot):
            self._snapshot(event)
        return self.synced

    def bids(self, n: int = 1) -> list[Level]:
        """The best `n`, best first; nothing while it is not synced."""
        return nlargest(n, self._sides[0].items()) if self.synced else []

    def asks(self, n: int = 1) -> list[Level]:
        return nsmallest(n, self._sides[1].items()) if self.synced else []

    # ---- inside

    def _depth(self, event: Depth) -> None:
        if (event.epoch, event.seq) <= (self.epoch, self.seq):
            return
        if "snapshot" in event.flags:
            self._replace(event.bids, event.asks, event.epoch, event.seq, event.last_id)
            self.valid_bid = self.valid_ask = None
            return
        if self.synced and event.epoch == self.epoch:
            wrong = self._misfit(event)
            if wrong is None:
                self._apply(event)
                return
            self._lose(wrong)
        elif self.synced:
            self._lose(f"epoch {event.epoch} begins without an image")
        self._buffered.append(event)

    def _misfit(self, event: Depth) -> str | None:
        if event.seq != self.seq + 1:
            return f"seq {self.seq} is followed by {event.seq}"
        if self.last_id is None:
            return None
        if event.prev_id is not None:
            if event.prev_id > self.last_id or (event.prev_id < self.last_id and not self._fresh):
                return f"id {self.last_id} is followed by a change of {event.prev_id}"
        elif event.first_id is not None and event.first_id > self.last_id + 1:
            return f"id {self.last_id} is followed by {event.first_id}"
        return None

    def _snapshot(self, event: Snapshot) -> None:
        """Only to begin with, and after a loss: while the changes follow one another the book is as good, and deeper.

        A snapshot may overtake the changes in it. Who has not seen them when the next one comes has lost them.
        """
        if event.depth_epoch is None or event.depth_seq is None or (event.depth_epoch, event.depth_seq) < (self.epoch, self.seq):
            return
        if self.synced:
            overtaken, self._overtaken = self._overtaken, (event.depth_epoch, event.depth_seq)
            if (self.epoch, self.seq) >= overtaken:
                return
            self._lose(f"seq {self.seq} is followed by nothing up to {overtaken[1]}")
        later = [change for change in self._buffered if (change.epoch, change.seq) > (event.depth_epoch, event.depth_seq)]
        if later and (later[0].epoch, later[0].seq) != (event.depth_epoch, event.depth_seq + 1):
            return  # changes between them were missed: the next one will do
        self._replace(event.bids, event.asks, event.depth_epoch, event.depth_seq, event.update_id)
        self.valid_bid, self.valid_ask = event.valid_bid, event.valid_ask
        for change in later:
            self._depth(change)

    def _replace(self, bids: list[Level], asks: list[Level], epoch: int, seq: int, last_id: int | None) -> None:
        self._sides = (dict(bids), dict(asks))
        self.epoch, self.seq, self.last_id = epoch, seq, last_id
        self.synced, self._fresh, self.reason = True, True, ""
        self._buffered.clear()

    def _apply(self, event: Depth) -> None:
        for side, levels in zip(self._sides, (event.bids, event.asks), strict=True):
            for price, quantity in levels:
                if quantity:
                    side[price] = quantity
                else:
                    side.pop(price, None)
        self.seq, self._fresh = event.seq, False
        if event.last_id is not None:
            self.last_id = event.last_id

    def _lose(self, reason: str) -> None:
        self.synced, self.reason = False, reason
        self.losses += 1
        self._sides = ({}, {})
