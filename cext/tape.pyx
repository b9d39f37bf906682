"""Which trades were seen, and which are missing.

Numbered trades have no holes at the venue: a number that is skipped is a trade that did not reach us. It may still come, out of order or by REST,
and is then known from a repeat by the hole that it lies in. Named trades can only be remembered: a repeat is one whose name is known, and what a
lost socket has cost is asked by REST. Which venue does what stands in its row.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memmove, memset

from cext.events cimport Event
from cext.units cimport NO_ID, NO_TIME, ns_t

cdef enum:
    RESTART_NS = 5000000000     # a smaller number with so much later a time is no repeat: the venue counts anew
    ASTRAY_NS = 2000000000      # how far from its place a frame may come: one that was torn held trades of no known time


cdef void tape_init(Tape* t, Numbering numbering) noexcept nogil:
    memset(t, 0, sizeof(Tape))
    t.numbering = numbering
    t.last_id = NO_ID
    t.last_ts = NO_TIME


cdef void tape_free(Tape* t) noexcept nogil:
    free(t.names.slots)
    t.names.slots = NULL


cdef uint64_t _hash(const char* at, int32_t size) noexcept nogil:
    """Eight bytes at a time, each mixed in by a multiplication; 0 stands for a free slot."""
    cdef uint64_t h = <uint64_t>size * 0x9E3779B97F4A7C15U
    cdef uint64_t word
    while size > 0:
        word = 0
        memcpy(&word, at, size if size < 8 else 8)
        h = (h ^ word) * 0xBF58476D1CE4E5B9U
        h ^= h >> 32
        at += 8
        size -= 8
    h *= 0x94D049BB133111EBU
    h ^= h >> 29
    return h if h != 0 else 1


cdef bint _find(const uint64_t* slots, uint64_t name, int32_t* at) noexcept nogil:
    cdef int32_t i = <int32_t>(name % NAME_SLOTS)
    while slots[i] != 0:
        if slots[i] == name:
            return True
        i = (i + 1) % NAME_SLOTS
    at[0] = i
    return False


cdef bint _known(Names* names, uint64_t name) noexcept nogil:
    """Whether a name was seen before; it is remembered from now on. Without memory nothing is a repeat."""
    cdef int32_t at = 0
    if names.slots == NULL:
        names.slots = <uint64_t*>calloc(2 * NAME_SLOTS, sizeof(uint64_t))
        if names.slots == NULL:
            return False
    if _find(names.slots + (1 - names.young) * NAME_SLOTS, name, &at) or _find(names.slots + names.young * NAME_SLOTS, name, &at):
        return True
    names.slots[names.young * NAME_SLOTS + at] = name
    names.n_young += 1
    if names.n_young == GENERATION:
        names.young = 1 - names.young
        names.n_young = 0
        memset(names.slots + names.young * NAME_SLOTS, 0, NAME_SLOTS * sizeof(uint64_t))
    return False


cdef void _remove(Tape* t, int32_t i) noexcept nogil:
    t.n_holes -= 1
    memmove(&t.holes[i], &t.holes[i + 1], (t.n_holes - i) * sizeof(Hole))


cdef void _open(Tape* t, int64_t first_id, int64_t last_id, ns_t since, ns_t until) noexcept nogil:
    cdef Hole* hole
    t.dropped.number = 0
    if t.n_holes == MAX_HOLES:
        t.dropped = t.holes[0]
        tape_close(t, t.dropped.number)
    t.n_holes_ever += 1
    hole = &t.holes[t.n_holes]
    t.n_holes += 1
    hole.number = t.n_holes_ever
    hole.first_id = first_id
    hole.last_id = last_id
    hole.since = since
    hole.until = until


cdef int32_t tape_pieces(const Tape* t, int64_t number) noexcept nogil:
    """How many pieces of a hole are still open."""
    cdef int32_t i, n = 0
    for i in range(t.n_holes):
        n += t.holes[i].number == number
    return n


cdef bint tape_close(Tape* t, int64_t number) noexcept nogil:
    """Forget a hole, whatever is still missing. False if there is none of that number."""
    cdef int32_t i = 0
    cdef bint any = False
    while i < t.n_holes:
        if t.holes[i].number == number:
            _remove(t, i)
            any = True
        else:
            i += 1
    return any


cdef TapeVerdict _fill(Tape* t, int64_t first, int64_t last) noexcept nogil:
    """Numbers that came late: out of the hole that they lie in. Repeats lie in none."""
    cdef int32_t i = 0
    cdef Hole hole
    cdef TapeVerdict verdict = TAPE_REPEAT
    t.dropped.number = 0
    while i < t.n_holes:
        hole = t.holes[i]
        if hole.first_id == NO_ID or first < hole.first_id or last > hole.last_id:  # a row that is not all of it missing would tell some twice
            i += 1
            continue
        verdict = TAPE_FILLS
        if first > hole.first_id and last < hole.last_id and t.n_holes < MAX_HOLES:
            memmove(&t.holes[i + 1], &t.holes[i], (t.n_holes - i) * sizeof(Hole))
            t.n_holes += 1
            t.holes[i].last_id = first - 1
            t.holes[i + 1].first_id = last + 1
            return verdict
        if first > hole.first_id and last < hole.last_id:
            t.dropped = hole  # no room for two pieces
            tape_close(t, hole.number)
            return verdict
        if first > hole.first_id:
            t.holes[i].last_id = first - 1
        elif last < hole.last_id:
            t.holes[i].first_id = last + 1
        else:
            _remove(t, i)
            if tape_pieces(t, hole.number) == 0:
                t.filled = hole
                verdict = TAPE_FILLED
            continue
        i += 1
    return verdict


cdef ns_t tape_since(const Tape* t) noexcept nogil:
    """From which time on trades may be missing that no number tells: that of the newest one, where the frames came in their order."""
    return max(t.first_ts, t.last_ts - <ns_t>ASTRAY_NS) if t.torn else t.last_ts


cdef void _open_named(Tape* t, ns_t ts) noexcept nogil:
    """A loss that no number tells, before a trade of time `ts`; what was torn may belong behind it."""
    cdef ns_t since = min(tape_since(t), ts) if t.begun else ts
    _open(t, NO_ID, NO_ID, since, max(t.last_ts, ts) + <ns_t>ASTRAY_NS if t.torn else ts)


cdef TapeVerdict tape_check(Tape* t, const Event* event, ns_t ts) noexcept nogil:
    """What a trade of time `ts` is to what was seen; it is seen from now on."""
    cdef int64_t first = event.first_id
    cdef int64_t last = event.last_id
    cdef bint interrupted = t.interrupted
    cdef ns_t before = t.last_ts
    if t.numbering == NAMED or last == NO_ID:
        if _known(&t.names, _hash(event.trade_id, event.trade_id_size)):
            return TAPE_REPEAT
        if not t.begun:
            t.first_ts = ts
        if interrupted:
            _open_named(t, ts)
        t.begun = True
        t.interrupted = t.torn = False
        if ts > t.last_ts:
            t.last_ts = ts
        return TAPE_HOLE if interrupted else TAPE_NEW
    if event.agg_id != NO_ID:
        first = last = event.agg_id
    if first == NO_ID or first > last:
        first = last
    if t.begun and t.aggregates != (event.agg_id != NO_ID):
        return TAPE_NEW  # a recording of both forms: they number apart, and only the first one seen is followed
    if not t.begun:
        t.begun = True
        t.aggregates = event.agg_id != NO_ID
        t.last_id = last
        t.first_ts = t.last_ts = ts
        t.interrupted = False
        return TAPE_NEW
    if last <= t.last_id:
        if ts > t.last_ts + <ns_t>RESTART_NS:
            t.last_id = last
            t.last_ts = ts
            t.interrupted = False
            t.n_holes = 0
            _open(t, NO_ID, NO_ID, before, ts)
            return TAPE_RESTART
        return _fill(t, first, last)
    if ts > t.last_ts:
        t.last_ts = ts
    before, t.interrupted = (before if before < ts else ts), False
    if first <= t.last_id:
        _open(t, t.last_id + 1, last, before, ts)
        t.last_id = last
        return TAPE_OVERLAP
    if first > t.last_id + 1:
        _open(t, t.last_id + 1, first - 1, before, ts)
        t.last_id = last
        return TAPE_HOLE
    t.last_id = last
    return TAPE_NEW


cdef void news_add(NewsList* list, int32_t instrument, TapeNews news, const Hole* hole, ns_t at_ns) noexcept nogil:
    """Note what became of a tape, for p9."""
    cdef News* rows
    cdef int32_t room
    if list.n == list._room:
        room = 2 * list._room if list._room > 0 else 64
        rows = <News*>realloc(list.rows, room * sizeof(News)) if room <= MAX_NEWS else NULL
        if rows == NULL:
            list.n_lost += 1
            return
        list.rows = rows
        list._room = room
    rows = &list.rows[list.n]
    list.n += 1
    rows.instrument = instrument
    rows.news = news
    rows.hole = hole[0]
    rows.at_ns = at_ns
