"""A published channel: its class, its sequence, its words; and what writes its text."""

from libc.stdint cimport int64_t, uint32_t

from cext.units cimport ns_t
from cext.writer cimport Writer, put_bytes, put_int, put_time

CLASS_NAMES = ("CRITICAL", "HIGH", "MEDIUM", "LOW")
LANE_CLASSES = ((CRITICAL, HIGH), (MEDIUM, LOW))
MARK_NAMES = {
    MARK_SNAPSHOT: "snapshot", MARK_BACKFILL: "backfill", MARK_SYNTHETIC: "synthetic", MARK_SAMPLED: "sampled",
    MARK_SUSPECT_TIME: "suspect_time", MARK_MAYBE_BAD: "maybe_bad", MARK_ROUNDED: "rounded",
}

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


cdef void channel_begin(Channel channel, Writer* w, int64_t conflated, ns_t ts_event, ns_t ts_recv, ns_t ts_pub, uint32_t flags) noexcept nogil:
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
