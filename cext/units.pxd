"""The three quantities of the house. A scaled integer says nothing without its instrument's scale (symbols.pxd)."""

from libc.stdint cimport int64_t

ctypedef int64_t px_t   # price  x 10**px_scale
ctypedef int64_t qty_t  # amount x 10**qty_scale, in the venue's native unit
ctypedef int64_t ns_t   # nanoseconds since 1970-01-01 UTC; NO_TIME where there is none

cdef enum:
    NO_TIME = -1
    NO_ID = -1
