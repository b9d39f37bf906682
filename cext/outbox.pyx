"""Finished events on their way out, kept until Redis has confirmed them."""

from libc.stdint cimport INT64_MAX, int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

import json
from collections import namedtuple

from cext.backlog cimport (
    RECORD_DONE, RECORD_SENT, RECORD_WAITING, Backlog, Place, Record, backlog_add, backlog_at, backlog_done, backlog_forget, backlog_free,
    backlog_fresh, backlog_init, backlog_next, backlog_reopen, backlog_step, record_payload, record_room,
)
from cext.clock cimport Clock
from cext.journal cimport ENTRY_HELD, Entry, Journal, entry_name, entry_payload, entry_payload_size
from cext.replies cimport (
    ERROR_EXECABORT, ERROR_NONE, N_ERRORS, REPLY_ARRAY, REPLY_BROKEN, REPLY_BULK, REPLY_ERROR, REPLY_INTEGER,
    REPLY_STATUS, ErrorKind, Reply, replies_add, replies_clear, replies_free, replies_init, replies_next, reply_error_kind,
)
from cext.units cimport NO_TIME, ns_t
from cext.writer cimport Writer, put_bytes, put_int, put_time, writer_free, writer_init

from cext.replies import ERROR_NAMES

cdef enum:
    COMMAND_PUBLISH = 1
    COMMAND_STORE = 2           # XADD or SET
    TRIM_EVERY_NS = 1000000000
    ENTRY_OVERHEAD = 24         # bytes that a stream entry costs Redis beside its payload

CLASS_NAMES = ("CRITICAL", "HIGH", "MEDIUM", "LOW")
LANE_CLASSES = ((CRITICAL, HIGH), (MEDIUM, LOW))
MARK_NAMES = {
    MARK_SNAPSHOT: "snapshot", MARK_BACKFILL: "backfill", MARK_SYNTHETIC: "synthetic", MARK_SAMPLED: "sampled",
    MARK_SUSPECT_TIME: "suspect_time", MARK_MAYBE_BAD: "maybe_bad", MARK_ROUNDED: "rounded",
}
BATCH_OPEN, BATCH_CONFIRMED, BATCH_FAILED, BATCH_BROKEN = range(4)  # what `replies` answers

Failure = namedtuple("Failure", "index channel error stored key id")
Failure.__doc__ = """One refused command of a batch: the event's index in it, its channel, the error's kind, whether it was the storing command
(else PUBLISH), the key it names, the stream id ("" without)."""

ctypedef const char* text_t

cdef text_t[7] FLAG_TEXTS = [b'"snapshot"', b'"backfill"', b'"synthetic"', b'"sampled"', b'"suspect_time"', b'"maybe_bad"', b'"rounded"']
cdef Py_ssize_t[7] FLAG_SIZES = [10, 10, 11, 9, 14, 11, 9]


cdef class Source:
    """What a channel's dirty slot asks for its text."""

    cdef void render(self, Channel channel, Writer* w) noexcept nogil:
        """Write the channel's fields, each with its leading comma. Writing nothing withdraws the event: no `seq` is used."""

    cdef void restart(self, Channel channel) noexcept nogil:
        """A queued channel was emptied; there is room again: the next event must be a full image."""


cdef class Channel:
    """One published channel. Made by Outbox.channel."""

    @property
    def key(self):
        """The key beside the channel: its stream, or its newest value."""
        return (b"stream:{%b}" if self.cls <= HIGH else b"last:{%b}") % self.name

    def __repr__(self):
        return f"<Channel {self.name.decode()} {CLASS_NAMES[self.cls]} seq {self.seq}>"


def words(*parts):
    """RESP bulk strings."""
    return b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


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


cdef int bucket_of(ns_t ns) noexcept nogil:
    """0: under a microsecond; then four to an octave."""
    cdef int64_t quarters = ns // 250
    cdef int octave = 0
    if quarters < 4:
        return 0
    while quarters >= 8:
        quarters >>= 1
        octave += 1
    octave = 1 + 4 * octave + <int>(quarters - 4)
    return octave if octave < N_BUCKETS else N_BUCKETS - 1


def bucket_bounds_s():
    """The upper bound of each bucket of a latency histogram, in seconds."""
    return [1e-6 * (1 if i == 0 else ((i - 1) % 4 + 5) / 4.0 * 2.0 ** ((i - 1) // 4)) for i in range(N_BUCKETS - 1)] + [float("inf")]


cdef class Outbox:
    """All channels of one process.

    `items`, `bytes`: most that may wait in memory in each class; beyond them CRITICAL and HIGH go to their journals, and where there are none
    they are shed; the LOW class bounds its queued channels by them, each one by `queue_items` too. `journals`: of CRITICAL and HIGH, their
    segments recovered. `classes`: {type: class} that takes the place of a stream's own; CRITICAL for HIGH or MEDIUM for LOW and the reverse.
    `batch_items`, `batch_bytes`: most in one MULTI … EXEC of lane 0. `flight_bytes`: most in flight on lane 1. `sharded`: SPUBLISH for a
    Cluster. `retain_ms`, `max_stream_bytes`: how much of the streams is kept. `tail_ns`, `tail_bytes`: how much that Redis confirmed is kept
    here, lest it forgets.
    """

    def __cinit__(self):
        cdef int i
        for i in range(4):
            backlog_init(&self._backlogs[i])
            self._dirty_first[i] = self._dirty_last[i] = -1
        self._shut_first = -1

    def __init__(self, Clock clock, *, int64_t epoch, items=(100_000, 400_000, 0, 200_000),
                 bytes=(32 << 20, 96 << 20, 0, 16 << 20), int64_t batch_items=512, int64_t batch_bytes=65536, int64_t flight_bytes=262144,
                 int32_t queue_items=1000, bint sharded=False, int64_t retain_ms=3_600_000, int64_t max_stream_bytes=256 << 20,
                 int64_t tail_ns=10_000_000_000, int64_t tail_bytes=64 << 20, journals=(), classes=None):
        cdef int i
        cdef Channel channel
        self.clock = clock
        self.epoch = epoch
        self.n_batch_items = batch_items
        self.n_batch_bytes = batch_bytes
        self.n_flight_bytes = flight_bytes
        self.n_queue_items = queue_items
        self.sharded = sharded
        self.retain_ms = retain_ms
        self.max_stream_bytes = max_stream_bytes
        self._trim_after_ms = retain_ms
        self.sheds_from = N_CLASSES
        self.tail_ns = tail_ns
        self.tail_bytes = tail_bytes
        self._channels = []
        self._by_name = {}
        self._orphans = {}
        self._classes = dict(classes or {})
        self.journals = list(journals)
        self.spools = len(self.journals) == 2
        for i in range(len(self.journals)):
            if not isinstance(self.journals[i], Journal) or self.journals[i].cls != i:
                raise ValueError("journals are those of CRITICAL and HIGH")
            self._journals[i] = <void*>self.journals[i]
        for i in range(4):
            self._bounds[i].items = items[i]
            self._bounds[i].bytes = bytes[i]
        if not (writer_init(&self._event, 4096) and writer_init(&self._rendered, 65536)):
            raise MemoryError
        for i in range(N_LANES):
            if not (writer_init(&self._batches[i].out, 65536) and replies_init(&self._batches[i].replies)):
                raise MemoryError
        for journal in self.journals:
            for name, (n, newest_ms) in journal.found.items():
                channel = self._spooled_channel(name, journal.cls)
                channel._n_spooled = n
                channel._stream_ms = newest_ms + 1  # what this process writes gets greater ids than what the last one left, whatever the clock says
                self._counts[<int>journal.cls].accepted += n
                self._counts[<int>journal.cls].recovered += n

    def __dealloc__(self):
        cdef int i
        for i in range(4):
            backlog_free(&self._backlogs[i])
        for i in range(N_LANES):
            free(self._batches[i].items)
            writer_free(&self._batches[i].out)
            replies_free(&self._batches[i].replies)
        writer_free(&self._event)
        writer_free(&self._rendered)
        free(self._rows)

    # ---- channels

    cpdef Channel channel(self, str type, str exchange, str symbol, str market, str venue_symbol, DeliveryClass cls,
                          Source source=None, str timeframe="", str word="", bint queued=False, bint keeps_last=False):
        """A new channel `{word or type}:{exchange}:{symbol}[:{timeframe}]`. MEDIUM always keeps its newest value.

        Raises ValueError if the name is taken: a channel has one writer.
        """
        cdef Channel channel
        name = (f"{word or type}:{exchange}:{symbol}" + (f":{timeframe}" if timeframe else "")).encode()
        cls = self._class_of(type, cls)
        if name in self._by_name:
            raise ValueError(f"channel {name.decode()} has a writer already")
        channel = self._orphans.pop((name, cls), None) or Channel.__new__(Channel)
        channel.source = source
        channel.has_source = source is not None
        channel.queued = queued and cls == LOW
        channel.keeps_last = cls == MEDIUM or (keeps_last and cls == LOW)
        channel.orphan = False
        channel.exchange = exchange
        fields = {"v": 1, "type": type, "exchange": exchange, "symbol": symbol, "market": market, "venue_symbol": venue_symbol, "epoch": self.epoch}
        channel._head = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode().removesuffix(b"}") + b',"seq":'
        channel._head_at = channel._head
        channel._head_size = len(channel._head)
        self._name(channel, name, cls)
        self._by_name[name] = channel
        return channel

    def _class_of(self, type, cls):
        wanted = self._classes.get(type, cls)
        if (wanted <= HIGH) != (cls <= HIGH):
            raise ValueError(f"{type} is {CLASS_NAMES[cls]}: it may be {' or '.join(CLASS_NAMES[i] for i in LANE_CLASSES[0 if cls <= HIGH else 1])}")
        return wanted

    cdef Channel _name(self, Channel channel, bytes name, DeliveryClass cls):
        """The channel's commands and its row, if it has none yet."""
        cdef void** grown
        if channel.name is not None:
            return channel
        channel.name = name
        channel._name_at = channel.name
        channel._name_size = len(name)
        channel.cls = cls
        publish = b"*3\r\n" + words(b"SPUBLISH" if self.sharded else b"PUBLISH", name)
        if cls <= HIGH:
            store = words(b"XADD", channel.key)
        elif channel.keeps_last:
            store = b"*3\r\n" + words(b"SET", channel.key)
        else:
            store = b""
        channel._words = publish + store
        channel._publish_at = channel._words
        channel._publish_size = len(publish)
        channel._store_at = channel._publish_at + channel._publish_size
        channel._store_size = len(store)
        channel._next_dirty = channel._next_shut = -1
        channel._row = self._n_rows
        grown = <void**>realloc(self._rows, (self._n_rows + 1) * sizeof(void*))
        if grown == NULL:
            raise MemoryError
        self._rows = grown
        self._rows[self._n_rows] = <void*>channel
        self._n_rows += 1
        self._channels.append(channel)
        return channel

    cdef Channel _spooled_channel(self, bytes name, int cls):
        """The channel of a journal's entry. One that nobody writes to in this process, or not in this class, gets a row for what the journal has."""
        cdef Channel channel = self._by_name.get(name)
        if channel is not None and channel.cls == cls:
            return channel
        channel = self._orphans.get((name, cls))
        if channel is None:
            channel = self._orphans[(name, cls)] = self._name(Channel.__new__(Channel), name, <DeliveryClass>cls)
            channel.orphan = True
        return channel

    def shed_from(self, int cls):
        """Shed what is new of this class and the lower ones, MEDIUM or LOW; N_CLASSES (4): nothing any more."""
        if not MEDIUM <= cls <= N_CLASSES:
            raise ValueError(f"class {cls} is never shed for lateness")
        self.sheds_from = cls

    def suspect(self, str exchange, bint suspect):
        """Flag the events of a venue with `suspect_time` from now on, or not any more: our clock and its differ."""
        cdef Channel channel
        for channel in self._channels:
            if channel.exchange == exchange:
                channel._standing = MARK_SUSPECT_TIME if suspect else 0

    # ---- the writing side

    cdef void _begin(self, Channel channel, Writer* w, int64_t conflated, ns_t ts_event, ns_t ts_recv, ns_t ts_pub, uint32_t flags) noexcept nogil:
        """The envelope up to its flags."""
        cdef int i
        cdef bint first = True
        flags |= channel._standing
        w.size = 0
        w.failed = False
        put_bytes(w, channel._head_at, channel._head_size)
        put_int(w, channel.seq + 1)
        put_bytes(w, b',"conflated":', 13)
        put_int(w, conflated)
        put_bytes(w, b',"ts_event":', 12)
        put_time(w, ts_event)
        put_bytes(w, b',"ts_recv":', 11)
        put_time(w, ts_recv)
        put_bytes(w, b',"ts_pub":', 10)
        put_time(w, ts_pub)
        if flags != 0:
            put_bytes(w, b',"flags":[', 10)
            for i in range(7):
                if flags & (<uint32_t>1 << i):
                    if not first:
                        put_bytes(w, b",", 1)
                    first = False
                    put_bytes(w, FLAG_TEXTS[i], FLAG_SIZES[i])
            put_bytes(w, b"]", 1)

    cdef Writer* open(self, Channel channel, ns_t ts_event, ns_t ts_recv, uint32_t flags) noexcept nogil:
        """The writer for this event's own fields. One event is open at a time; `close` ends it."""
        self._opened_ns = self.clock.now_ns()
        self._opened_recv_ns = ts_recv
        self._begin(channel, &self._event, 1 + channel._n_emptied, ts_event, ts_recv, self._opened_ns, flags)
        return &self._event

    cdef void amends(self, int64_t epoch, int64_t seq) noexcept nogil:
        """Right after open: this event corrects that one of its channel."""
        put_bytes(&self._event, b',"amends":{"epoch":', 19)
        put_int(&self._event, epoch)
        put_bytes(&self._event, b',"seq":', 7)
        put_int(&self._event, seq)
        put_bytes(&self._event, b"}", 1)

    cdef int64_t close(self, Channel channel) noexcept nogil:
        """The event takes its `seq` and its place in the class. -1: it was dropped before it had a `seq`, and counted as shed."""
        cdef ClassCount* n = &self._counts[<int>channel.cls]
        cdef ClassBound* bound = &self._bounds[<int>channel.cls]
        cdef Backlog* backlog = &self._backlogs[<int>channel.cls]
        cdef Record* record = NULL
        cdef bint fits
        put_bytes(&self._event, b"}", 1)
        n.accepted += 1
        if channel.quarantined:
            n.quarantined += 1
            return -1
        fits = backlog.n_open < bound.items and backlog.open_bytes + self._event.size <= bound.bytes
        if self._event.failed:
            return self._shed(channel)
        if channel.cls <= HIGH and self.spools and (channel._n_spooled > 0 or not fits):
            return self._spool(channel)
        if channel.cls >= self.sheds_from:
            return self._shed(channel)
        if channel.queued:
            fits = fits and not channel._shut and channel._n_queued < self.n_queue_items
        if fits:
            record = backlog_add(backlog, self._event.at, self._event.size)
        if record == NULL:
            return self._shed(channel)
        channel.seq += 1
        self._stamp(channel, record, self._opened_ns, self._opened_recv_ns)
        if channel.queued:
            channel._n_emptied = 0
            if channel._n_queued == 0:
                channel._queue_first = record
            else:
                channel._queue_last.link = record
            channel._queue_last = record
            channel._n_queued += 1
        return channel.seq

    cdef int64_t _shed(self, Channel channel) noexcept nogil:
        """The closed event is dropped. It had no `seq` yet, so there will be no hole."""
        self._counts[<int>channel.cls].shed += 1
        channel.n_shed += 1
        if channel.queued:
            channel._n_emptied += 1
            self._empty(channel)
        return -1

    cdef int64_t _new_ms(self, Channel channel, ns_t now_ns) noexcept nogil:
        """The time of the next stream id: it never falls, and `seq` grows within it, so the ids grow."""
        if now_ns // 1000000 > channel._stream_ms:
            channel._stream_ms = now_ns // 1000000
        return channel._stream_ms

    cdef void _stamp(self, Channel channel, Record* record, ns_t now_ns, ns_t ts_recv) noexcept nogil:
        """What stays with the event: its number, its stream id, its times."""
        record.epoch = self.epoch
        record.seq = channel.seq
        record.channel = channel._row
        record.cls = <int8_t>channel.cls
        record.accepted_ns = now_ns
        record.recv_ns = ts_recv
        if channel.cls <= HIGH:
            record.ms = self._new_ms(channel, now_ns)

    cdef void _empty(self, Channel channel) noexcept nogil:
        """A queued channel goes over its bound: what waits is dropped as a unit, `seq` goes back before it, and nothing more is taken
        until there is room; then its stream is asked for a full image."""
        cdef Record* record = channel._queue_first
        cdef Record* following
        channel.seq -= channel._n_queued
        while channel._n_queued > 0:
            following = record.link
            backlog_done(&self._backlogs[<int>LOW], record)
            self._counts[<int>LOW].shed += 1
            channel.n_shed += 1
            channel._n_emptied += 1
            channel._n_queued -= 1
            record = following
        channel._queue_first = channel._queue_last = NULL
        if not channel._shut:
            channel._shut = True
            channel._next_shut = self._shut_first
            self._shut_first = channel._row

    cdef void _reopen(self) noexcept nogil:
        """Ask the streams of emptied channels for their images, as far as there is room."""
        cdef int32_t row = self._shut_first
        cdef int32_t following
        cdef Backlog* backlog = &self._backlogs[<int>LOW]
        if LOW >= self.sheds_from or backlog.n_open * 2 > self._bounds[<int>LOW].items or backlog.open_bytes * 2 > self._bounds[<int>LOW].bytes:
            return
        self._shut_first = -1
        while row >= 0:
            following = (<Channel>self._rows[row])._next_shut
            (<Channel>self._rows[row])._next_shut = -1
            (<Channel>self._rows[row])._shut = False
            self._restart(<Channel>self._rows[row])
            row = following

    cdef void _restart(self, Channel channel) noexcept nogil:
        if channel.has_source:
            channel.source.restart(channel)

    cdef void mark(self, Channel channel, ns_t ts_event, ns_t ts_recv, uint32_t flags) noexcept nogil:
        """The channel has something new to say; a slot that is dirty already now stands for one update more."""
        cdef int cls = channel.cls
        cdef ClassCount* n = &self._counts[cls]
        if cls >= self.sheds_from:
            n.accepted += 1
            n.shed += 1
            channel.n_shed += 1
            return
        channel.ts_event = ts_event
        channel.ts_recv = ts_recv
        channel.flags = flags
        n.accepted += 1
        if channel._dirty:
            channel.n_pending += 1
            n.conflated += 1
            return
        if channel.quarantined:
            n.quarantined += 1
            return
        channel._dirty = True
        channel.n_pending = 1
        channel._next_dirty = -1
        n.slots += 1
        if self._dirty_first[cls] < 0:
            self._dirty_first[cls] = channel._row
        else:
            (<Channel>self._rows[self._dirty_last[cls]])._next_dirty = channel._row
        self._dirty_last[cls] = channel._row

    cpdef wake_up(self):
        """Call `wake` if something waits and it was not called since the last flush."""
        cdef int i
        if self._awake or self.wake is None:
            return
        for i in range(4):
            if self._backlogs[i].n_open > 0 or self._dirty_first[i] >= 0:
                self._awake = True
                self.wake()
                return

    def emit(self, Channel channel, bytes payload, *, ns_t ts_event=NO_TIME, ns_t ts_recv=NO_TIME, uint32_t flags=0, amends=None):
        """Publish `payload`, the text of a JSON object with the event's own fields: the door for what is not made in cext.

        The event's `seq`; None if it was shed, or if it waits in a dirty slot (MEDIUM and LOW without a queue), where a newer one replaces it.
        """
        cdef Writer* w
        cdef int64_t seq
        cdef bytes fields = payload.strip()
        if not (fields.startswith(b"{") and fields.endswith(b"}")):
            raise ValueError(f"{channel.name.decode()}: a payload is a JSON object, found {payload[:40]!r}")
        fields = fields[1:len(fields) - 1].strip()
        if fields:
            fields = b"," + fields
        if channel.cls >= MEDIUM and not channel.queued:
            channel._held = fields
            channel._held_at = channel._held
            channel._held_size = len(channel._held)
            self.mark(channel, ts_event, ts_recv, flags)
            seq = -1
        else:
            w = self.open(channel, ts_event, ts_recv, flags)
            if amends is not None:
                self.amends(amends[0], amends[1])
            put_bytes(w, fields, len(fields))
            seq = self.close(channel)
        self.wake_up()
        return seq if seq >= 0 else None

    def sample(self, list channels, bytes payload, int64_t n):
        """`n` events with this payload written at once, to each of `channels` in turn, as a stream would: for benchmarks, where `emit` would be
        what is measured."""
        cdef Channel channel
        cdef const char* at = payload
        cdef Py_ssize_t size = len(payload) - 2
        cdef Py_ssize_t n_channels = len(channels)
        cdef int64_t i
        cdef ns_t now_ns = self.clock.now_ns()
        for i in range(n):
            channel = channels[i % n_channels]
            put_bytes(self.open(channel, now_ns, now_ns, 0), b",", 1)
            put_bytes(&self._event, at + 1, size)
            self.close(channel)

    # ---- the draining side

    cdef bint _push(self, Batch* batch, Record* record) noexcept nogil:
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
        if (<Channel>self._rows[record.channel])._store_size > 0:
            batch.items[batch.n].wants |= COMMAND_STORE
        batch.n += 1
        record.state = RECORD_SENT
        return True

    cdef void _fill_written(self, Batch* batch, int cls, int64_t max_items, int64_t max_bytes, int64_t* bytes, ns_t now_ns) noexcept nogil:
        """Events of `cls` that are written already, until the batch has `max_items` or `max_bytes`."""
        cdef Record* record
        while batch.n < max_items and (bytes[0] < max_bytes or batch.n == 0):
            record = backlog_next(&self._backlogs[cls])
            if record == NULL or (batch.n > 0 and bytes[0] + 2 * record.size > max_bytes) or not self._push(batch, record):
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
        self._begin(channel, w, channel.n_pending, channel.ts_event, channel.ts_recv, now_ns, channel.flags)
        empty = w.size
        channel.n_pending = 0
        if channel.has_source:
            channel.source.render(channel, w)
            if w.size == empty:
                return False
        else:
            put_bytes(w, channel._held_at, channel._held_size)
        put_bytes(w, b"}", 1)
        if w.failed:
            return False
        record = backlog_add(&self._backlogs[<int>channel.cls], w.at, w.size)
        if record == NULL:
            return False
        channel.seq += 1
        self._stamp(channel, record, now_ns, channel.ts_recv)
        if not self._push(batch, record):
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
                self._pack(batch, lane == 0, now_ns)
        if batch.n == 0:
            return None
        if batch.out.failed:
            raise MemoryError
        batch.in_flight = True
        batch.sent_ns = now_ns
        return batch.out.at[:batch.out.size]

    cdef void _pack(self, Batch* batch, bint atomic, ns_t now_ns) noexcept nogil:
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
                self._counts[<int>item.record.cls].retries += 1
            item.sent = item.wants
            item.error = ERROR_NONE
            self._pack_item(batch, item, <Channel>self._rows[item.record.channel], now_ns)
        if atomic:
            put_bytes(&batch.out, b"*1\r\n$4\r\nEXEC\r\n", 14)
        self._first_command(batch)

    cdef void _pack_item(self, Batch* batch, Item* item, Channel channel, ns_t now_ns) noexcept nogil:
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
        self._count_stored(record.size + ENTRY_OVERHEAD, now_ms)
        if now_ns - channel._trimmed_ns >= TRIM_EVERY_NS or now_ns < channel._trimmed_ns:
            channel._trimmed_ns = now_ns
            put_bytes(w, b"*8\r\n", 4)
            put_bytes(w, channel._store_at, channel._store_size)
            put_bytes(w, b"$5\r\nMINID\r\n$1\r\n~\r\n$", 19)
            put_int(w, decimals(now_ms - self._trim_after_ms))
            put_bytes(w, b"\r\n", 2)
            put_int(w, now_ms - self._trim_after_ms)
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

    cdef void _count_stored(self, int64_t bytes, int64_t now_ms) noexcept nogil:
        """Keep `_trim_after_ms` such that all streams together stay under their bound: the youngest buckets that fit in it are kept."""
        cdef int64_t width_ms = self.retain_ms // N_TRIM_BUCKETS + 1
        cdef int64_t bucket = now_ms // width_ms
        cdef int64_t total = 0
        cdef int i
        if bucket != self._bucket:
            if bucket - self._bucket >= N_TRIM_BUCKETS or bucket < self._bucket:
                memset(self._stored, 0, sizeof(self._stored))
            else:
                for i in range(<int>(bucket - self._bucket)):
                    self._stored[(self._bucket + 1 + i) % N_TRIM_BUCKETS] = 0
            self._bucket = bucket
            self._trim_after_ms = self.retain_ms
            for i in range(N_TRIM_BUCKETS):
                total += self._stored[(bucket - i + N_TRIM_BUCKETS) % N_TRIM_BUCKETS]
                if total > self.max_stream_bytes - self.max_stream_bytes // 16:
                    self._trim_after_ms = i * width_ms
                    break
        self._stored[bucket % N_TRIM_BUCKETS] += bytes

    # ---- the answers

    cdef void _first_command(self, Batch* batch) noexcept nogil:
        batch.item = 0
        batch.command = COMMAND_PUBLISH
        self._to_command(batch)

    cdef void _to_command(self, Batch* batch) noexcept nogil:
        """From the place that `item` and `command` name, on to the next command that was sent; item == n at the end."""
        while batch.item < batch.n and not batch.items[batch.item].sent & batch.command:
            if batch.command == COMMAND_PUBLISH:
                batch.command = COMMAND_STORE
            else:
                batch.command = COMMAND_PUBLISH
                batch.item += 1

    cdef void _next_command(self, Batch* batch) noexcept nogil:
        if batch.command == COMMAND_PUBLISH:
            batch.command = COMMAND_STORE
        else:
            batch.command = COMMAND_PUBLISH
            batch.item += 1
        self._to_command(batch)

    cdef ErrorKind _count_error(self, const Reply* reply) noexcept nogil:
        cdef ErrorKind kind = reply_error_kind(reply)
        cdef Py_ssize_t size = reply.size if reply.size < 200 else 200
        self._errors[<int>kind] += 1
        if kind != ERROR_EXECABORT:
            memcpy(self._error_text, reply.at, size)
            self._error_size = size
        return kind

    cdef bint _on_reply(self, Batch* batch, const Reply* reply) noexcept nogil:
        """One reply to its place. False if it cannot be an answer to what was sent."""
        if batch.phase == PHASE_MULTI:
            if reply.kind == REPLY_ERROR:
                batch.error = <int8_t>self._count_error(reply)
            elif reply.kind != REPLY_STATUS:
                return False
            batch.phase = PHASE_QUEUED if batch.item < batch.n else PHASE_EXEC
        elif batch.phase == PHASE_QUEUED:
            # after a refused MULTI the commands were carried out one by one, and answer so
            if reply.kind != REPLY_STATUS or batch.error != ERROR_NONE:
                self._on_result(&batch.items[batch.item], batch.command, reply)
            self._next_command(batch)
            if batch.item == batch.n:
                batch.phase = PHASE_EXEC
        elif batch.phase == PHASE_EXEC:
            if reply.kind == REPLY_ERROR:
                batch.error = <int8_t>self._count_error(reply)
                batch.phase = PHASE_IDLE
            elif reply.kind == REPLY_ARRAY:
                self._first_command(batch)
                batch.phase = PHASE_RESULTS if batch.item < batch.n else PHASE_IDLE
            else:
                return False
        elif batch.phase == PHASE_RESULTS:
            if reply.kind == REPLY_ARRAY:
                return False
            self._on_result(&batch.items[batch.item], batch.command, reply)
            self._next_command(batch)
            if batch.item == batch.n:
                batch.phase = PHASE_IDLE
        else:
            return False
        return True

    cdef void _on_result(self, Item* item, uint8_t command, const Reply* reply) noexcept nogil:
        if reply.kind == REPLY_ERROR:
            item.error = <int8_t>self._count_error(reply)
            item.error_command = <int8_t>command
            return
        if command == COMMAND_PUBLISH and reply.kind == REPLY_INTEGER:
            self._n_unheard += reply.number == 0 and item.record.cls <= HIGH
            item.wants &= ~<uint8_t>COMMAND_PUBLISH
        elif command == COMMAND_STORE and (reply.kind == REPLY_BULK or reply.kind == REPLY_STATUS):
            item.wants &= ~<uint8_t>COMMAND_STORE

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
                if not batch.in_flight or not self._on_reply(batch, &reply):
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
        """The confirmed events leave the batch; the others stay in their order."""
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
        self._end(record)

    cdef void _end(self, Record* record) noexcept nogil:
        """The record has come to its end, whichever: it need not be kept, in memory or on disk."""
        if record.place >= 0:
            (<Journal>self._journals[<int>record.cls]).done(record.place)
        backlog_done(&self._backlogs[<int>record.cls], record)

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
        return self._error_text[:self._error_size].decode("utf-8", "replace")

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

    def n_shed(self, int cls):
        return self._counts[cls].shed

    def unread(self, int cls):
        """Events of CRITICAL or HIGH that live in the journal alone."""
        return (<Journal>self.journals[cls]).n_unread if self.spools else 0

    # ---- the journal

    cdef bint _journal(self, int cls, int64_t up_to) noexcept nogil:
        """Copies of the records that are open and in no journal yet, until `up_to` were passed. False: the journal takes no more."""
        cdef Backlog* backlog = &self._backlogs[cls]
        cdef Record* record = backlog_fresh(backlog)
        cdef Entry entry
        while record != NULL and backlog.n_passed < up_to:
            entry.flags = ENTRY_HELD
            entry.cls = <uint8_t>cls
            entry.name_size = <uint16_t>(<Channel>self._rows[record.channel])._name_size
            entry.epoch, entry.seq, entry.ms = record.epoch, record.seq, record.ms
            entry.accepted_ns, entry.recv_ns = record.accepted_ns, record.recv_ns
            record.place = (<Journal>self._journals[cls]).append(
                &entry, (<Channel>self._rows[record.channel])._name_at, record_payload(record), record.size)
            if record.place < 0:
                return False
            self._counts[cls].spooled += 1
            record = backlog_fresh(backlog)
        return True

    def journal(self, bint all=False):
        """Copy into the journals what has waited since the last call (`all`: everything that waits). What Redis confirms at once never gets there."""
        cdef int cls
        if not self.spools:
            return
        with nogil:
            for cls in range(2):
                self._journal(cls, INT64_MAX if all else self._turn[cls])
                self._turn[cls] = self._backlogs[cls].n_added

    cdef int64_t _spool(self, Channel channel) noexcept nogil:
        """The closed event goes into the journal alone: memory is full, or older events of its channel are there."""
        cdef int cls = channel.cls
        cdef Entry entry
        if channel._n_spooled == 0 and not self._journal(cls, INT64_MAX):
            return self._shed(channel)  # its older events in memory must stand before it in the journal
        entry.flags = 0
        entry.cls = <uint8_t>cls
        entry.name_size = <uint16_t>channel._name_size
        entry.epoch, entry.seq, entry.ms = self.epoch, channel.seq + 1, self._new_ms(channel, self._opened_ns)
        entry.accepted_ns, entry.recv_ns = self._opened_ns, self._opened_recv_ns
        if (<Journal>self._journals[cls]).append(&entry, channel._name_at, self._event.at, self._event.size) < 0:
            return self._shed(channel)
        channel.seq += 1
        channel._n_spooled += 1
        self._counts[cls].spooled += 1
        return channel.seq

    def readmit(self, int cls, bytes data, Py_ssize_t offset, int64_t max_bytes, *, bint shed=False):
        """Events of the journal's segment `data` (None: of what is not written yet) from `offset` on, back into memory behind what waits there, until
        `max_bytes`; the offset behind the last one. `shed`: they are dropped instead, and counted."""
        cdef Journal journal = self.journals[cls]
        cdef Channel channel
        cdef const char* at = <const char*>journal._pending.at if data is None else <const char*>data
        cdef Py_ssize_t size = journal._pending.size if data is None else len(data)
        cdef Py_ssize_t before = offset
        cdef const Entry* entry
        cdef Record* record
        cdef int64_t taken = 0
        # never more than half of memory: the rest is for channels that have nothing in the journal, and need not wait for it
        while taken < max_bytes and (shed or (self._backlogs[cls].n_open * 2 < self._bounds[cls].items
                                              and self._backlogs[cls].open_bytes * 2 < self._bounds[cls].bytes)):
            before = offset
            entry = journal.next_entry(at, size, &offset)
            if entry == NULL:
                return size
            if entry.cls != cls or not journal.is_unread(entry):
                continue
            channel = self._spooled_channel(entry_name(entry)[:entry.name_size], cls)
            if shed or channel.quarantined:
                if shed:
                    self._counts[cls].shed += 1
                    channel.n_shed += 1
                else:
                    self._counts[cls].quarantined += 1
                journal.done(entry.ordinal)
            else:
                record = backlog_add(&self._backlogs[cls], entry_payload(entry), entry_payload_size(entry))
                if record == NULL:
                    return before
                record.epoch, record.seq, record.ms = entry.epoch, entry.seq, entry.ms
                record.accepted_ns, record.recv_ns = entry.accepted_ns, entry.recv_ns
                record.channel = channel._row
                record.cls = <int8_t>cls
                record.place = entry.ordinal
            channel._n_spooled -= 1
            journal.was_read(entry)
            taken += entry.size
        return offset

    def give_up_unread(self, int cls):
        """The journal was read to its end, and some entries were not there: what is damaged is shed. How many."""
        cdef Journal journal = self.journals[cls]
        cdef Channel channel
        cdef Place place = self._backlogs[cls].front
        cdef Record* record = backlog_at(&place)
        cdef int64_t n = journal.n_unread
        if n == 0:
            return 0
        for channel in self._channels:
            if channel.cls == cls and channel._n_spooled > 0:
                channel.n_shed += channel._n_spooled
                channel._n_spooled = 0
        self._counts[cls].shed += n
        journal.give_up_unread()
        while record != NULL:
            if record.state != RECORD_DONE and record.place >= 0:
                journal.is_open(record.place)
            backlog_step(&place)
            record = backlog_at(&place)
        return n

    def has_room(self, int cls, int64_t low_water_bytes):
        """Memory has room for more of what the class's journal holds: three quarters are free, and less than the mark waits there."""
        cdef Backlog* backlog = &self._backlogs[cls]
        return (backlog.open_bytes < low_water_bytes and backlog.open_bytes * 4 <= self._bounds[cls].bytes
                and backlog.n_open * 4 <= self._bounds[cls].items)

    # ---- a Redis that forgot

    def tails(self):
        """[(channel, its newest confirmed stream id as (ms, seq))] of the channels of which confirmed events are kept."""
        cdef int cls
        cdef Place place
        cdef Record* record
        newest = {}
        for cls in range(2):
            place = self._backlogs[cls].tail
            record = backlog_at(&place)
            while record != NULL:
                if record.confirmed:
                    newest[record.channel] = (record.ms, record.seq)
                backlog_step(&place)
                record = backlog_at(&place)
        return [(self._channels[row], id) for row, id in newest.items()]

    def replay(self, list behind):
        """`behind`: (channel, (ms, seq) of its stream's last id) of streams that have lost what they confirmed. What is kept of it waits again, before
        everything newer; the batch in lane 0 is taken apart for it, so the lane must be disconnected. How many events."""
        cdef Batch* batch = &self._batches[0]
        cdef Place place
        cdef Record* record
        cdef int64_t n = 0
        cdef int cls
        if batch.in_flight:
            raise ValueError("a batch is in flight")
        known = {(<Channel>each)._row: id for each, id in behind}
        batch.n = 0
        for cls in range(2):
            place = self._backlogs[cls].tail
            record = backlog_at(&place)
            while record != NULL:
                if record.state == RECORD_DONE and record.confirmed and record.channel in known and (record.ms, record.seq) > known[record.channel]:
                    record.state = RECORD_WAITING
                    record.place = -1
                    self._backlogs[cls].open_bytes += record_room(record)
                    self._counts[cls].replaying += 1
                    n += 1
                backlog_step(&place)
                record = backlog_at(&place)
            backlog_reopen(&self._backlogs[cls])
        return n

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
        return {"classes": classes, "errors": {ERROR_NAMES[i]: self._errors[i] for i in range(1, <int>N_ERRORS) if self._errors[i]},
                "unheard": self._n_unheard}
