"""What trades of an instrument were seen: repeats are known, and so is what is missing between them."""

from libc.stdint cimport int32_t, int64_t, uint64_t

from cext.events cimport Event
from cext.units cimport ns_t

cdef enum Numbering:  # How a market numbers its trades.
    NUMBERED = 0        # without holes: a missing number is a missing trade
    NAMED               # the ids say nothing about what lies between them: a loss is only known where the socket was lost

cdef enum TapeVerdict:
    TAPE_NEW            # what comes next
    TAPE_REPEAT         # seen before
    TAPE_HOLE           # new, and something before it is missing: the newest hole says what
    TAPE_FILLS          # was missing; the rest of its hole still is
    TAPE_FILLED         # was the last one missing of its hole (Tape.filled)
    TAPE_RESTART        # new, of a numbering that began anew: what lies between nobody can tell
    TAPE_OVERLAP        # a row of fills of which the first were seen: it is not to be told, and the rest of it is missing (the newest hole)

cdef enum:
    MAX_HOLES = 32      # pieces; beyond it the oldest hole is given up
    GENERATION = 2048   # names remembered at least, twice as many at most
    NAME_SLOTS = 4096   # of one generation's table

cdef struct Hole:
    int64_t number          # which hole: one that was filled in its middle is two pieces
    int64_t first_id        # NO_ID: not known (NAMED, or a restart)
    int64_t last_id
    ns_t since              # the venue's time of the trade before it
    ns_t until              # and of the one after it

cdef struct Names:          # two generations of hashed names: the older one is forgotten as a whole
    uint64_t* slots         # 2 * NAME_SLOTS; 0: free
    int32_t young           # 0 or 1
    int32_t n_young

cdef struct Tape:
    Numbering numbering
    int64_t last_id         # newest number seen; NO_ID: none
    ns_t last_ts            # newest time of a trade
    bint aggregates         # the numbers are those of aggregates
    ns_t first_ts           # and of the first one that was seen
    bint begun
    bint interrupted        # the socket was lost since the last trade
    bint torn               # or a frame that may have been of its trades could not be read, which leaves no order to go by
    int64_t n_holes_ever
    int32_t n_holes         # pieces
    Hole holes[MAX_HOLES]   # oldest first
    Hole filled             # the last one that was
    Hole dropped            # the last one that was given up for lack of room; number 0: none
    Names names

cdef enum TapeNews:  # What became of a tape, in the order in which an instrument's streams hear it.
    NEWS_INTERRUPTED    # the socket is lost: from Hole.since on, trades may be missing
    NEWS_HOLE           # between Hole.since and Hole.until some are
    NEWS_RESUMED        # the first trade after an interruption: from Hole.since to Hole.until no other loss than the holes told
    NEWS_FILLED         # all of that hole has come
    NEWS_LOST           # and of that one, something never will

cdef struct News:
    int32_t instrument
    TapeNews news
    Hole hole
    ns_t at_ns

cdef struct NewsList:
    News* rows
    int32_t n
    int32_t _room
    int64_t n_lost          # nobody took them

cdef enum:
    MAX_NEWS = 16384

cdef void news_add(NewsList* list, int32_t instrument, TapeNews news, const Hole* hole, ns_t at_ns) noexcept nogil
cdef void tape_init(Tape* t, Numbering numbering) noexcept nogil
cdef void tape_free(Tape* t) noexcept nogil
cdef TapeVerdict tape_check(Tape* t, const Event* event, ns_t ts) noexcept nogil
cdef ns_t tape_since(const Tape* t) noexcept nogil
cdef int32_t tape_pieces(const Tape* t, int64_t number) noexcept nogil
cdef bint tape_close(Tape* t, int64_t number) noexcept nogil
