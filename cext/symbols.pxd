"""Venue symbol -> instrument index and scales, for one pipeline."""

from libc.stdint cimport int32_t, int64_t, uint64_t

from cext.units cimport px_t

cdef enum Contract:
    CONTRACT_BASE = 0   # the venue counts base coins
    CONTRACT_LINEAR     # contracts of `contract_value` base coins
    CONTRACT_INVERSE    # contracts of `contract_value` quote coins, settled in the base coin

cdef struct Symbol:
    int32_t ix
    int32_t px_scale
    int32_t qty_scale
    px_t tick                       # grid of the ladder, scaled; at least 1
    Contract contract
    int64_t contract_value          # x 10**contract_value_scale
    int32_t contract_value_scale

cdef struct _Name:
    uint64_t head                   # the first eight bytes, and the last: names of up to 16 bytes are compared by these alone
    uint64_t tail
    int32_t ix                      # -1: empty
    int32_t size
    int32_t offset                  # in _text

cdef class Symbols:
    cdef Symbol** _rows             # one allocation each: pointers to them stay good while the table grows
    cdef readonly int32_t n
    cdef _Name* _names
    cdef int32_t _n_names
    cdef int32_t _max_names         # a power of two
    cdef char* _text
    cdef int32_t _n_text

    cdef void _blank(self, _Name* names, int32_t n) noexcept nogil
    cdef void _place(self, _Name* names, int32_t n, _Name entry) noexcept nogil
    cdef int _rebuild(self, int32_t n, int32_t without) except -1

    cdef int32_t find(self, const char* name, Py_ssize_t size) noexcept nogil
    cdef Symbol* row(self, int32_t ix) noexcept nogil
    cpdef int32_t add(self, bytes venue_symbol, int32_t px_scale, int32_t qty_scale, int64_t tick=*, Contract contract=*,
                      int64_t contract_value=*, int32_t contract_value_scale=*) except -1
    cpdef alias(self, bytes name, int32_t ix)
    cpdef forget(self, int32_t ix)
