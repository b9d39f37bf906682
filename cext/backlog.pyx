"""Records of one delivery class in the order in which they were accepted."""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from cext.units cimport NO_TIME

cdef enum:
    CHUNK_BYTES = 262144


cdef void backlog_init(Backlog* b) noexcept nogil:
    memset(b, 0, sizeof(Backlog))


cdef void backlog_free(Backlog* b) noexcept nogil:
    cdef Chunk* chunk = b.first
    cdef Chunk* following
    while chunk != NULL:
        following = chunk.next
        free(chunk)
        chunk = following
    free(b.spare)
    backlog_init(b)


cdef Chunk* chunk_for(Backlog* b, Py_ssize_t room) noexcept nogil:
    """A new last chunk that takes at least `room` bytes; NULL if there is no memory."""
    cdef Chunk* chunk = NULL
    cdef Py_ssize_t capacity = room if room > CHUNK_BYTES else CHUNK_BYTES
    if b.spare != NULL and b.spare.capacity >= room:
        chunk = b.spare
        b.spare = NULL
    else:
        chunk = <Chunk*>malloc(sizeof(Chunk) + capacity)
        if chunk == NULL:
            return NULL
        chunk.capacity = capacity
        b.room_bytes += capacity
    chunk.next = NULL
    chunk.size = 0
    if b.last == NULL:
        b.first = chunk
        b.tail.chunk = b.front.chunk = b.next.chunk = b.fresh.chunk = chunk
        b.tail.offset = b.front.offset = b.next.offset = b.fresh.offset = 0
    else:
        b.last.next = chunk
    b.last = chunk
    return chunk


cdef Record* backlog_add(Backlog* b, const char* payload, Py_ssize_t size) noexcept nogil:
    """A waiting record at the end. The caller fills in what the outbox alone knows."""
    cdef Py_ssize_t room = (sizeof(Record) + size + 7) & ~7
    cdef Chunk* chunk = b.last
    cdef Record* record
    if chunk == NULL or chunk.capacity - chunk.size < room:
        chunk = chunk_for(b, room)
        if chunk == NULL:
            return NULL
    record = <Record*>(<char*>chunk + sizeof(Chunk) + chunk.size)
    chunk.size += room
    memset(record, 0, sizeof(Record))
    record.size = <int>size
    record.recv_ns = NO_TIME
    record.place = -1
    memcpy(record_payload(record), payload, size)
    b.n_added += 1
    b.n_open += 1
    b.open_bytes += room
    return record


cdef Record* backlog_at(Place* place) noexcept nogil:
    """The record at `place`, which is moved into the next chunk where its own has ended; NULL at the end."""
    if place.chunk == NULL:
        return NULL
    while place.offset >= place.chunk.size:
        if place.chunk.next == NULL:
            return NULL
        place.chunk = place.chunk.next
        place.offset = 0
    return <Record*>(<char*>place.chunk + sizeof(Chunk) + place.offset)


cdef void backlog_step(Place* place) noexcept nogil:
    """Past the record at `place`; backlog_at has just answered with it."""
    place.offset += record_room(<Record*>(<char*>place.chunk + sizeof(Chunk) + place.offset))


cdef Record* backlog_next(Backlog* b) noexcept nogil:
    """The oldest waiting record; it stays the next one until its state is changed."""
    cdef Record* record = backlog_at(&b.next)
    while record != NULL and record.state != RECORD_WAITING:
        backlog_step(&b.next)
        record = backlog_at(&b.next)
    return record


cdef Record* backlog_fresh(Backlog* b) noexcept nogil:
    """The oldest open record that no journal has; it stays that until it is done or has its place."""
    cdef Record* record = backlog_at(&b.fresh)
    while record != NULL and (record.state == RECORD_DONE or record.place >= 0):
        backlog_step(&b.fresh)
        b.n_passed += 1
        record = backlog_at(&b.fresh)
    return record


cdef void backlog_done(Backlog* b, Record* record) noexcept nogil:
    """`record` has come to its end. The front follows as far as everything is done."""
    record.state = RECORD_DONE
    b.n_open -= 1
    b.open_bytes -= record_room(record)
    advance_front(b)


cdef void advance_front(Backlog* b) noexcept nogil:
    cdef Record* at
    while True:
        at = backlog_at(&b.front)
        if at == NULL or at.state != RECORD_DONE:
            return
        b.kept_bytes += record_room(at)
        backlog_step(&b.front)


cdef void backlog_rewind(Backlog* b) noexcept nogil:
    """The connection is gone: what was sent and not confirmed waits again, in its old place."""
    cdef Place place = b.front
    cdef Record* record = backlog_at(&place)
    while record != NULL and not (place.chunk == b.next.chunk and place.offset == b.next.offset):
        if record.state == RECORD_SENT:
            record.state = RECORD_WAITING
        backlog_step(&place)
        record = backlog_at(&place)
    b.next = b.front


cdef int64_t backlog_reopen(Backlog* b) noexcept nogil:
    """A replay: `front`, `next` and `fresh` go back to the tail, over kept records that the caller has set to waiting again, and then forward as
    far as they may. The number of records that wait again."""
    cdef Place place = b.tail
    cdef Record* record = backlog_at(&place)
    cdef int64_t n = 0
    cdef int64_t n_open = 0
    while record != NULL:
        n += 1
        if record.state == RECORD_SENT:
            record.state = RECORD_WAITING
        if record.state == RECORD_WAITING:
            n_open += 1
        backlog_step(&place)
        record = backlog_at(&place)
    b.front = b.next = b.fresh = b.tail
    b.n_passed = b.n_added - n
    b.kept_bytes = 0
    advance_front(b)
    n_open -= b.n_open
    b.n_open += n_open
    return n_open


cdef void backlog_forget(Backlog* b, ns_t before_ns, int64_t max_bytes) noexcept nogil:
    """Give up kept records that were confirmed before `before_ns`, and the oldest ones beyond `max_bytes`; a chunk without any is used again."""
    cdef Record* record
    cdef Chunk* chunk
    while b.kept_bytes > 0:
        record = backlog_at(&b.tail)
        if b.kept_bytes <= max_bytes and record.accepted_ns >= before_ns:
            break
        b.kept_bytes -= record_room(record)
        backlog_step(&b.tail)
    if b.kept_bytes == 0 and b.n_open == 0 and b.first != NULL and b.first == b.last:
        b.first.size = 0        # all is done and given up: begin the same memory anew
        b.tail.offset = b.front.offset = b.next.offset = b.fresh.offset = 0
        b.n_passed = b.n_added
        return
    backlog_at(&b.tail)
    backlog_at(&b.front)
    backlog_next(b)
    backlog_fresh(b)
    while b.first != NULL and b.first != b.tail.chunk:
        chunk = b.first
        b.first = chunk.next
        if b.spare == NULL and chunk.capacity == CHUNK_BYTES:
            b.spare = chunk
        else:
            b.room_bytes -= chunk.capacity
            free(chunk)
