"""L2 changes as they were applied, and a full image whenever a consumer cannot know the book from changes."""

from libc.stdint cimport int64_t

from cext.book cimport ASKS, BIDS, Book
from cext.events cimport EVENT_SNAPSHOT, Event, Level
from cext.levels cimport put_levels, put_side
from cext.names cimport Names
from cext.outbox cimport LOW, MARK_SNAPSHOT, Channel, Outbox
from cext.stream cimport BOOK_SYNCED, HEARS_BOOK, HEARS_STATE, HEARS_TIMER, BookState, Reason, Stream
from cext.symbols cimport Symbol
from cext.turnover cimport put_unit
from cext.units cimport NO_ID, NO_TIME, ns_t
from cext.writer cimport Writer, put_bytes, put_int


cdef void _put_id(Writer* w, int64_t id) noexcept nogil:
    if id == NO_ID:
        put_bytes(w, b"null", 4)
    else:
        put_int(w, id)


cdef class Depth(Stream):
    """`depth`: one event a depth frame.

    first_id, last_id, prev_id: the venue's own update ids (null where it has none). bids, asks: [[price, quantity], ...]; a quantity of "0" removes
    the level. Quantities are in the venue's native unit: where that is contracts, contract_value and contract_unit (base, quote)
    say what one is worth. An event with flag `snapshot` holds every level, best first, and replaces what was known: the first one after each
    (re)sync and after the channel's queue overflowed.
    """

    cdef readonly Names names
    cdef readonly str word
    cdef readonly Channel channel
    cdef readonly int64_t n_images
    cdef bint _synced
    cdef bint _wants_image
    cdef int64_t _last_id       # of the newest change in the book
    cdef ns_t _ts_event
    cdef ns_t _ts_recv

    def __init__(self, Names names not None, *, str word=""):
        self.names = names
        self.word = word
        self.hears = HEARS_BOOK | HEARS_STATE | HEARS_TIMER
        self._wants_image = True
        self._last_id = NO_ID
        self._ts_event = self._ts_recv = NO_TIME

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol):
        Stream.attach(self, book, out, symbol)
        self.channel = self.names.channel(out, "depth", self.word, LOW, self, False, True)

    cdef void on_book(self, const Event* event, const Level* levels, ns_t ts_recv) noexcept nogil:
        cdef Writer* w
        # a change with a lower id than the last is the venue's restart: it may stand for a whole new book
        cdef bint image = self._wants_image or event.kind == EVENT_SNAPSHOT or event.last_id < self._last_id
        self._last_id = event.last_id
        self._ts_event = event.ts_event
        self._ts_recv = ts_recv
        if image:
            self._image()
            return
        w = self.out.open(self.channel, event.ts_event, ts_recv, 0)
        put_bytes(w, b',"first_id":', 12)
        _put_id(w, event.first_id)
        put_bytes(w, b',"last_id":', 11)
        _put_id(w, event.last_id)
        put_bytes(w, b',"prev_id":', 11)
        _put_id(w, event.prev_id)
        put_bytes(w, b',"bids":', 8)
        put_levels(w, levels + event.bids, event.n_bids, self.symbol.px_scale, self.symbol.qty_scale)
        put_bytes(w, b',"asks":', 8)
        put_levels(w, levels + event.asks, event.n_asks, self.symbol.px_scale, self.symbol.qty_scale)
        put_unit(w, self.symbol)
        self.out.close(self.channel)

    cdef void on_state(self, BookState state, Reason reason, int64_t expected_id, int64_t got_id, ns_t now_ns) noexcept nogil:
        self._synced = state == BOOK_SYNCED
        self._wants_image = True
        if self._synced:
            self._last_id = got_id
            self._ts_event = NO_TIME
            self._ts_recv = now_ns
            self._image()

    cdef void on_timer(self, ns_t now_ns) noexcept nogil:
        """A quiet book that owes an image gives it now."""
        if self._wants_image and self._synced:
            self._image()

    cdef void restart(self, Channel channel) noexcept nogil:
        """The queue was emptied as a unit: changes alone no longer lead anywhere. Called in the midst of a write, so only noted."""
        self._wants_image = True

    cdef void _image(self) noexcept nogil:
        cdef Writer* w = self.out.open(self.channel, self._ts_event, self._ts_recv, MARK_SNAPSHOT)
        self._wants_image = False   # before close: it may ask for the next one
        put_bytes(w, b',"first_id":', 12)
        _put_id(w, self._last_id)
        put_bytes(w, b',"last_id":', 11)
        _put_id(w, self._last_id)
        put_bytes(w, b',"prev_id":null,"bids":', 23)
        put_side(w, self.book, BIDS, self.symbol.px_scale, self.symbol.qty_scale)
        put_bytes(w, b',"asks":', 8)
        put_side(w, self.book, ASKS, self.symbol.px_scale, self.symbol.qty_scale)
        put_unit(w, self.symbol)
        self.out.close(self.channel)
        self.n_images += 1
