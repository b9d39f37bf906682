"""Venue symbol -> instrument index and scales, for one pipeline: an open-addressed table over the venue's own bytes."""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy

from cext.decimal cimport MAX_SCALE
from cext.word cimport load4, load8

cdef enum:
    TWO_WORDS = 16


cdef inline _Name _name_of(const char* name, Py_ssize_t size) noexcept nogil:
    """The parts of a name that tell it from others; `ix` and `offset` are the caller's. Shorter names than a word fill it with overlapping parts."""
    cdef _Name n
    n.size = <int32_t>size
    n.tail = 0
    n.head = 0
    if size >= 8:
        n.head = load8(name)
        n.tail = load8(name + size - 8)
    elif size >= 4:
        n.head = load4(name) | load4(name + size - 4) << 32
    elif size > 0:
        n.head = <uint64_t><unsigned char>name[0] | <uint64_t><unsigned char>name[size >> 1] << 8 | <uint64_t><unsigned char>name[size - 1] << 16
    return n


cdef inline int32_t _home(const _Name* name, int32_t n) noexcept nogil:
    """Where a name is looked for first, in a table of `n` (a power of two)."""
    cdef uint64_t h = (name.head + <uint64_t>name.size) * <uint64_t>0x9E3779B97F4A7C15 ^ name.tail * <uint64_t>0xC2B2AE3D27D4EB4F
    return <int32_t>((h ^ h >> 32) * <uint64_t>0x9E3779B97F4A7C15 >> 40) & (n - 1)


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
        cdef _Name wanted = _name_of(name, size)
        cdef int32_t at = _home(&wanted, self._max_names)
        cdef const _Name* row = &self._names[at]
        while row.ix >= 0:
            if row.head == wanted.head and row.tail == wanted.tail and row.size == size \
                    and (size <= TWO_WORDS or memcmp(self._text + row.offset, name, size) == 0):
                return row.ix
            at = (at + 1) & (self._max_names - 1)
            row = &self._names[at]
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
        cdef char* text
        cdef int32_t known = self.find(name, len(name))
        if known >= 0:
            if known != ix:
                raise ValueError(f"{name!r} already names another instrument")
            return
        if not name or not 0 <= ix < self.n:
            raise ValueError(f"{name!r}: no such instrument {ix}")
        if 2 * (self._n_names + 1) > self._max_names:
            self._rebuild(2 * self._max_names, -1)
        text = <char*>realloc(self._text, self._n_text + len(name))
        if text == NULL:
            raise MemoryError
        self._text = text
        memcpy(text + self._n_text, <const char*>name, len(name))
        cdef _Name entry = _name_of(name, len(name))
        entry.ix = ix
        entry.offset = self._n_text
        self._n_text += <int32_t>len(name)
        self._n_names += 1
        self._place(self._names, self._max_names, entry)

    cpdef forget(self, int32_t ix):
        """Instrument `ix` has no name any more: another one may take it. Its row stays."""
        self._rebuild(self._max_names, ix)

    cdef int _rebuild(self, int32_t n, int32_t without) except -1:
        """The table anew, with `n` places and no name of `without`."""
        cdef _Name* names = <_Name*>calloc(n, sizeof(_Name))
        cdef int32_t i
        if names == NULL:
            raise MemoryError
        self._blank(names, n)
        self._n_names = 0
        for i in range(self._max_names):
            if self._names[i].ix >= 0 and self._names[i].ix != without:
                self._place(names, n, self._names[i])
                self._n_names += 1
        free(self._names)
        self._names = names
        self._max_names = n
        return 0

    cdef void _place(self, _Name* names, int32_t n, _Name entry) noexcept nogil:
        cdef int32_t at = _home(&entry, n)
        while names[at].ix >= 0:
            at = (at + 1) & (n - 1)
        names[at] = entry

    def index(self, bytes name):
        """The index of the instrument called `name`. Raises KeyError."""
        cdef int32_t ix = self.find(name, len(name))
        if ix < 0:
            raise KeyError(name)
        return ix
