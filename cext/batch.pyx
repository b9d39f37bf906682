"""One batch of a lane: its events as commands, and each answer to its place."""

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from cext.backlog cimport RECORD_SENT, Record, record_payload
from cext.channel cimport HIGH, Channel
from cext.replies cimport (
    ERROR_EXECABORT, ERROR_NONE, REPLY_ARRAY, REPLY_BULK, REPLY_ERROR, REPLY_INTEGER, REPLY_STATUS, ErrorKind, Reply, replies_free,
    replies_init, reply_error_kind,
)
from cext.retention cimport Retention, retention_count
from cext.units cimport ns_t
from cext.writer cimport Writer, put_bytes, put_int, writer_free, writer_init

cdef enum:
    TRIM_EVERY_NS = 1000000000
    ENTRY_OVERHEAD = 24         # bytes that a stream entry costs Redis beside its payload


cdef bint batch_init(Batch* batch) noexcept nogil:
    memset(batch, 0, sizeof(Batch))
    return writer_init(&batch.out, 65536) and replies_init(&batch.replies)


cdef void batch_free(Batch* batch) noexcept nogil:
    free(batch.items)
    writer_free(&batch.out)
    replies_free(&batch.replies)


cdef int decimals(Py_ssize_t n) noexcept nogil:
    cdef int size = 1
    while n > 9:
        n //= 10
        size += 1
    return size


cdef void put_bulk(Writer* w, const char* text, Py_ssize_t size) noexcept nogil:
    put_bytes(w, b"$", 1)
    put_int(w, size)
    put_bytes(w, b"\r\n", 2)
    put_bytes(w, text, size)
    put_bytes(w, b"\r\n", 2)


cdef bint batch_push(Batch* batch, Record* record, void** rows) noexcept nogil:
    cdef Item* grown
    cdef int32_t room
    if batch.n == batch.room:
        room = 2 * batch.room if batch.room > 0 else 256
        grown = <Item*>realloc(batch.items, room * sizeof(Item))
        if grown == NULL:
            return False
        batch.items = grown
        batch.room = room
    memset(&batch.items[batch.n], 0, sizeof(Item))
    batch.items[batch.n].record = record
    batch.items[batch.n].wants = COMMAND_PUBLISH
    if (<Channel>rows[record.channel])._store_size > 0:
        batch.items[batch.n].wants |= COMMAND_STORE
    batch.n += 1
    record.state = RECORD_SENT
    return True


cdef void pack_item(Batch* batch, Item* item, Channel channel, Retention* retention, ns_t now_ns) noexcept nogil:
    cdef Writer* w = &batch.out
    cdef Record* record = item.record
    cdef int64_t now_ms = now_ns // 1000000
    if item.wants & COMMAND_PUBLISH:
        put_bytes(w, channel._publish_at, channel._publish_size)
        put_bulk(w, record_payload(record), record.size)
    if not item.wants & COMMAND_STORE:
        return
    if channel.cls > HIGH:
        put_bytes(w, channel._store_at, channel._store_size)
        put_bulk(w, record_payload(record), record.size)
        return
    retention_count(retention, record.size + ENTRY_OVERHEAD, now_ms)
    if now_ns - channel._trimmed_ns >= TRIM_EVERY_NS or now_ns < channel._trimmed_ns:
        channel._trimmed_ns = now_ns
        put_bytes(w, b"*8\r\n", 4)
        put_bytes(w, channel._store_at, channel._store_size)
        put_bytes(w, b"$5\r\nMINID\r\n$1\r\n~\r\n$", 19)
        put_int(w, decimals(now_ms - retention.trim_after_ms))
        put_bytes(w, b"\r\n", 2)
        put_int(w, now_ms - retention.trim_after_ms)
        put_bytes(w, b"\r\n$", 3)
    else:
        put_bytes(w, b"*5\r\n", 4)
        put_bytes(w, channel._store_at, channel._store_size)
        put_bytes(w, b"$", 1)
    put_int(w, decimals(record.ms) + 1 + decimals(record.seq))
    put_bytes(w, b"\r\n", 2)
    put_int(w, record.ms)
    put_bytes(w, b"-", 1)
    put_int(w, record.seq)
    put_bytes(w, b"\r\n$1\r\ne\r\n", 9)
    put_bulk(w, record_payload(record), record.size)


cdef void to_command(Batch* batch) noexcept nogil:
    """From the place that `item` and `command` name, on to the next command that was sent; item == n at the end."""
    while batch.item < batch.n and not batch.items[batch.item].sent & batch.command:
        if batch.command == COMMAND_PUBLISH:
            batch.command = COMMAND_STORE
        else:
            batch.command = COMMAND_PUBLISH
            batch.item += 1


cdef void first_command(Batch* batch) noexcept nogil:
    batch.item = 0
    batch.command = COMMAND_PUBLISH
    to_command(batch)


cdef void next_command(Batch* batch) noexcept nogil:
    if batch.command == COMMAND_PUBLISH:
        batch.command = COMMAND_STORE
    else:
        batch.command = COMMAND_PUBLISH
        batch.item += 1
    to_command(batch)


cdef void batch_pack(Batch* batch, bint atomic, void** rows, Retention* retention, ns_t now_ns, int64_t* retries) noexcept nogil:
    """The commands of every item that still wants some."""
    cdef int32_t i
    cdef Item* item
    batch.out.size = 0
    batch.out.failed = False
    batch.error = ERROR_NONE
    batch.phase = PHASE_MULTI if atomic else PHASE_RESULTS
    if atomic:
        put_bytes(&batch.out, b"*1\r\n$5\r\nMULTI\r\n", 15)
    for i in range(batch.n):
        item = &batch.items[i]
        if item.sent != 0:
            retries[<int>item.record.cls] += 1
        item.sent = item.wants
        item.error = ERROR_NONE
        pack_item(batch, item, <Channel>rows[item.record.channel], retention, now_ns)
    if atomic:
        put_bytes(&batch.out, b"*1\r\n$4\r\nEXEC\r\n", 14)
    first_command(batch)


cdef ErrorKind count_error(Answers* answers, const Reply* reply) noexcept nogil:
    cdef ErrorKind kind = reply_error_kind(reply)
    cdef Py_ssize_t size = reply.size if reply.size < 200 else 200
    answers.errors[<int>kind] += 1
    if kind != ERROR_EXECABORT:
        memcpy(answers.text, reply.at, size)
        answers.size = size
    return kind


cdef void on_result(Item* item, uint8_t command, const Reply* reply, Answers* answers) noexcept nogil:
    if reply.kind == REPLY_ERROR:
        item.error = <int8_t>count_error(answers, reply)
        item.error_command = <int8_t>command
        return
    if command == COMMAND_PUBLISH and reply.kind == REPLY_INTEGER:
        answers.n_unheard += reply.number == 0 and item.record.cls <= HIGH
        item.wants &= ~<uint8_t>COMMAND_PUBLISH
    elif command == COMMAND_STORE and (reply.kind == REPLY_BULK or reply.kind == REPLY_STATUS):
        item.wants &= ~<uint8_t>COMMAND_STORE


cdef bint batch_on_reply(Batch* batch, const Reply* reply, Answers* answers) noexcept nogil:
    """One reply to its place. False if it cannot be an answer to what was sent."""
    if batch.phase == PHASE_MULTI:
        if reply.kind == REPLY_ERROR:
            batch.error = <int8_t>count_error(answers, reply)
        elif reply.kind != REPLY_STATUS:
            return False
        batch.phase = PHASE_QUEUED if batch.item < batch.n else PHASE_EXEC
    elif batch.phase == PHASE_QUEUED:
        # after a refused MULTI the commands were carried out one by one, and answer so
        if reply.kind != REPLY_STATUS or batch.error != ERROR_NONE:
            on_result(&batch.items[batch.item], batch.command, reply, answers)
        next_command(batch)
        if batch.item == batch.n:
            batch.phase = PHASE_EXEC
    elif batch.phase == PHASE_EXEC:
        if reply.kind == REPLY_ERROR:
            batch.error = <int8_t>count_error(answers, reply)
            batch.phase = PHASE_IDLE
        elif reply.kind == REPLY_ARRAY:
            first_command(batch)
            batch.phase = PHASE_RESULTS if batch.item < batch.n else PHASE_IDLE
        else:
            return False
    elif batch.phase == PHASE_RESULTS:
        if reply.kind == REPLY_ARRAY:
            return False
        on_result(&batch.items[batch.item], batch.command, reply, answers)
        next_command(batch)
        if batch.item == batch.n:
            batch.phase = PHASE_IDLE
    else:
        return False
    return True
