"""Every event that has not come to its end, in memory and in the journals; and what Redis confirmed a short while ago."""

from libc.stdint cimport INT64_MAX, int8_t, int64_t, uint8_t, uint16_t
from libc.stdlib cimport free, realloc

from cext.backlog cimport (
    RECORD_DONE, RECORD_WAITING, Backlog, Place, Record, backlog_add, backlog_at, backlog_done, backlog_free, backlog_fresh, backlog_init,
    backlog_reopen, backlog_step, record_payload, record_room,
)
from cext.channel cimport HIGH, Channel, DeliveryClass
from cext.journal cimport ENTRY_HELD, Entry, Journal, entry_name, entry_payload, entry_payload_size

from cext.channel import words


cdef class Store:
    """The channels and their records. The outbox is one that is written to and drained; the spool brings its journals to disk and back."""

    def __cinit__(self):
        cdef int i
        for i in range(4):
            backlog_init(&self._backlogs[i])
        self._channels = []
        self._by_name = {}
        self._orphans = {}
        self.journals = []

    def __dealloc__(self):
        cdef int i
        for i in range(4):
            backlog_free(&self._backlogs[i])
        free(self._rows)

    def _adopt(self, journals):
        """The journals of CRITICAL and HIGH, or nothing; what an earlier process left in them is ours now."""
        cdef Channel channel
        cdef int i
        self.journals = list(journals)
        self.spools = len(self.journals) == 2
        for i in range(len(self.journals)):
            if not isinstance(self.journals[i], Journal) or self.journals[i].cls != i:
                raise ValueError("journals are those of CRITICAL and HIGH")
            self._journals[i] = <void*>self.journals[i]
        for journal in self.journals:
            for name, (n, newest_ms) in journal.found.items():
                channel = self._spooled_channel(name, journal.cls)
                channel._n_spooled = n
                channel._stream_ms = newest_ms + 1  # what this process writes gets greater ids than what the last one left, whatever the clock says
                self._counts[<int>journal.cls].accepted += n
                self._counts[<int>journal.cls].recovered += n

    # ---- channels

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

    # ---- ends

    cdef void _end(self, Record* record) noexcept nogil:
        """The record has come to its end, whichever: it need not be kept, in memory or on disk."""
        if record.place >= 0:
            (<Journal>self._journals[<int>record.cls]).done(record.place)
        backlog_done(&self._backlogs[<int>record.cls], record)

    def n_shed(self, int cls):
        return self._counts[cls].shed

    def unread(self, int cls):
        """Events of CRITICAL or HIGH that live in the journal alone."""
        return (<Journal>self.journals[cls]).n_unread if self.spools else 0

    # ---- the journals

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

    cdef int64_t _reopen_tail(self, dict known):
        """`known`: {row: (ms, seq) of its stream's last id}. What is kept of those channels behind that id waits again, before everything newer."""
        cdef Place place
        cdef Record* record
        cdef int64_t n = 0
        cdef int cls
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
