"""CONTRACT hear events, write messages. One object an instrument and stream; one file a stream (cext/streams).

A stream is told of an event after the book took it. It never hears of a book that is not valid: on_state says when that begins and ends.
It borrows the book, the symbol's row and the outbox; it owns its channels and what it has to remember.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t

from cext.book cimport Book
from cext.events cimport Event, Level
from cext.outbox cimport Outbox, Source
from cext.prints cimport Print
from cext.quantiles cimport Quantiles
from cext.measures.survey cimport Survey
from cext.symbols cimport Symbol
from cext.tape cimport Hole, TapeNews
from cext.units cimport ns_t

cdef enum Hears:
    HEARS_BOOK = 1
    HEARS_BBO = 2
    HEARS_TRADES = 4
    HEARS_STATE = 8
    HEARS_TIMER = 16
    HEARS_TAPE = 32
    HEARS_PRINTS = 64
    HEARS_SURVEY = 128
    HEARS_LIQUIDATIONS = 256
    HEARS_BLOCKS = 512

cdef enum BookState:
    BOOK_INVALID = 0        # nothing derived may be published
    BOOK_BUFFERING          # waiting for an image, changes are held
    BOOK_SYNCED
    BOOK_RETIRED            # its instrument is gone, and will not come back under this index

cdef enum Reason:  # Why a book changed its state.
    REASON_START = 0
    REASON_SNAPSHOT         # an image was loaded and, where the venue needs it, bridged
    REASON_GAP
    REASON_CROSSED
    REASON_MALFORMED        # a depth frame that could not be read
    REASON_DISCONNECT
    REASON_RESTART          # the venue began its numbering anew
    REASON_OVERFLOW         # the held frames outgrew their bound
    REASON_CHECKSUM
    REASON_DISAGREES        # best bid/ask stream or audit against the book
    REASON_WINDOW           # the valid window wore away
    REASON_STALE
    REASON_REMOVED          # the instrument is gone
    N_REASONS

cdef class Stream(Source):
    cdef uint32_t hears
    cdef Book book
    cdef Outbox out
    cdef const Symbol* symbol

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol)
    cdef void on_book(self, const Event* event, const Level* levels, ns_t ts_recv) noexcept nogil
    cdef void on_bbo(self, const Event* event, const Level* levels, ns_t ts_recv) noexcept nogil
    cdef void on_trade(self, const Event* event, ns_t ts_recv) noexcept nogil
    cdef void on_print(self, const Print* print, const Quantiles* sizes, ns_t now_ns) noexcept nogil
    cdef void on_liquidation(self, const Event* event, ns_t ts_recv) noexcept nogil
    cdef void on_block(self, const Event* event, ns_t ts_recv) noexcept nogil
    cdef void on_state(self, BookState state, Reason reason, int64_t expected_id, int64_t got_id, ns_t now_ns) noexcept nogil
    cdef void on_tape(self, TapeNews news, const Hole* hole, ns_t now_ns) noexcept nogil
    cdef void on_timer(self, ns_t now_ns) noexcept nogil
    cdef void ask_survey(self, Survey survey)
    cdef void on_survey(self, Survey survey, ns_t now_ns) noexcept nogil
    cdef bint on_rescale(self, int64_t px_factor, int64_t qty_factor) noexcept nogil

cdef const char* reason_word(Reason reason, Py_ssize_t* size) noexcept nogil  # as in REASON_NAMES
