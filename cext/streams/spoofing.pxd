"""Spoof-like patterns of one instrument; `last` is the newest one that was judged, for other hot code."""

from libc.stdint cimport int64_t

from cext.channel cimport Channel
from cext.measures.postings cimport Posting, Postings
from cext.measures.survey cimport Survey
from cext.names cimport Names
from cext.stream cimport Stream
from cext.streams.liquidity cimport Liquidity
from cext.units cimport ns_t

cdef class Spoofing(Stream):
    cdef readonly Names names
    cdef readonly str word
    cdef readonly Channel channel
    cdef Postings postings
    cdef Posting last
    cdef readonly int64_t n_told
    cdef Liquidity _liquidity       # None: how far the depth has shifted is not said
    cdef Survey _survey
    cdef bint _synced

    cdef double _unit(self) noexcept nogil
    cdef void _tell(self, const Posting* row, ns_t now_ns) noexcept nogil
