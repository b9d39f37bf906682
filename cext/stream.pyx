"""CONTRACT hear events, write messages: the silent stream that the others fill in."""

from libc.stdint cimport int64_t

from cext.book cimport Book
from cext.events cimport Event, Level
from cext.outbox cimport Outbox, Source
from cext.prints cimport Print
from cext.quantiles cimport Quantiles
from cext.measures.survey cimport Survey
from cext.symbols cimport Symbol
from cext.tape cimport Hole, TapeNews
from cext.units cimport ns_t

STATE_NAMES = {BOOK_INVALID: "invalid", BOOK_BUFFERING: "buffering", BOOK_SYNCED: "synced", BOOK_RETIRED: "retired"}
REASON_NAMES = {
    REASON_START: "start", REASON_SNAPSHOT: "snapshot", REASON_GAP: "gap", REASON_CROSSED: "crossed", REASON_MALFORMED: "malformed",
    REASON_DISCONNECT: "disconnect", REASON_RESTART: "restart", REASON_OVERFLOW: "overflow", REASON_CHECKSUM: "checksum",
    REASON_DISAGREES: "disagrees", REASON_WINDOW: "window", REASON_STALE: "stale", REASON_REMOVED: "removed",
}

_words = [REASON_NAMES[reason].encode() for reason in range(<int>N_REASONS)]

cdef const char* _word_at[N_REASONS]
cdef Py_ssize_t _word_sizes[N_REASONS]

cdef int _i
for _i in range(<int>N_REASONS):
    _word_at[_i] = _words[_i]
    _word_sizes[_i] = len(_words[_i])


cdef const char* reason_word(Reason reason, Py_ssize_t* size) noexcept nogil:
    """The name of a reason, and its length."""
    size[0] = _word_sizes[<int>reason]
    return _word_at[<int>reason]


cdef class Stream(Source):
    """Subclasses set `hears` in their constructor and override what they hear."""

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol):
        """Called once by the instrument, before any event."""
        self.book = book
        self.out = out
        self.symbol = symbol

    cdef void on_book(self, const Event* event, const Level* levels, ns_t ts_recv) noexcept nogil:
        """The synced book has taken `event` (EVENT_DEPTH, or EVENT_SNAPSHOT with the whole image in `levels`)."""

    cdef void on_bbo(self, const Event* event, const Level* levels, ns_t ts_recv) noexcept nogil:
        """The venue's own best bid and ask."""

    cdef void on_trade(self, const Event* event, ns_t ts_recv) noexcept nogil:
        """One trade."""

    cdef void on_print(self, const Print* print, const Quantiles* sizes, ns_t now_ns) noexcept nogil:
        """One taker's burst, finished; `sizes`: those of this instrument's prints of the last day, this one not among them yet."""

    cdef void on_liquidation(self, const Event* event, ns_t ts_recv) noexcept nogil:
        """One forced order; its numbers are at the event's own scales."""

    cdef void on_block(self, const Event* event, ns_t ts_recv) noexcept nogil:
        """One negotiated trade, of whichever feed."""

    cdef void on_state(self, BookState state, Reason reason, int64_t expected_id, int64_t got_id, ns_t now_ns) noexcept nogil:
        """The book's state changed; the ids are those that did not fit (NO_ID where there are none)."""

    cdef void on_tape(self, TapeNews news, const Hole* hole, ns_t now_ns) noexcept nogil:
        """Trades are missing, or came back; times are the venue's."""

    cdef void on_timer(self, ns_t now_ns) noexcept nogil:
        """Every tick of the pipeline's timer (50 ms), whatever the market does."""

    cdef void ask_survey(self, Survey survey):
        """Called once after `attach`, of streams that hear surveys: ask for the distances that you need (Survey.ask)."""

    cdef void on_survey(self, Survey survey, ns_t now_ns) noexcept nogil:
        """It was the survey's turn and the book is synced; `survey.fresh`: the book had changed."""

    cdef bint on_rescale(self, int64_t px_factor, int64_t qty_factor) noexcept nogil:
        """The instrument's scales grew by these powers of ten: what is remembered must follow. False if it does not fit."""
        return True
