"""The whole book once a second, and the place of each image in the channel of changes."""

from libc.stdint cimport INT64_MAX, int32_t, int64_t
from libc.stdlib cimport free, malloc

from cext.book cimport ASKS, BIDS, Book
from cext.events cimport Event, Level
from cext.film cimport Film, Image
from cext.levels cimport put_levels
from cext.names cimport Names
from cext.outbox cimport MEDIUM, Channel, Outbox
from cext.stream cimport BOOK_SYNCED, HEARS_BOOK, HEARS_STATE, HEARS_TIMER, BookState, Reason, Stream, reason_word
from cext.symbols cimport Symbol
from cext.turnover cimport put_unit
from cext.units cimport NO_ID, NO_TIME, ns_t
from cext.writer cimport Writer, put_bytes, put_decimal, put_int

cdef enum:
    MAX_DEPTH = 1000
    PHASES = 20     # instruments take turns within the interval, one turn a tick of the timer at the default second


cdef class Snapshots(Stream):
    """`snapshots`: the book to `depth` levels a side every `interval_ns`, only while it is synced.

    depth_epoch, depth_seq: the event of the depth channel whose changes are the last in this image (null without a depth stream). update_id: the
    venue's id of it. valid_bid, valid_ask: levels are known down and up to these prices (null: to the end). bids, asks: [[price, quantity],
    ...], best first, in the venue's native unit (contract_value, contract_unit as in `depth`).

    The image is copied when it is due: what a later frame shows to be wrong must not slip into one that is already announced.
    `depth_stream`, if given, must stand before this stream in the instrument's list, so that its channel is open. `store` hands each interval's image
    to a film too.
    """

    cdef readonly Names names
    cdef readonly str word
    cdef readonly Channel channel
    cdef object _depth_stream
    cdef Channel _depth             # None without a depth stream
    cdef int32_t _max
    cdef ns_t _interval_ns
    cdef int64_t _turn              # the interval that was served last
    cdef bint _synced
    cdef bint _renew
    cdef int64_t _last_id
    cdef ns_t _ts_event
    cdef ns_t _ts_recv
    cdef Image _image               # its memory is one piece: _max bids, then _max asks
    cdef readonly Film film         # None: nothing is stored

    def __init__(self, Names names not None, depth_stream=None, *, int depth=MAX_DEPTH, ns_t interval_ns=1_000_000_000, str word=""):
        if not 1 <= depth <= MAX_DEPTH:
            raise ValueError(f"depth {depth} is outside 1..{MAX_DEPTH}")
        if interval_ns < 1:
            raise ValueError(f"interval {interval_ns} ns is not positive")
        self.names = names
        self.word = word
        self.hears = HEARS_BOOK | HEARS_STATE | HEARS_TIMER
        self._depth_stream = depth_stream
        self._max = depth
        self._interval_ns = interval_ns
        self._turn = NO_ID
        self._last_id = self._image.depth_seq = NO_ID
        self._ts_event = self._ts_recv = NO_TIME
        free(self._image.bids)
        self._image.bids = <Level*>malloc(2 * depth * sizeof(Level))
        if self._image.bids == NULL:
            raise MemoryError
        self._image.asks = self._image.bids + depth

    def __dealloc__(self):
        free(self._image.bids)

    def store(self, Film film not None):
        """From now on `film` gets the image of each interval."""
        self.film = film

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol):
        Stream.attach(self, book, out, symbol)
        self.channel = self.names.channel(out, "snapshots", self.word, MEDIUM, self, True)
        if self._depth_stream is not None:
            self._depth = self._depth_stream.channel
            if self._depth is None:
                raise ValueError("the depth stream must stand before its snapshots in the instrument's list")

    cdef void on_book(self, const Event* event, const Level* levels, ns_t ts_recv) noexcept nogil:
        self._last_id = event.last_id
        self._ts_event = event.ts_event
        self._ts_recv = ts_recv
        self._follow_depth()

    cdef void on_state(self, BookState state, Reason reason, int64_t expected_id, int64_t got_id, ns_t now_ns) noexcept nogil:
        cdef const char* why
        cdef Py_ssize_t size
        self._synced = state == BOOK_SYNCED
        if self._synced:
            self._last_id = got_id
            self._ts_event = NO_TIME
            self._ts_recv = now_ns
        elif self.film is not None:
            why = reason_word(reason, &size)
            self.film.end(why, size, now_ns)

    cdef void on_timer(self, ns_t now_ns) noexcept nogil:
        cdef int64_t turn = (now_ns + self._interval_ns // PHASES * (self.symbol.ix % PHASES)) // self._interval_ns
        self._follow_depth()
        if not self._synced or (turn == self._turn and not self._renew):
            return
        self._image.taken = now_ns
        self._image.ts_event = self._ts_event
        self._image.ts_recv = self._ts_recv
        self._image.n_bids = self.book.take(BIDS, self._image.bids, self._max)
        self._image.n_asks = self.book.take(ASKS, self._image.asks, self._max)
        self._image.px_scale = self.symbol.px_scale
        self._image.qty_scale = self.symbol.qty_scale
        self._image.valid_bid = self.book.valid_bid
        self._image.valid_ask = self.book.valid_ask
        self._image.update_id = self._last_id
        if self._depth is not None:
            self._image.depth_seq = self._depth.seq
        if self.film is not None and turn != self._turn:
            self.film.shoot(&self._image, turn)
        self._turn = turn
        self._renew = False
        self.out.mark(self.channel, self._ts_event, self._ts_recv, 0)

    cdef void render(self, Channel channel, Writer* w) noexcept nogil:
        self._follow_depth()
        if self._depth is not None:
            put_bytes(w, b',"depth_epoch":', 15)
            put_int(w, self.out.epoch)
            put_bytes(w, b',"depth_seq":', 13)
            put_int(w, self._image.depth_seq)
        else:
            put_bytes(w, b',"depth_epoch":null,"depth_seq":null', 36)
        put_bytes(w, b',"update_id":', 13)
        if self._image.update_id == NO_ID:
            put_bytes(w, b"null", 4)
        else:
            put_int(w, self._image.update_id)
        put_bytes(w, b',"valid_bid":', 13)
        if self._image.valid_bid == 0:
            put_bytes(w, b"null", 4)
        else:
            put_decimal(w, self._image.valid_bid, self._image.px_scale)
        put_bytes(w, b',"valid_ask":', 13)
        if self._image.valid_ask == INT64_MAX:
            put_bytes(w, b"null", 4)
        else:
            put_decimal(w, self._image.valid_ask, self._image.px_scale)
        put_bytes(w, b',"bids":', 8)
        put_levels(w, self._image.bids, self._image.n_bids, self._image.px_scale, self._image.qty_scale)
        put_bytes(w, b',"asks":', 8)
        put_levels(w, self._image.asks, self._image.n_asks, self._image.px_scale, self._image.qty_scale)
        put_unit(w, self.symbol)

    cdef void _follow_depth(self) noexcept nogil:
        """A depth queue that overflowed takes its numbers back. An image that counts on them would make a consumer drop the changes that get
        these numbers anew, so it falls back to the last number that stands, and a fresh image follows."""
        if self._depth is not None and self._depth.seq < self._image.depth_seq:
            self._image.depth_seq = self._depth.seq
            self._renew = True
