"""CRC-32C (Castagnoli): the check of a record on disk."""

from libc.stdint cimport uint32_t

cdef uint32_t crc32c(uint32_t crc, const char* at, Py_ssize_t size) noexcept nogil  # `crc` is that of what stands before, 0 at the beginning
