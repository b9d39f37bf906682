"""One book's snapshots as key frames and changes: whole numbers, each coded against the same number of the frame before."""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from collections import namedtuple

from cext.events cimport Level
from cext.units cimport NO_ID, NO_TIME, ns_t
from cext.writer cimport Writer, put_bytes, writer_free, writer_init, writer_room

cdef enum:
    VARINT_SIZE = 10
    SAME = 0            # tags of a field
    NONE = 1
    CHANGED = 2

Frame = namedtuple("Frame", "book kind taken_ns at_ms key_ms body")
Frame.__doc__ = "What waits in a reel: the book's number, key 0, changes 1 or end 2, when the image was taken, its turn and its key frame's, and the bytes."


cdef inline void put_varint(Writer* w, uint64_t value) noexcept nogil:
    """Seven bits a byte, the lowest first; all but the last with their highest bit set."""
    if not writer_room(w, VARINT_SIZE):
        return
    while value > 127:
        w.at[w.size] = <char>(value & 127 | 128)
        w.size += 1
        value >>= 7
    w.at[w.size] = <char>value
    w.size += 1


cdef inline uint64_t zigzag(int64_t value) noexcept nogil:
    """0, -1, 1, -2, 2 as 0, 1, 2, 3, 4."""
    return (<uint64_t>value << 1) ^ <uint64_t>(value >> 63)


cdef void put_field(Writer* w, int64_t value, int64_t before, int64_t none) noexcept nogil:
    """A number that may be unknown (`none`), against the one before; every other value is 0 or more, so no difference overflows."""
    if value == before:
        put_varint(w, SAME)
    elif value == none:
        put_varint(w, NONE)
    else:
        put_varint(w, CHANGED)
        put_varint(w, zigzag(value - (0 if before == none else before)))


cdef inline uint64_t common(uint64_t a, uint64_t b) noexcept nogil:
    """Greatest common divisor; of 0 and b, b."""
    cdef uint64_t rest
    if a == 1:
        return 1
    while a != 0:
        rest = b % a
        b = a
        a = rest
    return b


cdef int32_t _differences(const Level* old, int32_t n_old, const Level* new, int32_t n_new, bint bids, Level* out) noexcept nogil:
    """What makes `old` into `new`, best first: absolute quantities, 0 removes. What of `old` lies beyond the last of `new` is not named."""
    cdef int32_t i = 0
    cdef int32_t j = 0
    cdef int32_t n = 0
    while j < n_new:
        if i < n_old and old[i].px == new[j].px:
            if old[i].qty != new[j].qty:
                out[n] = new[j]
                n += 1
            i += 1
            j += 1
        elif i < n_old and (old[i].px > new[j].px if bids else old[i].px < new[j].px):
            out[n].px = old[i].px
            out[n].qty = 0
            n += 1
            i += 1
        else:
            out[n] = new[j]
            n += 1
            j += 1
    return n


cdef class Reel:
    """`Reel()`: of one appliance. `max_bytes` bounds what may wait for the disk; what finds no room is counted and its book begins anew."""

    def __cinit__(self):
        if not writer_init(&self._waiting, 65536):
            raise MemoryError

    def __init__(self, *, Py_ssize_t max_bytes=16 << 20):
        self.max_bytes = max_bytes

    def __dealloc__(self):
        writer_free(&self._waiting)
        free(self._changes)

    @property
    def waiting_bytes(self):
        return self._waiting.size

    def take(self):
        """All that waits, oldest first, as Frames; the reel is empty then."""
        cdef Py_ssize_t at = 0
        cdef Shot shot
        taken = []
        while at < self._waiting.size:
            memcpy(&shot, self._waiting.at + at, sizeof(Shot))
            at += sizeof(Shot)
            taken.append(Frame(shot.book, shot.kind, shot.taken, shot.at_ms, shot.key_ms, self._waiting.at[at:at + shot.size]))
            at += shot.size
        self._waiting.size = 0
        return taken

    cdef bint _make_room(self, int32_t n) noexcept nogil:
        cdef Level* grown
        if n > self._room:
            grown = <Level*>realloc(self._changes, n * sizeof(Level))
            if grown == NULL:
                return False
            self._changes = grown
            self._room = n
        return True

    cdef bint _begin(self, const Shot* shot, Py_ssize_t* from_size) noexcept nogil:
        """Room for a frame's head. False: too much waits."""
        from_size[0] = self._waiting.size
        if self._waiting.size > self.max_bytes or not writer_room(&self._waiting, sizeof(Shot)):
            self.n_lost += 1
            self._waiting.failed = False
            return False
        memcpy(self._waiting.at + self._waiting.size, shot, sizeof(Shot))
        self._waiting.size += sizeof(Shot)
        return True

    cdef bint _finish(self, Py_ssize_t from_size) noexcept nogil:
        """The body is written. False, and the frame is gone, where memory ended in the midst of it."""
        cdef Shot shot
        cdef int64_t size = self._waiting.size - from_size - <Py_ssize_t>sizeof(Shot)
        if self._waiting.failed:
            self._waiting.failed = False
            self._waiting.size = from_size
            self.n_lost += 1
            return False
        memcpy(&shot, self._waiting.at + from_size, sizeof(Shot))  # bodies are of any size: it stands anywhere
        shot.size = size
        memcpy(self._waiting.at + from_size, &shot, sizeof(Shot))
        self.n_bytes += size
        return True


cdef class Film:
    """`Film(reel, head, interval_ms=1000, key_ms=60000)`: of one book. `head`: JSON text that each key frame repeats. `book`: its number, where an
    earlier film of the book has one."""

    def __init__(self, Reel reel not None, bytes head not None, *, int64_t interval_ms=1000, int64_t key_ms=60_000, int32_t book=-1):
        if interval_ms < 1 or key_ms < interval_ms:
            raise ValueError(f"a key frame each {key_ms} ms is no multiple of {interval_ms} ms")
        self._reel = reel
        self.book = reel._n_books if book < 0 else book
        reel._n_books += book < 0
        self.head = head
        self._head_at = self.head
        self._head_size = len(self.head)
        self.interval_ms = interval_ms
        self.key_every = key_ms // interval_ms

    def __dealloc__(self):
        free(self._before.bids)
        free(self._before.asks)

    def cut(self):
        """What was handed out did not arrive: the next frame is a key frame."""
        self._running = False

    cdef bint shoot(self, const Image* image, int64_t turn) noexcept nogil:
        """The image of this turn. False: it is lost, and counted."""
        cdef Writer* w = &self._reel._waiting
        cdef Py_ssize_t from_size
        cdef Shot shot
        cdef int64_t scene = (turn + self.book) // self.key_every  # books take turns with their key frames too
        # a clock that stepped back, or a scale that grew, begins anew
        cdef bint key = (not self._running or scene != self._scene or turn * self.interval_ms <= self._at_ms
                         or image.px_scale != self._before.px_scale or image.qty_scale != self._before.qty_scale)
        shot.book = self.book
        shot.kind = FRAME_KEY if key else FRAME_CHANGES
        shot.taken = image.taken
        shot.at_ms = turn * self.interval_ms
        shot.key_ms = shot.at_ms if key else self._key_ms
        shot.size = 0
        self._running = False
        if key:
            self._before.n_bids = self._before.n_asks = 0
        if not self._reel._make_room(image.n_bids + image.n_asks + self._before.n_bids + self._before.n_asks):
            self._reel.n_lost += 1
            return False
        if not self._reel._begin(&shot, &from_size):
            return False
        self._write(w, image, key)
        if not self._reel._finish(from_size) or not self._remember(image):
            return False
        self._running = True
        self._scene = scene
        self._at_ms = shot.at_ms
        self._key_ms = shot.key_ms
        self._reel.n_key += key
        self._reel.n_changes += not key
        return True

    cdef void end(self, const char* why, Py_ssize_t size, ns_t now_ns) noexcept nogil:
        """From `now_ns` on the book is not known; `why` in one word."""
        cdef Py_ssize_t from_size
        cdef Shot shot
        if not self._running:
            return
        self._running = False
        shot.book = self.book
        shot.kind = FRAME_END
        shot.taken = now_ns
        shot.at_ms = self._at_ms + self.interval_ms  # the turn that it misses
        shot.key_ms = self._key_ms
        shot.size = 0
        if self._reel._begin(&shot, &from_size):
            put_bytes(&self._reel._waiting, why, size)
            self._reel._finish(from_size)

    def shoot_rows(self, bids, asks, int64_t turn, *, ns_t taken=0, ns_t ts_event=NO_TIME, ns_t ts_recv=NO_TIME, int64_t depth_seq=NO_ID,
                   int64_t update_id=NO_ID, int64_t valid_bid=0, int64_t valid_ask=INT64_MAX, int32_t px_scale=0, int32_t qty_scale=0):
        """`shoot` for tests: rows of (price, quantity) integers, best first."""
        cdef Image image
        cdef Level* rows = <Level*>malloc((len(bids) + len(asks) + 1) * sizeof(Level))
        cdef int32_t i
        if rows == NULL:
            raise MemoryError
        try:
            for i, (px, qty) in enumerate([*bids, *asks]):
                rows[i].px = px
                rows[i].qty = qty
            image = Image(taken, ts_event, ts_recv, depth_seq, update_id, valid_bid, valid_ask, px_scale, qty_scale, len(bids), len(asks), rows, rows + len(bids))
            return bool(self.shoot(&image, turn))
        finally:
            free(rows)

    def end_word(self, bytes why not None, ns_t now_ns):
        """`end` for tests."""
        self.end(why, len(why), now_ns)

    cdef void _write(self, Writer* w, const Image* image, bint key) noexcept nogil:
        cdef Image* before = &self._before
        cdef Level* bids = self._reel._changes
        cdef Level* asks
        cdef int32_t n_bids, n_asks, i
        cdef int64_t bid_from, ask_from
        cdef uint64_t px_unit = 0
        cdef uint64_t qty_unit = 0
        if key:
            before.ts_event = before.ts_recv = NO_TIME
            before.depth_seq = before.update_id = NO_ID
            before.valid_bid = 0
            before.valid_ask = INT64_MAX
            put_varint(w, <uint64_t>self._head_size)
            put_bytes(w, self._head_at, self._head_size)
            put_varint(w, <uint64_t>image.px_scale)
            put_varint(w, <uint64_t>image.qty_scale)
        put_field(w, image.ts_event, before.ts_event, NO_TIME)
        put_field(w, image.ts_recv, before.ts_recv, NO_TIME)
        put_field(w, image.depth_seq, before.depth_seq, NO_ID)
        put_field(w, image.update_id, before.update_id, NO_ID)
        put_field(w, image.valid_bid, before.valid_bid, 0)
        put_field(w, image.valid_ask, before.valid_ask, INT64_MAX)
        n_bids = _differences(before.bids, before.n_bids, image.bids, image.n_bids, True, bids)
        asks = bids + n_bids
        n_asks = _differences(before.asks, before.n_asks, image.asks, image.n_asks, False, asks)
        put_varint(w, <uint64_t>image.n_bids)
        put_varint(w, <uint64_t>n_bids)
        put_varint(w, <uint64_t>image.n_asks)
        put_varint(w, <uint64_t>n_asks)
        bid_from = before.bids[0].px if before.n_bids > 0 else 0
        ask_from = before.asks[0].px if before.n_asks > 0 else 0
        for i in range(n_bids + n_asks):
            qty_unit = common(qty_unit, <uint64_t>bids[i].qty)
        for i in range(n_bids):
            px_unit = common(px_unit, _apart(bids, i, bid_from))
        for i in range(n_asks):
            px_unit = common(px_unit, _apart(asks, i, ask_from))
        px_unit += px_unit == 0
        qty_unit += qty_unit == 0
        put_varint(w, px_unit)
        put_varint(w, qty_unit)
        _put_prices(w, bids, n_bids, bid_from, px_unit)
        _put_prices(w, asks, n_asks, ask_from, px_unit)
        for i in range(n_bids + n_asks):
            put_varint(w, <uint64_t>bids[i].qty // qty_unit)

    cdef bint _remember(self, const Image* image) noexcept nogil:
        cdef Level* bids = self._before.bids
        cdef Level* asks = self._before.asks
        cdef Level* grown
        cdef int32_t most = max(image.n_bids, image.n_asks)
        if most > self._room:
            grown = <Level*>realloc(bids, most * sizeof(Level))
            if grown == NULL:
                return False
            bids = self._before.bids = grown
            grown = <Level*>realloc(asks, most * sizeof(Level))
            if grown == NULL:
                return False
            asks = grown
            self._room = most
        self._before = image[0]
        self._before.bids = bids
        self._before.asks = asks
        if image.n_bids > 0:
            memcpy(bids, image.bids, image.n_bids * sizeof(Level))
        if image.n_asks > 0:
            memcpy(asks, image.asks, image.n_asks * sizeof(Level))
        return True


cdef inline uint64_t _apart(const Level* changes, int32_t i, int64_t since) noexcept nogil:
    """How far the i-th price is from the one before it; the first, from the touch before."""
    cdef int64_t apart = changes[i].px - (since if i == 0 else changes[i - 1].px)
    return <uint64_t>(apart if apart >= 0 else -apart)


cdef void _put_prices(Writer* w, const Level* changes, int32_t n, int64_t since, uint64_t unit) noexcept nogil:
    cdef int32_t i
    cdef int64_t apart
    if n > 0:
        apart = changes[0].px - since
        put_varint(w, zigzag(apart // <int64_t>unit))  # exact: whole units
    for i in range(1, n):
        put_varint(w, _apart(changes, i, since) // unit)
