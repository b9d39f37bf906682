"""The WebSocket library's door: frames enter here, are stamped once, and never become Python objects on the way to the pipeline."""

from libc.stdint cimport int64_t

from picows.picows cimport WSFrame, WSListener, WSMsgType, WSTransport

from cext.clock cimport Clock
from cext.events cimport OUTCOME_CONTROL, OUTCOME_EVENTS, OUTCOME_IGNORED, Outcome
from cext.pipeline cimport Pipeline
from cext.units cimport ns_t

from cext.normalizer import OUTCOME_NAMES

cdef enum:
    MAX_FRAGMENTS = 16777216  # bytes of one frame that comes in pieces


cdef class Door(WSListener):
    """One socket. What is done with its frames, `_take` says.

    Its `owner` (p9.capture.connection) hears: on_connected(transport), on_disconnected(transport), on_control(payload), on_refused(outcome, payload);
    and frames, if owner.recorder is set, go to owner.recorder.frame(ts_recv_ns, payload).
    """

    cdef readonly int64_t frames
    cdef readonly int64_t pings         # of the venue's
    cdef readonly int64_t bytes
    cdef readonly int64_t last_recv_ns
    cdef readonly int64_t last_ping_ns
    cdef readonly object owner
    cdef public object recorder
    cdef public bint standby            # this socket waits to take over from another: its frames go to owner.on_standby(ts_recv_ns, payload)
    cdef Clock _clock
    cdef bytearray _fragments

    def __init__(self, Clock clock, owner):
        self.owner = owner
        self.recorder = owner.recorder
        self._clock = clock
        self._fragments = bytearray()

    cpdef on_ws_connected(self, WSTransport transport):
        self.owner.on_connected(transport)

    cpdef on_ws_disconnected(self, WSTransport transport):
        self.owner.on_disconnected(transport)

    cpdef on_ws_frame(self, WSTransport transport, WSFrame frame):
        cdef ns_t now_ns = self._clock.now_ns()
        if frame.msg_type == WSMsgType.TEXT and frame.fin:
            self._feed(frame.payload_ptr, frame.payload_size, now_ns)
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
            return
        elif frame.msg_type == WSMsgType.PING:
            self.pings += 1
            self.last_ping_ns = now_ns
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.TEXT or frame.msg_type == WSMsgType.BINARY or frame.msg_type == WSMsgType.CONTINUATION:
            self._assemble(transport, frame, now_ns)
        if frame.last_in_buffer:
            self._told()

    cdef _assemble(self, WSTransport transport, WSFrame frame, ns_t now_ns):
        """The rare frame in pieces."""
        if len(self._fragments) + frame.payload_size > MAX_FRAGMENTS:
            self._fragments.clear()
            self.owner.on_refused("oversized", b"")
            transport.disconnect()
            return
        self._fragments += frame.get_payload_as_bytes()
        if frame.fin:
            whole = bytes(self._fragments)
            self._fragments.clear()
            self._feed(whole, len(whole), now_ns)

    def receive(self, bytes payload):
        """A whole text frame that did not come by the library's socket (a simulated network)."""
        self._feed(payload, len(payload), self._clock.now_ns())
        self._told()

    cdef _feed(self, const char* frame, Py_ssize_t size, ns_t now_ns):
        self.frames += 1
        self.bytes += size
        self.last_recv_ns = now_ns
        if self.standby:
            self.owner.on_standby(now_ns, frame[:size])
            return
        if self.recorder is not None:
            self.recorder.frame(now_ns, frame[:size])
        self._take(frame, size, now_ns)

    cdef _take(self, const char* frame, Py_ssize_t size, ns_t now_ns):
        """A frame that is ours to use."""

    cdef _told(self):
        """After the last frame of a read."""


cdef class Listener(Door):
    """The door to a pipeline."""

    cdef readonly Pipeline pipeline

    def __init__(self, Pipeline pipeline, owner):
        Door.__init__(self, pipeline.clock, owner)
        self.pipeline = pipeline

    cdef _told(self):
        """What must be done about what was read, once."""
        if self.pipeline.notices.n > 0 and self.pipeline.on_notices is not None:
            self.pipeline.on_notices()
        if self.pipeline.news.n > 0 and self.pipeline.on_news is not None:
            self.pipeline.on_news()
        self.pipeline.outbox.wake_up()

    cdef _take(self, const char* frame, Py_ssize_t size, ns_t now_ns):
        cdef Outcome outcome
        with nogil:
            outcome = self.pipeline.feed(frame, size, now_ns)
        if outcome != OUTCOME_EVENTS and outcome != OUTCOME_IGNORED:
            if outcome == OUTCOME_CONTROL:
                self.owner.on_control(frame[:size])
            else:
                self.owner.on_refused(OUTCOME_NAMES[outcome], frame[:min(size, 300)])


cdef class ColdListener(Door):
    """The door to slow data: some hundreds of frames a second at most, each handed to owner.on_frame(payload, ts_recv_ns) as bytes."""

    cdef _take(self, const char* frame, Py_ssize_t size, ns_t now_ns):
        self.owner.on_frame(frame[:size], now_ns)
