"""Venue symbol -> instrument index and scales, for one pipeline: an open-addressed table over the venue's own bytes."""

from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy

from cext.decimal cimport MAX_SCALE


cdef inline uint32_t _hash(const char* name, Py_ssize_t size) noexcept nogil:
    cdef uint32_t h = 2166136261
    cdef Py_ssize_t i
    for i in range(size):
        h = (h ^ <unsigned char>name[i]) * 16777619
    return h


cdef class Symbols:
    """The instruments of one pipeline by the names that the venue uses for them (aliases where it uses several)."""

    def __cinit__(self):
        self._max_names = 64
        self._names = <_Name*>calloc(self._max_names, sizeof(_Name))
        if self._names == NULL:
            raise MemoryError
        self._blank(self._names, self._max_names)

    def __dealloc__(self):
        cdef int32_t i
        for i in range(self.n):
            free(self._rows[i])
        free(self._rows)
        free(self._names)
        free(self._text)

    cdef void _blank(self, _Name* names, int32_t n) noexcept nogil:
        cdef int32_t i
        for i in range(n):
            names[i].ix = -1

    cdef int32_t find(self, const char* name, Py_ssize_t size) noexcept nogil:
        """The index of the instrument called `name`, or -1."""
        cdef uint32_t h = _hash(name, size)
        cdef int32_t mask = self._max_names - 1
        cdef int32_t at = <int32_t>(h & <uint32_t>mask)
        while self._names[at].ix >= 0:
            if self._names[at].hash == h and self._names[at].size == size \
                    and memcmp(self._text + self._names[at].offset, name, size) == 0:
                return self._names[at].ix
            at = (at + 1) & mask
        return -1

    cdef Symbol* row(self, int32_t ix) noexcept nogil:
        return self._rows[ix]

    cpdef int32_t add(self, bytes venue_symbol, int32_t px_scale, int32_t qty_scale, int64_t tick=1,
                      Contract contract=CONTRACT_BASE, int64_t contract_value=1, int32_t contract_value_scale=0) except -1:
        """A new instrument; its index. Raises ValueError for a name that is taken or a scale outside 0..18."""
        cdef Symbol* row
        cdef Symbol** rows
        if not (0 <= px_scale <= MAX_SCALE and 0 <= qty_scale <= MAX_SCALE and 0 <= contract_value_scale <= MAX_SCALE):
            raise ValueError(f"{venue_symbol!r}: a scale is outside 0..{MAX_SCALE}")
        if tick < 1 or contract_value < 1:
            raise ValueError(f"{venue_symbol!r}: tick and contract value must be positive")
        if self.find(venue_symbol, len(venue_symbol)) >= 0:
            raise ValueError(f"{venue_symbol!r} is already known")
        row = <Symbol*>malloc(sizeof(Symbol))
        rows = <Symbol**>realloc(self._rows, (self.n + 1) * sizeof(Symbol*))
        if rows != NULL:
            self._rows = rows
        if row == NULL or rows == NULL:
            free(row)
            raise MemoryError
        row.ix = self.n
        row.px_scale = px_scale
        row.qty_scale = qty_scale
        row.tick = tick
        row.contract = contract
        row.contract_value = contract_value
        row.contract_value_scale = contract_value_scale
        self._rows[self.n] = row
        self.n += 1
        self.alias(venue_symbol, row.ix)
        return row.ix

    cpdef alias(self, bytes name, int32_t ix):
        """One more name for instrument `ix`. Raises ValueError if it belongs to another one."""
        cdef _Name* grown
        cdef char* text
        cdef int32_t i, known = self.find(name, len(name))
        if known >= 0:
            if known != ix:
                raise ValueError(f"{name!r} already names another instrument")
            return
        if not name or not 0 <= ix < self.n:
            raise ValueError(f"{name!r}: no such instrument {ix}")
        if 2 * (self._n_names + 1) > self._max_names:
            grown = <_Name*>calloc(2 * self._max_names, sizeof(_Name))
            if grown == NULL:
                raise MemoryError
            self._blank(grown, 2 * self._max_names)
            for i in range(self._max_names):
                if self._names[i].ix >= 0:
                    self._place(grown, 2 * self._max_names, self._names[i])
            free(self._names)
            self._names = grown
            self._max_names *= 2
        text = <char*>realloc(self._text, self._n_text + len(name))
        if text == NULL:
            raise MemoryError
        self._text = text
        memcpy(text + self._n_text, <const char*>name, len(name))
        cdef _Name entry
        entry.hash = _hash(name, len(name))
        entry.ix = ix
        entry.size = <int32_t>len(name)
        entry.offset = self._n_text
        self._n_text += <int32_t>len(name)
        self._n_names += 1
        self._place(self._names, self._max_names, entry)

    cdef void _place(self, _Name* names, int32_t n, _Name entry) noexcept nogil:
        cdef int32_t at = <int32_t>(entry.hash & <uint32_t>(n - 1))
        while names[at].ix >= 0:
            at = (at + 1) & (n - 1)
        names[at] = entry

    def index(self, bytes name):
        """The index of the instrument called `name`. Raises KeyError."""
        cdef int32_t ix = self.find(name, len(name))
        if ix < 0:
            raise KeyError(name)
        return ix
