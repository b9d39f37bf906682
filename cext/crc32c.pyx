"""CRC-32C (Castagnoli, RFC 3720): by the processor's own instruction where it has one, else by table.

In C and here, not from a library: it is called once a record without the interpreter, and a call through Python would cost several times the sum.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    #include <stdint.h>
    #include <stddef.h>
    #if defined(__GNUC__) && defined(__x86_64__)
    #define P9_CRC_INSTRUCTION 1
    __attribute__((target("sse4.2"))) static uint32_t p9_crc_8(uint32_t crc, uint64_t word) {
        return (uint32_t)__builtin_ia32_crc32di(crc, word);
    }
    static int p9_has_crc(void) { return __builtin_cpu_supports("sse4.2"); }
    #elif defined(__GNUC__) && defined(__ARM_FEATURE_CRC32)
    #include <arm_acle.h>
    static uint32_t p9_crc_8(uint32_t crc, uint64_t word) { return __crc32cd(crc, word); }
    static int p9_has_crc(void) { return 1; }
    #else
    static uint32_t p9_crc_8(uint32_t crc, uint64_t word) { (void)word; return crc; }
    static int p9_has_crc(void) { return 0; }
    #endif
    """
    uint32_t p9_crc_8(uint32_t crc, uint64_t word) noexcept nogil
    bint p9_has_crc() noexcept nogil

cdef uint32_t _TABLE[256]
cdef bint _has_instruction = p9_has_crc()


cdef void _make_table() noexcept nogil:
    """The reflected polynomial 0x82F63B78."""
    cdef uint32_t i, entry
    cdef int _bit
    for i in range(256):
        entry = i
        for _bit in range(8):
            entry = (entry >> 1) ^ (<uint32_t>0x82F63B78 if entry & 1 else 0)
        _TABLE[i] = entry


_make_table()


cdef uint32_t crc32c(uint32_t crc, const char* at, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t i = 0
    cdef uint64_t word
    crc = ~crc
    if _has_instruction:
        while i + 8 <= size:
            memcpy(&word, at + i, 8)
            crc = p9_crc_8(crc, word)
            i += 8
    while i < size:
        crc = _TABLE[(crc ^ <unsigned char>at[i]) & 0xFF] ^ (crc >> 8)
        i += 1
    return ~crc


def checksum(bytes data not None, *, bint by_table=False):
    """Of `data`, for tests: `by_table` as a processor without the instruction finds it."""
    global _has_instruction
    cdef bint had = _has_instruction
    cdef uint32_t crc
    _has_instruction = had and not by_table
    crc = crc32c(0, data, len(data))
    _has_instruction = had
    return crc
