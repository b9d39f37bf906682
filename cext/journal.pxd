"""What of one delivery class goes to disk: entries in their order, numbered, each with its own checksum. Files are p9.delivery.spool's.

    on disk, in segments ............. | pending: written by the next `take`
    ordinal 0, 1, 2 ...                                    ... n_entries

An entry is HELD where the record lives on in memory (a copy, for the case that this process dies), else it lives here alone until it is read back.
Little-endian, entries at multiples of 8 bytes: after a damaged one the next is found.
"""

from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t

from cext.units cimport ns_t
from cext.writer cimport Writer

cdef enum:
    ENTRY_HELD = 1

cdef struct Entry:  # The channel's name follows it, then the payload, then zeros up to a multiple of 8.
    uint32_t magic
    uint32_t size           # of all without the zeros
    uint32_t crc            # CRC-32C of the same, taken as if this field were 0
    uint16_t name_size
    uint8_t flags
    uint8_t cls
    int64_t ordinal         # within the class, without holes
    int64_t epoch
    int64_t seq
    int64_t ms              # stream id = ms-seq
    ns_t accepted_ns
    ns_t recv_ns

cdef struct Segment:  # One file, named for its first ordinal.
    int64_t first
    int64_t end             # the first ordinal that is not in it
    int64_t n_open          # entries not at their end

cdef class Journal:
    cdef readonly int cls
    cdef readonly int64_t n_entries     # the next ordinal
    cdef readonly int64_t own_from      # what is older was written by an earlier process
    cdef readonly int64_t n_unread      # entries that live here alone
    cdef readonly int64_t unread_bytes
    cdef readonly int64_t read_from     # ordinal: what is older was read back
    cdef readonly int64_t n_damaged     # entries lost between good ones
    cdef readonly int64_t newest_epoch  # found on disk
    cdef readonly dict found            # {channel's name: [entries, newest ms]} of an earlier process
    cdef public int64_t max_pending_bytes
    cdef Writer _pending
    cdef int64_t _pending_first
    cdef int64_t _pending_open
    cdef Segment* _segments
    cdef int _n_segments
    cdef int _room

    cdef int64_t append(self, Entry* entry, const char* name, const char* payload, Py_ssize_t payload_size) noexcept nogil
    cdef void done(self, int64_t ordinal) noexcept nogil
    cdef const Entry* next_entry(self, const char* at, Py_ssize_t size, Py_ssize_t* offset) noexcept nogil
    cdef bint is_unread(self, const Entry* entry) noexcept nogil
    cdef void was_read(self, const Entry* entry) noexcept nogil
    cdef void give_up_unread(self) noexcept nogil
    cdef void is_open(self, int64_t ordinal) noexcept nogil
    cdef Segment* _segment_of(self, int64_t ordinal) noexcept nogil
    cdef bint _add_segment(self, int64_t first) noexcept nogil

cdef inline const char* entry_name(const Entry* entry) noexcept nogil:
    return <const char*>entry + sizeof(Entry)

cdef inline const char* entry_payload(const Entry* entry) noexcept nogil:
    return <const char*>entry + sizeof(Entry) + entry.name_size

cdef inline Py_ssize_t entry_payload_size(const Entry* entry) noexcept nogil:
    return entry.size - <Py_ssize_t>sizeof(Entry) - entry.name_size

cdef inline Py_ssize_t entry_room(const Entry* entry) noexcept nogil:
    """Bytes from an entry to the next one."""
    return (<Py_ssize_t>entry.size + 7) & ~7
