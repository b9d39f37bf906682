"""The frames of one market: decoder, instruments, and the scratch between them. It knows no socket."""

from libc.stdint cimport int32_t, int64_t

from cext.clock cimport Clock
from cext.delay cimport Delays
from cext.events cimport N_OUTCOMES, Batch, Event, Level, Outcome
from cext.instrument cimport Instrument
from cext.normalizer cimport Normalizer
from cext.notice cimport Notices
from cext.outbox cimport Outbox
from cext.sequence cimport SequenceRule
from cext.tape cimport NewsList, Numbering
from cext.units cimport ns_t

cdef class Pipeline:
    cdef readonly str exchange
    cdef readonly str market
    cdef readonly Normalizer normalizer
    cdef readonly Outbox outbox
    cdef readonly Clock clock
    cdef public object on_notices       # called by the listener, without arguments, when take_notices has something
    cdef public object on_news          # the same for take_news
    cdef SequenceRule rule
    cdef Numbering numbering
    cdef Py_ssize_t max_held_bytes
    cdef int32_t max_held_frames
    cdef bint prune
    cdef Batch batch
    cdef Notices notices
    cdef NewsList news
    cdef Delays delays
    cdef void** _instruments            # borrowed Instruments; `_keep` owns them
    cdef int32_t _n_instruments
    cdef list _keep
    cdef int64_t _n_frames
    cdef int64_t _n_bytes
    cdef int64_t _n_unknown_enums
    cdef int64_t _n_told                # events that were told by Python
    cdef int64_t _outcomes[N_OUTCOMES]

    cdef Outcome feed(self, const char* frame, Py_ssize_t size, ns_t ts_recv) noexcept nogil
    cdef Outcome _decode(self, int32_t snapshot_of, const char* frame, Py_ssize_t size) noexcept nogil
    cdef Outcome _decode_finer(self, int32_t snapshot_of, const char* frame, Py_ssize_t size) noexcept nogil
    cdef void _lost_frame(self, ns_t ts_recv) noexcept nogil
    cdef void _hold(self, Instrument instrument, const char* frame, Py_ssize_t size, ns_t ts_recv) noexcept nogil

cdef bint crossed_image(const Event* event, const Level* levels) noexcept nogil
