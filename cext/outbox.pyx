"""Finished events on their way out, kept until Redis has confirmed them."""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint8_t
from libc.string cimport memset

from collections import namedtuple

from cext.backlog cimport (
    RECORD_DONE, Backlog, Place, Record, backlog_add, backlog_at, backlog_done, backlog_forget, backlog_next, backlog_step,
)
from cext.batch cimport COMMAND_STORE, PHASE_IDLE, Batch, batch_free, batch_init, batch_on_reply, batch_pack, batch_push
from cext.channel cimport CRITICAL, HIGH, LOW, MEDIUM, Channel, channel_begin
from cext.clock cimport Clock
from cext.latency cimport N_BUCKETS, bucket_of
from cext.replies cimport ERROR_NONE, N_ERRORS, REPLY_BROKEN, Reply, replies_add, replies_clear, replies_next
from cext.retention cimport retention_init
from cext.store cimport ClassCount
from cext.units cimport ns_t
from cext.writer cimport Writer, put_bytes, writer_free, writer_init

from cext.channel import CLASS_NAMES, LANE_CLASSES, MARK_NAMES
from cext.latency import bucket_bounds_s
from cext.replies import ERROR_NAMES

__all__ = [  # MARK_NAMES and bucket_bounds_s are found here too
    "BATCH_BROKEN", "BATCH_CONFIRMED", "BATCH_FAILED", "BATCH_OPEN", "CLASS_NAMES", "LANE_CLASSES", "MARK_NAMES", "Failure", "Outbox", "bucket_bounds_s",
]
BATCH_OPEN, BATCH_CONFIRMED, BATCH_FAILED, BATCH_BROKEN = range(4)  # what `replies` answers

Failure = namedtuple("Failure", "index channel error stored key id")
Failure.__doc__ = """One refused command of a batch: the event's index in it, its channel, the error's kind, whether it was the storing command
(else PUBLISH), the key it names, the stream id ("" without)."""


cdef class Outbox(Intake):
    """All channels of one process.

    `items`, `bytes`: most that may wait in memory in each class; beyond them CRITICAL and HIGH go to their journals, and where there are none
    they are shed; the LOW class bounds its queued channels by them, each one by `queue_items` too. `journals`: of CRITICAL and HIGH, their
    segments recovered. `classes`: {type: class} that takes the place of a stream's own; CRITICAL for HIGH or MEDIUM for LOW and the reverse.
    `batch_items`, `batch_bytes`: most in one MULTI … EXEC of lane 0. `flight_bytes`: most in flight on lane 1. `sharded`: SPUBLISH for a
    Cluster. `retain_ms`, `max_stream_bytes`: how much of the streams is kept. `tail_ns`, `tail_bytes`: how much that Redis confirmed is kept
    here, lest it forgets.
    """

    def __init__(self, Clock clock, *, int64_t epoch, items=(100_000, 400_000, 0, 200_000),
                 bytes=(32 << 20, 96 << 20, 0, 16 << 20), int64_t batch_items=512, int64_t batch_bytes=65536, int64_t flight_bytes=262144,
                 int32_t queue_items=1000, bint sharded=False, int64_t retain_ms=3_600_000, int64_t max_stream_bytes=256 << 20,
                 int64_t tail_ns=10_000_000_000, int64_t tail_bytes=64 << 20, journals=(), classes=None):
        cdef int i
        self.clock = clock
        self.epoch = epoch
        self.n_batch_items = batch_items
        self.n_batch_bytes = batch_bytes
        self.n_flight_bytes = flight_bytes
        self.n_queue_items = queue_items
        self.sharded = sharded
        self.retain_ms = retain_ms
        retention_init(&self._retention, retain_ms, max_stream_bytes)
        self.tail_ns = tail_ns
        self.tail_bytes = tail_bytes
        self._classes = dict(classes or {})
        for i in range(4):
            self._bounds[i].items = items[i]
            self._bounds[i].bytes = bytes[i]
        if not writer_init(&self._rendered, 65536):
            raise MemoryError
        for i in range(N_LANES):
            if not batch_init(&self._batches[i]):
                raise MemoryError
        self._adopt(journals)

    def __dealloc__(self):
        cdef int i
        for i in range(N_LANES):
            batch_free(&self._batches[i])
        writer_free(&self._rendered)

    # ---- the draining side

    cdef void _fill_written(self, Batch* batch, int cls, int64_t max_items, int64_t max_bytes, int64_t* bytes, ns_t now_ns) noexcept nogil:
        """Events of `cls` that are written already, until the batch has `max_items` or `max_bytes`."""
        cdef Record* record
        while batch.n < max_items and (bytes[0] < max_bytes or batch.n == 0):
            record = backlog_next(&self._backlogs[cls])
            if record == NULL or (batch.n > 0 and bytes[0] + 2 * record.size > max_bytes) or not batch_push(batch, record, self._rows):
                return
            bytes[0] += 2 * record.size + 128
            if (<Channel>self._rows[record.channel]).queued:
                self._unqueue(<Channel>self._rows[record.channel], record)

    cdef void _unqueue(self, Channel channel, Record* record) noexcept nogil:
        """What is sent is not emptied any more. A queued channel's events are sent in their order: `record` is its first one."""
        channel._queue_first = record.link
        channel._n_queued -= 1

    cdef void _fill_slots(self, Batch* batch, int cls, int64_t max_bytes, int64_t* bytes, ns_t now_ns) noexcept nogil:
        """The dirty slots of `cls`, oldest first, until the batch has `max_bytes`."""
        cdef int32_t row
        while (bytes[0] < max_bytes or batch.n == 0) and self._dirty_first[cls] >= 0:
            row = self._dirty_first[cls]
            self._dirty_first[cls] = (<Channel>self._rows[row])._next_dirty
            (<Channel>self._rows[row])._dirty = False
            self._counts[cls].slots -= 1
            if self._render(<Channel>self._rows[row], batch, now_ns):
                bytes[0] += 2 * batch.items[batch.n - 1].record.size + 128
            else:
                self._counts[cls].shed += 1

    cdef bint _render(self, Channel channel, Batch* batch, ns_t now_ns) noexcept nogil:
        """Write the slot's event and put it into the batch. False: its stream had nothing to say after all, or there was no memory."""
        cdef Writer* w = &self._rendered
        cdef Record* record
        cdef Py_ssize_t empty
        channel_begin(channel, w, channel.n_pending, channel.ts_event, channel.ts_recv, now_ns, channel.flags)
        empty = w.size
        channel.n_pending = 0
        if channel.has_source:
            channel.source.render(channel, w)
            if w.size == empty:
                return False
        elif channel._held_at == NULL:  # its source left
            return False
        else:
            put_bytes(w, channel._held_at, channel._held_size)
        put_bytes(w, b"}", 1)
        if w.failed:
            return False
        if channel._tapped:
            channel.tap.add(w.at, w.size)
        record = backlog_add(&self._backlogs[<int>channel.cls], w.at, w.size)
        if record == NULL:
            return False
        channel.seq += 1
        self._stamp(channel, record, now_ns, channel.ts_recv)
        if not batch_push(batch, record, self._rows):
            channel.seq -= 1
            backlog_done(&self._backlogs[<int>channel.cls], record)
            return False
        return True

    def take(self, int lane):
        """The commands to be written to the lane's connection now, or None: nothing waits, or a batch is in flight.

        After a failure this is what is left of the failed batch, before anything newer.
        """
        cdef Batch* batch = &self._batches[lane]
        cdef ns_t now_ns = self.clock.now_ns()
        cdef int64_t bytes = 0
        cdef int64_t retries[4]
        cdef int cls
        if batch.in_flight:
            return None
        with nogil:
            if batch.n == 0:
                if lane == 0:
                    # highest first, and an eighth of the batch for the lower one
                    self._fill_written(batch, CRITICAL, self.n_batch_items - self.n_batch_items // 8, self.n_batch_bytes * 7 // 8, &bytes, now_ns)
                    self._fill_written(batch, HIGH, self.n_batch_items, self.n_batch_bytes, &bytes, now_ns)
                    self._fill_written(batch, CRITICAL, self.n_batch_items, self.n_batch_bytes, &bytes, now_ns)
                else:
                    if self._shut_first >= 0:
                        self._reopen()
                    self._fill_slots(batch, MEDIUM, self.n_flight_bytes * 5 // 8, &bytes, now_ns)
                    self._fill_slots(batch, LOW, self.n_flight_bytes * 6 // 8, &bytes, now_ns)
                    self._fill_written(batch, LOW, INT64_MAX, self.n_flight_bytes * 7 // 8, &bytes, now_ns)
                    self._fill_slots(batch, MEDIUM, self.n_flight_bytes * 7 // 8, &bytes, now_ns)
            if batch.n > 0:
                memset(retries, 0, sizeof(retries))
                batch_pack(batch, lane == 0, self._rows, &self._retention, now_ns, retries)
                for cls in range(4):
                    self._counts[cls].retries += retries[cls]
        if batch.n == 0:
            return None
        if batch.out.failed:
            raise MemoryError
        batch.in_flight = True
        batch.sent_ns = now_ns
        return batch.out.at[:batch.out.size]

    # ---- the answers

    def replies(self, int lane, bytes data):
        """Bytes of the lane's connection. BATCH_OPEN: more must come; BATCH_CONFIRMED: every event of the batch is confirmed; BATCH_FAILED: all
        is answered and `failures` says what was refused; BATCH_BROKEN: these are not the answers to what was sent: close the connection."""
        cdef Batch* batch = &self._batches[lane]
        cdef const char* at = data
        cdef Py_ssize_t size = len(data)
        cdef Reply reply
        with nogil:
            replies_add(&batch.replies, at, size)
            while replies_next(&batch.replies, &reply) > REPLY_BROKEN:
                if not batch.in_flight or not batch_on_reply(batch, &reply, &self._answers):
                    reply.kind = REPLY_BROKEN
                    break
                if batch.phase == PHASE_IDLE:
                    batch.in_flight = False
                    self._settle(batch, self.clock.now_ns())
        if reply.kind == REPLY_BROKEN:
            return BATCH_BROKEN
        if batch.in_flight:
            return BATCH_OPEN
        return BATCH_CONFIRMED if batch.n == 0 else BATCH_FAILED

    cdef void _settle(self, Batch* batch, ns_t now_ns) noexcept nogil:
        """The confirmed events leave the batch; the others stay in their order. What is kept of a class grows old only while its own lane is answered:
        a lane that is not may yet find that Redis forgot, however long ago it confirmed."""
        cdef int32_t i
        cdef int32_t kept = 0
        cdef int cls
        for i in range(batch.n):
            if batch.items[i].wants == 0:
                self._confirm(batch.items[i].record, now_ns)
            else:
                batch.items[kept] = batch.items[i]
                kept += 1
        batch.n = kept
        for cls in range(4):
            if cls <= HIGH:
                if batch == &self._batches[0]:
                    backlog_forget(&self._backlogs[cls], now_ns - self.tail_ns, self.tail_bytes)
            elif self._backlogs[cls].kept_bytes > 0:
                backlog_forget(&self._backlogs[cls], 0, 0)

    cdef void _confirm(self, Record* record, ns_t now_ns) noexcept nogil:
        cdef int cls = record.cls
        cdef ClassCount* n = &self._counts[cls]
        if record.confirmed:
            n.replayed += 1
            n.replaying -= 1
        else:
            record.confirmed = True
            n.confirmed += 1
            n.confirmed_bytes += record.size
            self._confirm_ns[cls][bucket_of(now_ns - record.accepted_ns)] += 1
            if record.recv_ns > 0:
                self._age_ns[cls][bucket_of(now_ns - record.recv_ns)] += 1
        record.accepted_ns = now_ns  # from here on: since when Redis has it, as what it may forget is what it got last
        self._end(record)

    def disconnected(self, int lane):
        """The lane's connection is gone: what it was asked and did not answer is taken again, in order, before anything newer."""
        self._batches[lane].in_flight = False
        replies_clear(&self._batches[lane].replies)

    def in_flight_since(self, int lane):
        """Nanoseconds since 1970 at which the batch in flight was taken; None if there is none."""
        return self._batches[lane].sent_ns if self._batches[lane].in_flight else None

    def failures(self, int lane):
        """(kind of the error that the batch as a whole met or None, the refused events as Failure). To be read after BATCH_FAILED."""
        cdef Batch* batch = &self._batches[lane]
        cdef Channel channel
        cdef Record* record
        cdef int32_t i
        found = []
        for i in range(batch.n):
            if batch.items[i].error == ERROR_NONE:
                continue
            record = batch.items[i].record
            channel = self._channels[record.channel]
            stored = batch.items[i].error_command == COMMAND_STORE
            found.append(Failure(i, channel, ERROR_NAMES[batch.items[i].error], stored, channel.key if stored else channel.name,
                                 f"{record.ms}-{record.seq}" if record.cls <= HIGH else ""))
        return ERROR_NAMES.get(batch.error), found

    def last_error(self):
        """The text of the newest error reply."""
        return self._answers.text[:self._answers.size].decode("utf-8", "replace")

    def was_stored(self, int lane, int index):
        """Event `index` of the failed batch was found where it should be: it was stored by an earlier sending."""
        self._batches[lane].items[index].wants &= ~<uint8_t>COMMAND_STORE

    def restamp(self, Channel channel, int64_t last_ms):
        """The channel's stream has a newer entry, of `last_ms`, than the events that wait: they get ids after it, in their order."""
        cdef Backlog* backlog = &self._backlogs[<int>channel.cls]
        cdef Place place = backlog.front
        cdef Record* record = backlog_at(&place)
        cdef int64_t epoch = -1
        channel._stream_ms = max(channel._stream_ms, last_ms + 1)
        while record != NULL:
            if record.channel == channel._row and record.state != RECORD_DONE:
                if epoch >= 0 and record.epoch != epoch:
                    channel._stream_ms += 1
                epoch = record.epoch
                record.ms = channel._stream_ms
            backlog_step(&place)
            record = backlog_at(&place)

    def quarantine(self, Channel channel):
        """The channel's key refuses our commands: what waits of it goes aside, and so does what follows, until `release`."""
        cdef Backlog* backlog = &self._backlogs[<int>channel.cls]
        cdef Batch* batch = &self._batches[0 if channel.cls <= HIGH else 1]
        cdef Place place = backlog.front
        cdef Record* record = backlog_at(&place)
        cdef int32_t i
        cdef int32_t kept = 0
        channel.quarantined = True
        for i in range(batch.n):
            if batch.items[i].record.channel != channel._row:
                batch.items[kept] = batch.items[i]
                kept += 1
        batch.n = kept
        while record != NULL:
            if record.channel == channel._row and record.state != RECORD_DONE:
                if record.confirmed:
                    self._counts[<int>channel.cls].replaying -= 1
                else:
                    self._counts[<int>channel.cls].quarantined += 1
                self._end(record)
            backlog_step(&place)
            record = backlog_at(&place)
        channel._queue_first = channel._queue_last = NULL
        channel._n_queued = 0

    def release(self, Channel channel):
        """The channel's key is as it should be again."""
        channel.quarantined = False

    def sweep(self, int lane):
        """After was_stored: what is answered leaves the failed batch. True if nothing is left of it."""
        self._settle(&self._batches[lane], self.clock.now_ns())
        return self._batches[lane].n == 0

    def flushed(self):
        """A flush begins: `wake` may be called again."""
        self._awake = False

    def waiting(self):
        """Events of all classes that have not come to their end."""
        cdef int i
        cdef int64_t n = 0
        for i in range(4):
            n += self._backlogs[i].n_open + self._counts[i].slots + (self.unread(i) if i <= HIGH else 0)
        return n

    # ---- a Redis that forgot

    def replay(self, list behind):
        """`behind`: (channel, (ms, seq) of its stream's last id) of streams that have lost what they confirmed. What is kept of it waits again, before
        everything newer; the batch in lane 0 is taken apart for it, so the lane must be disconnected. How many events."""
        if self._batches[0].in_flight:
            raise ValueError("a batch is in flight")
        self._batches[0].n = 0
        return self._reopen_tail({(<Channel>channel)._row: id for channel, id in behind})

    def abandon(self, int lane):
        """What is left of the lane's batch is dropped, and counted as shed: for those who want no retries. How many events."""
        cdef Batch* batch = &self._batches[lane]
        cdef int32_t i
        cdef int32_t n = batch.n
        for i in range(n):
            self._counts[<int>batch.items[i].record.cls].shed += 1
            (<Channel>self._rows[batch.items[i].record.channel]).n_shed += 1
            self._end(batch.items[i].record)
        batch.n = 0
        return n

    def stats(self):
        """Counters by class and of errors by kind. accepted = confirmed + conflated + shed + quarantined + waiting, at all times."""
        cdef int i, j
        classes = {}
        for i in range(4):
            classes[CLASS_NAMES[i]] = {
                "accepted": self._counts[i].accepted, "confirmed": self._counts[i].confirmed, "conflated": self._counts[i].conflated,
                "shed": self._counts[i].shed, "quarantined": self._counts[i].quarantined,
                "waiting": self._backlogs[i].n_open - self._counts[i].replaying + self._counts[i].slots + (self.unread(i) if i <= HIGH else 0),
                "waiting_bytes": self._backlogs[i].open_bytes, "waiting_on_disk": self.unread(i) if i <= HIGH else 0,
                "recovered": self._counts[i].recovered, "spooled": self._counts[i].spooled, "replaying": self._counts[i].replaying,
                "memory_bytes": self._backlogs[i].room_bytes, "kept_bytes": self._backlogs[i].kept_bytes,
                "replayed": self._counts[i].replayed, "retries": self._counts[i].retries, "confirmed_bytes": self._counts[i].confirmed_bytes,
                "confirm_s": [self._confirm_ns[i][j] for j in range(N_BUCKETS)], "age_s": [self._age_ns[i][j] for j in range(N_BUCKETS)],
            }
        return {"classes": classes, "errors": {ERROR_NAMES[i]: self._answers.errors[i] for i in range(1, <int>N_ERRORS) if self._answers.errors[i]},
                "unheard": self._answers.n_unheard}
