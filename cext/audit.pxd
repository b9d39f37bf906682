"""A book rebuilt beside the live one, from an image of REST and the frames that came meanwhile."""

from libc.stdint cimport int32_t

from cext.held cimport Held
from cext.instrument cimport Instrument
from cext.notice cimport Notices
from cext.pipeline cimport Pipeline
from cext.tape cimport NewsList

cdef class Audit:
    cdef readonly Pipeline pipeline
    cdef readonly int32_t ix
    cdef Instrument _live
    cdef Held _held
    cdef Notices _notices       # the shadow's: nobody reads them
    cdef NewsList _news
    cdef object _was            # what would make the live book another one than it was
    cdef bint _open

    cdef void _end(self)
    cdef bint _replay(self, Instrument shadow)
