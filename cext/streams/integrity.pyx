"""What became of an instrument's book, and every other finding that a consumer must not miss."""

from libc.stdint cimport int64_t

from cext.book cimport Book
from cext.events cimport Event, Level
from cext.names cimport Names
from cext.outbox cimport CRITICAL, Channel, Outbox
from cext.stream cimport BOOK_INVALID, BOOK_SYNCED, HEARS_BOOK, HEARS_STATE, BookState, Reason, Stream, reason_word
from cext.stream import STATE_NAMES
from cext.symbols cimport Symbol
from cext.units cimport NO_ID, NO_TIME, ns_t
from cext.writer cimport Writer, put_bytes, put_int, put_string, put_time

cdef enum:
    N_STATES = BOOK_SYNCED + 1
    MAX_DETAIL = 500    # bytes

# The words as C texts, for code that has no Python; the list keeps them alive.
_state_words = [STATE_NAMES[state].encode() for state in range(N_STATES)]
cdef const char* _states[N_STATES]
cdef Py_ssize_t _state_sizes[N_STATES]
cdef int _i
for _i in range(N_STATES):
    _states[_i] = _state_words[_i]
    _state_sizes[_i] = len(_state_words[_i])


cdef void _put_id(Writer* w, int64_t id) noexcept nogil:
    if id == NO_ID:
        put_bytes(w, b"null", 4)
    else:
        put_int(w, id)


cdef class Integrity(Stream):
    """`integrity`: at once, one event a finding; `kind` says which.

    book_state: state and previous (invalid, buffering, synced; previous is null at first), reason, expected_id and got_id (the venue's ids
    that did not fit; got_id alone where the state is synced: the image's), last_good_id and last_good_time (of the newest change in the book that
    was valid; ns), duration_ns (from the loss of a valid book until this event, once it is synced again; else null), count (how often this
    book was lost since the start).
    Other kinds (skew, circuit, collision, ...): detail, a short text for people.
    """

    cdef readonly Names names
    cdef readonly str word
    cdef readonly Channel channel
    cdef readonly int64_t n_lost
    cdef BookState _state
    cdef bint _begun                # a state was told
    cdef ns_t _lost_at
    cdef int64_t _good_id
    cdef ns_t _good_at

    def __init__(self, Names names not None, *, str word=""):
        self.names = names
        self.word = word
        self.hears = HEARS_BOOK | HEARS_STATE
        self._state = BOOK_INVALID
        self._good_id = NO_ID
        self._good_at = self._lost_at = NO_TIME

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol):
        Stream.attach(self, book, out, symbol)
        self.channel = self.names.channel(out, "integrity", self.word, CRITICAL, self)

    cdef void on_book(self, const Event* event, const Level* levels, ns_t ts_recv) noexcept nogil:
        self._good_id = event.last_id
        self._good_at = event.ts_event if event.ts_event != NO_TIME else ts_recv

    cdef void on_state(self, BookState state, Reason reason, int64_t expected_id, int64_t got_id, ns_t now_ns) noexcept nogil:
        cdef Writer* w
        cdef const char* word
        cdef Py_ssize_t size
        cdef bint repaired = state == BOOK_SYNCED and self._lost_at != NO_TIME
        if self._state == BOOK_SYNCED and state != BOOK_SYNCED:
            self.n_lost += 1
            self._lost_at = now_ns
        w = self.out.open(self.channel, NO_TIME, now_ns, 0)
        put_bytes(w, b',"kind":"book_state","state":"', 30)
        put_bytes(w, _states[<int>state], _state_sizes[<int>state])
        if self._begun:
            put_bytes(w, b'","previous":"', 14)
            put_bytes(w, _states[<int>self._state], _state_sizes[<int>self._state])
            put_bytes(w, b'"', 1)
        else:
            put_bytes(w, b'","previous":null', 17)
        put_bytes(w, b',"reason":"', 11)
        word = reason_word(reason, &size)
        put_bytes(w, word, size)
        put_bytes(w, b'","expected_id":', 16)
        _put_id(w, expected_id)
        put_bytes(w, b',"got_id":', 10)
        _put_id(w, got_id)
        put_bytes(w, b',"last_good_id":', 16)
        _put_id(w, self._good_id)
        put_bytes(w, b',"last_good_time":', 18)
        put_time(w, self._good_at)
        put_bytes(w, b',"duration_ns":', 15)
        if repaired:
            put_int(w, now_ns - self._lost_at)
            self._lost_at = NO_TIME
        else:
            put_bytes(w, b"null", 4)
        put_bytes(w, b',"count":', 9)
        put_int(w, self.n_lost)
        self.out.close(self.channel)
        self._state = state
        self._begun = True
        if state == BOOK_SYNCED:
            self._good_id = got_id
            self._good_at = now_ns

    cdef void report(self, const char* kind, Py_ssize_t kind_size, const char* detail, Py_ssize_t detail_size, ns_t now_ns) noexcept nogil:
        """Publish another finding."""
        cdef Writer* w = self.out.open(self.channel, NO_TIME, now_ns, 0)
        put_bytes(w, b',"kind":', 8)
        put_string(w, kind, kind_size)
        put_bytes(w, b',"detail":', 10)
        put_string(w, detail, detail_size)
        self.out.close(self.channel)

    def finding(self, str kind not None, str detail not None, ns_t now_ns):
        """`report` for Python: a detail over MAX_DETAIL bytes is cut at a whole character."""
        cdef bytes k = kind.encode()
        cdef bytes d = detail.encode("utf-8", "replace")[:MAX_DETAIL].decode("utf-8", "ignore").encode()
        if self.channel is None:
            raise ValueError("this stream belongs to no instrument yet")
        self.report(k, len(k), d, len(d), now_ns)
