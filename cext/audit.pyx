"""A book rebuilt beside the live one, and compared with it at the same update id.

From its making on, an Audit keeps a copy of every depth frame of its instrument. `compare` loads an image of REST into a book of its own, applies what
was kept by the venue's own rule, and holds it against the live book, level by level, where both claim to know. Frames of the stream and an image that
the venue made apart from it must come to the same.
"""

from libc.stdint cimport int32_t
from libc.stdlib cimport free

from collections import namedtuple

from cext.book cimport ASKS, BIDS
from cext.events cimport OUTCOME_EVENTS, OUTCOME_FINER, Outcome
from cext.held cimport HeldFrame, held_free, held_init
from cext.instrument cimport Instrument
from cext.pipeline cimport Pipeline, crossed_image
from cext.sequence cimport SequenceRule
from cext.stream cimport BOOK_SYNCED

from cext import decimal
from cext.normalizer import OUTCOME_NAMES

Compared = namedtuple("Compared", "verdict levels id detail")
Compared.__doc__ = """`verdict`: equal, different (`detail` names the first level that differs), or why it could not be told: ahead (the image is newer than
the stream: wait), too_old (older than what was kept), changed (the live book was resynced meanwhile), full (more frames than may be kept), or the outcome
of a body that could not be read. `levels` compared, `id` of the update at which."""


cdef class Audit:
    """Of instrument `ix`; `close` ends it."""

    def __init__(self, Pipeline pipeline not None, int32_t ix):
        self.pipeline = pipeline
        self.ix = ix
        self._live = pipeline._keep[ix]
        if self._live.shadowed != NULL:
            raise ValueError(f"{self._live.name} is being audited already")
        held_init(&self._held, pipeline.max_held_bytes, pipeline.max_held_frames)
        self._live.shadowed = &self._held
        self._open = True
        self._was = self._version()

    def __dealloc__(self):
        self._end()
        free(self._notices.rows)
        free(self._news.rows)

    def close(self):
        """Keep no frames any more."""
        self._end()

    cdef void _end(self):
        if self._open:
            self._open = False
            self._live.shadowed = NULL
            held_free(&self._held)

    def _version(self):
        return self._live.state == BOOK_SYNCED, self._live.n.images, self._live.n.gaps, self._live.n.lost_frames

    def compare(self, bytes body not None):
        """The image `body` and the frames kept, against the live book. May be called again, with the same image or a newer one."""
        cdef Pipeline pipeline = self.pipeline
        cdef Instrument shadow
        cdef SequenceRule rule = pipeline.rule
        cdef Outcome outcome
        if not self._open:
            raise ValueError("the audit is closed")
        if self._was != self._version() or not self._was[0]:
            return Compared("changed", 0, -1, "")
        if self._held.n >= self._held.max_frames:
            return Compared("full", 0, -1, "")
        outcome = pipeline._decode(self.ix, body, len(body))
        if outcome == OUTCOME_FINER:
            outcome = pipeline._decode_finer(self.ix, body, len(body))
        if outcome != OUTCOME_EVENTS:
            return Compared(OUTCOME_NAMES[outcome], 0, -1, "")
        if crossed_image(&pipeline.batch.events[0], pipeline.batch.levels):
            return Compared("crossed", 0, -1, "")
        rule.rest_seeded = True
        shadow = Instrument(self._live.venue_symbol, self._live.name, (), self._live.depth, True)
        shadow.attach(self._live.symbol, rule, pipeline.numbering, &self._notices, &self._news, pipeline.outbox)
        held_init(&shadow.held, 0, 0)
        shadow.in_auction = True  # crossed or not, it shall be compared
        shadow.on_event(&pipeline.batch.events[0], &pipeline.batch, 0)
        if not self._replay(shadow):
            return Compared("too_old", 0, -1, "")
        self._notices.n = self._news.n = 0
        if shadow.sequence.id > self._live.sequence.id:
            return Compared("ahead", 0, -1, "")
        if shadow.sequence.id != self._live.sequence.id:
            return Compared("too_old", 0, -1, "")
        return self._held_against(shadow)

    cdef bint _replay(self, Instrument shadow):
        """False: what was kept does not go on from the image."""
        cdef Pipeline pipeline = self.pipeline
        cdef HeldFrame* row
        cdef int32_t i, j
        for i in range(self._held.n):
            row = &self._held.frames[i]
            if pipeline._decode(-1, self._held.bytes + row.offset, row.size) != OUTCOME_EVENTS:
                continue
            for j in range(pipeline.batch.n_events):
                if pipeline.batch.events[j].instrument == self.ix and shadow.on_event(&pipeline.batch.events[j], &pipeline.batch, 0):
                    return False
        return True

    def _held_against(self, Instrument shadow not None):
        """Level by level, where both books claim to know."""
        low = max(shadow.book.valid_bid, self._live.book.valid_bid)
        high = min(shadow.book.valid_ask, self._live.book.valid_ask)
        if not self.pipeline.rule.rest_seeded and self._live.depth > 0:
            # The stream tells a window of so many levels. What came into it and left it again between two frames may stand in the image, made between them.
            if self._live.book.n_levels(BIDS) >= self._live.depth:
                low = max(low, min(px for px, _ in self._live.book.levels(BIDS)))
            if self._live.book.n_levels(ASKS) >= self._live.depth:
                high = min(high, max(px for px, _ in self._live.book.levels(ASKS)))
        compared = 0
        for name, side in (("bid", BIDS), ("ask", ASKS)):
            ours = {px: qty for px, qty in self._live.book.levels(side) if low <= px <= high}
            theirs = {px: qty for px, qty in shadow.book.levels(side) if low <= px <= high}
            compared += len(theirs)
            if ours != theirs:
                wrong = [px for px in {**ours, **theirs} if ours.get(px, 0) != theirs.get(px, 0)]
                first = max(wrong) if side == BIDS else min(wrong)
                write = decimal.write
                detail = (f"{len(wrong)} {name} levels differ; at {write(first, self._live.symbol.px_scale)} we have "
                          f"{write(ours.get(first, 0), self._live.symbol.qty_scale)}, the venue {write(theirs.get(first, 0), self._live.symbol.qty_scale)}")
                return Compared("different", compared, self._live.sequence.id, detail)
        return Compared("equal", compared, self._live.sequence.id, "")
