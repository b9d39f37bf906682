"""What of one delivery class goes to disk: entries in their order, numbered, each with its own checksum."""

from libc.stdint cimport INT64_MAX, int64_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove, memset

from cext.crc32c cimport crc32c
from cext.writer cimport Writer, writer_free, writer_init, writer_room

cdef enum:
    MAGIC = 0x31533950              # "P9S1"
    MAX_ENTRY_BYTES = 16777216      # a size over this is no size
    CRC_OFFSET = 8                  # of the field in an entry

assert sizeof(Entry) == 64, "the file's layout is the compiler's here"


cdef uint32_t entry_crc(const Entry* entry) noexcept nogil:
    cdef const char* at = <const char*>entry
    cdef uint32_t nothing = 0
    cdef uint32_t crc = crc32c(0, at, CRC_OFFSET)
    crc = crc32c(crc, <const char*>&nothing, 4)
    return crc32c(crc, at + CRC_OFFSET + 4, <Py_ssize_t>entry.size - CRC_OFFSET - 4)


cdef inline bint is_number(int64_t value) noexcept nogil:
    return 0 <= value <= INT64_MAX // 2


cdef bint is_entry(const char* at, Py_ssize_t left) noexcept nogil:
    cdef const Entry* entry = <const Entry*>at
    if left < <Py_ssize_t>sizeof(Entry) or entry.magic != MAGIC or entry.size > MAX_ENTRY_BYTES:
        return False
    if not (is_number(entry.ordinal) and is_number(entry.epoch) and is_number(entry.seq) and is_number(entry.ms)):
        return False  # a checksum that fits by chance, or by somebody's wish: what we count with must stay countable
    return (entry_room(entry) <= left and <Py_ssize_t>sizeof(Entry) + entry.name_size <= <Py_ssize_t>entry.size
            and entry_crc(entry) == entry.crc)


cdef class Journal:
    """`Journal(cls)`: of one class. `recover` each segment that is found on disk, oldest first; then it is the outbox's to write to."""

    def __cinit__(self):
        if not writer_init(&self._pending, 65536):
            raise MemoryError

    def __init__(self, int cls, *, int64_t max_pending_bytes=16 << 20):
        self.cls = cls
        self.max_pending_bytes = max_pending_bytes
        self.found = {}

    def __dealloc__(self):
        writer_free(&self._pending)
        free(self._segments)

    # ---- the writing side

    cdef int64_t append(self, Entry* entry, const char* name, const char* payload, Py_ssize_t payload_size) noexcept nogil:
        """The entry's ordinal; its numbers and name_size are filled in by the caller. -1: too much is pending, the disk does not keep up."""
        cdef Writer* w = &self._pending
        cdef Py_ssize_t size = <Py_ssize_t>sizeof(Entry) + entry.name_size + payload_size
        cdef Py_ssize_t room = (size + 7) & ~7
        cdef char* at
        if w.size + room > self.max_pending_bytes or size > MAX_ENTRY_BYTES or not writer_room(w, room):
            return -1
        entry.magic = MAGIC
        entry.size = <uint32_t>size
        entry.crc = 0
        entry.ordinal = self.n_entries
        at = w.at + w.size
        memcpy(at, entry, sizeof(Entry))
        memcpy(at + sizeof(Entry), name, entry.name_size)
        memcpy(at + sizeof(Entry) + entry.name_size, payload, payload_size)
        memset(at + size, 0, room - size)
        (<Entry*>at).crc = entry_crc(<Entry*>at)
        w.size += room
        self.n_entries += 1
        self._pending_open += 1
        if not entry.flags & ENTRY_HELD:
            self.n_unread += 1
            self.unread_bytes += room
        return entry.ordinal

    cdef Segment* _segment_of(self, int64_t ordinal) noexcept nogil:
        """Of an entry that was taken; NULL where its segment was given up."""
        cdef int low = 0
        cdef int high = self._n_segments
        cdef int middle
        while low < high:
            middle = (low + high) // 2
            if self._segments[middle].first <= ordinal:
                low = middle + 1
            else:
                high = middle
        if low == 0 or ordinal >= self._segments[low - 1].end:
            return NULL
        return &self._segments[low - 1]

    cdef void done(self, int64_t ordinal) noexcept nogil:
        """The entry has come to its end: it need not be kept."""
        cdef Segment* segment
        if ordinal >= self._pending_first:
            self._pending_open -= 1
            return
        segment = self._segment_of(ordinal)
        if segment != NULL:
            segment.n_open -= 1

    cdef bint _add_segment(self, int64_t first) noexcept nogil:
        cdef Segment* grown
        if self._n_segments == self._room:
            grown = <Segment*>realloc(self._segments, (2 * self._room + 8) * sizeof(Segment))
            if grown == NULL:
                return False
            self._segments = grown
            self._room = 2 * self._room + 8
        memset(&self._segments[self._n_segments], 0, sizeof(Segment))
        self._segments[self._n_segments].first = self._segments[self._n_segments].end = first
        self._n_segments += 1
        return True

    @property
    def pending_bytes(self):
        """Bytes that the next `take` gives."""
        return self._pending.size

    def take(self, bint fresh):
        """(first ordinal of the segment that they belong to, bytes to be written behind it); None if there is nothing worth it. `fresh`: begin a
        new segment. One is begun too where what came before was never written."""
        cdef Segment* segment
        if self._pending.size == 0:
            return None
        if self._pending_open == 0:
            self._pending.size = 0
            self._pending_first = self.n_entries
            return None
        if fresh or self._n_segments == 0 or self._segments[self._n_segments - 1].end != self._pending_first:
            if not self._add_segment(self._pending_first):
                raise MemoryError
        segment = &self._segments[self._n_segments - 1]
        segment.n_open += self._pending_open
        segment.end = self.n_entries
        data = self._pending.at[:self._pending.size]
        self._pending.size = 0
        self._pending_open = 0
        self._pending_first = self.n_entries
        return segment.first, data

    def segments(self):
        """[(first ordinal, entries that are not at their end)], oldest first."""
        cdef int i
        return [(self._segments[i].first, self._segments[i].n_open) for i in range(self._n_segments)]

    def forget(self, int64_t first):
        """The segment's file is gone."""
        cdef int i
        for i in range(self._n_segments):
            if self._segments[i].first == first:
                memmove(&self._segments[i], &self._segments[i + 1], (self._n_segments - i - 1) * sizeof(Segment))
                self._n_segments -= 1
                return

    # ---- the reading side

    cdef const Entry* next_entry(self, const char* at, Py_ssize_t size, Py_ssize_t* offset) noexcept nogil:
        """The first good entry at `offset` or behind it, and `offset` past it; NULL at the end. Damaged bytes are passed over."""
        cdef const Entry* entry
        while offset[0] + <Py_ssize_t>sizeof(Entry) <= size:
            if is_entry(at + offset[0], size - offset[0]):
                entry = <const Entry*>(at + offset[0])
                offset[0] += entry_room(entry)
                return entry
            offset[0] += 8
        return NULL

    cdef bint is_unread(self, const Entry* entry) noexcept nogil:
        """It lives here alone, and was not read back yet."""
        return entry.ordinal >= self.read_from and not (entry.flags & ENTRY_HELD and entry.ordinal >= self.own_from)

    cdef void was_read(self, const Entry* entry) noexcept nogil:
        """It lives elsewhere now."""
        self.n_unread -= 1
        self.unread_bytes -= entry_room(entry)
        self.read_from = entry.ordinal + 1

    cdef void give_up_unread(self) noexcept nogil:
        """What was not read back is damaged. Which entries are open is to be told anew, by `is_open`."""
        cdef int i
        self.n_damaged += self.n_unread
        self.n_unread = self.unread_bytes = 0
        self.read_from = self.n_entries
        self._pending_open = 0
        for i in range(self._n_segments):
            self._segments[i].n_open = 0

    cdef void is_open(self, int64_t ordinal) noexcept nogil:
        cdef Segment* segment
        if ordinal >= self._pending_first:
            self._pending_open += 1
            return
        segment = self._segment_of(ordinal)
        if segment != NULL:
            segment.n_open += 1

    def recover(self, int64_t first, bytes data not None):
        """A segment that an earlier process left. (bytes up to the end of the last good entry, entries lost in between, whether its end is torn)."""
        cdef const char* at = data
        cdef Py_ssize_t size = len(data)
        cdef Py_ssize_t offset = 0
        cdef Py_ssize_t good = 0
        cdef int64_t lost = 0
        cdef int64_t expected = first
        cdef const Entry* entry
        cdef Segment* segment
        cdef bytes name
        cdef list known
        if not self._add_segment(first):
            raise MemoryError
        segment = &self._segments[self._n_segments - 1]
        while True:
            entry = self.next_entry(at, size, &offset)
            if entry == NULL:
                break
            if entry.cls != self.cls or entry.ordinal < expected:
                continue  # what an older file of this name had left
            good = offset
            lost += entry.ordinal - expected
            expected = entry.ordinal + 1
            segment.n_open += 1
            self.n_unread += 1
            self.unread_bytes += entry_room(entry)
            if entry.epoch > self.newest_epoch:
                self.newest_epoch = entry.epoch
            name = entry_name(entry)[:entry.name_size]
            known = self.found.get(name)
            if known is None:
                known = self.found[name] = [0, 0]
            known[0] += 1
            known[1] = max(known[1], entry.ms)
        segment.end = expected
        if self._n_segments == 1:
            self.read_from = first
        self.n_entries = self._pending_first = self.own_from = max(self.n_entries, expected)
        self.n_damaged += lost
        return good, lost, good < size


def entries(bytes data not None):
    """What a segment holds, for tests and for people: [(channel, epoch, seq, ms, ordinal, held, payload)] of its good entries."""
    cdef Journal reader = Journal(0)
    cdef const char* at = data
    cdef Py_ssize_t offset = 0
    cdef const Entry* entry
    found = []
    while True:
        entry = reader.next_entry(at, len(data), &offset)
        if entry == NULL:
            return found
        found.append((entry_name(entry)[:entry.name_size].decode("utf-8", "replace"), entry.epoch, entry.seq, entry.ms, entry.ordinal,
                      bool(entry.flags & ENTRY_HELD), entry_payload(entry)[:entry_payload_size(entry)]))
