"""Where events come in: written by streams, each into its place behind what waits of its class."""

from libc.stdint cimport INT64_MAX, int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t

import json

from cext.backlog cimport Backlog, Record, backlog_add, backlog_done
from cext.channel cimport HIGH, LOW, MARK_SUSPECT_TIME, MEDIUM, N_CLASSES, Channel, DeliveryClass, Source, channel_begin
from cext.journal cimport Entry, Journal
from cext.store cimport ClassBound, ClassCount, Store
from cext.tap cimport Tap
from cext.units cimport NO_TIME, ns_t
from cext.writer cimport Writer, put_bytes, put_int, writer_free, writer_init

from cext.channel import CLASS_NAMES, LANE_CLASSES


cdef class Intake(Store):
    """The side of the outbox that streams write to. `clock`, `epoch` and the bounds are the outbox's to set."""

    def __cinit__(self):
        cdef int i
        for i in range(4):
            self._dirty_first[i] = self._dirty_last[i] = -1
        self._shut_first = -1
        self.sheds_from = N_CLASSES
        self._classes = {}
        if not writer_init(&self._event, 4096):
            raise MemoryError

    def __dealloc__(self):
        writer_free(&self._event)

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
        channel.type, channel.exchange, channel.symbol, channel.timeframe = type, exchange, symbol, timeframe
        fields = {"v": 1, "type": type, "exchange": exchange, "symbol": symbol, "market": market, "venue_symbol": venue_symbol, "epoch": self.epoch}
        channel._head = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode().removesuffix(b"}") + b',"seq":'
        channel._head_at = channel._head
        channel._head_size = len(channel._head)
        self._name(channel, name, cls)
        self._by_name[name] = channel
        self.n_channel_changes += 1
        return channel

    cpdef leave(self, Channel channel):
        """Nobody writes to `channel` any more. What was emitted into its slot still goes out; what its source would have had to write is withdrawn. Its name may
        be taken again, and goes on with its `seq`."""
        if self._by_name.pop(channel.name, None) is None:
            return
        self.n_channel_changes += 1
        channel.source = None
        channel.has_source = False
        channel.orphan = True
        self._orphans[(channel.name, channel.cls)] = channel

    def leave_all(self, Source source not None):
        """Leave every channel that `source` writes to."""
        for channel in [channel for channel in self._by_name.values() if (<Channel>channel).source is source]:
            self.leave(channel)

    def _class_of(self, type, cls):
        wanted = self._classes.get(type, cls)
        if (wanted <= HIGH) != (cls <= HIGH):
            raise ValueError(f"{type} is {CLASS_NAMES[cls]}: it may be {' or '.join(CLASS_NAMES[i] for i in LANE_CLASSES[0 if cls <= HIGH else 1])}")
        return wanted

    def channels(self):
        """Every Channel with a writer in this process."""
        return list(self._by_name.values())

    def look(self, Channel channel, Tap tap):
        """Copy what is published of `channel` into `tap` from now on; None: nobody looks any more."""
        channel.tap = tap
        channel._tapped = tap is not None

    # ---- events that are written at once

    cdef Writer* open(self, Channel channel, ns_t ts_event, ns_t ts_recv, uint32_t flags) noexcept nogil:
        """The writer for this event's own fields. One event is open at a time; `close` ends it."""
        self._opened_ns = self.clock.now_ns()
        self._opened_recv_ns = ts_recv
        channel_begin(channel, &self._event, 1 + channel._n_emptied, ts_event, ts_recv, self._opened_ns, flags)
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
        if channel._tapped and not self._event.failed:
            channel.tap.add(self._event.at, self._event.size)
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

    # ---- queued channels

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

    # ---- dirty slots

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

    # ---- from outside

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
