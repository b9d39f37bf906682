"""Sequence rules as data, and the one check that reads them. It answers with a verdict; its owner acts.

| a venue's rule                     | link      | seeded by | repeats       | restart                          |
|------------------------------------|-----------|-----------|---------------|----------------------------------|
| U <= id+1 <= u                     | LINK_NEXT | REST      | stale         | -                                |
| pu == id                           | LINK_PREV | REST      | stale         | -                                |
| u == id+1                          | LINK_STEP | in-band   | stale         | u == 1: the frame is a new image |
| prevSeqId == id                    | LINK_PREV | in-band   | by link alone | seqId < prevSeqId is legal       |
| no ids at all (old recordings)     | LINK_NONE | in-band   | -             | -                                |

Which market has which rule is a row in p9/venues.
"""

from libc.stdint cimport int64_t

from cext.events cimport Event

cdef enum Link:
    LINK_NONE       # nothing to check: only an image before changes
    LINK_NEXT       # first_id <= id + 1 <= last_id
    LINK_PREV       # prev_id == id
    LINK_STEP       # last_id == id + 1

cdef enum Verdict:
    VERDICT_APPLY
    VERDICT_REPLACE     # a full image: load it
    VERDICT_KEEPALIVE   # nothing changed, the chain holds
    VERDICT_STALE       # already in the book: drop
    VERDICT_UNSEEDED    # no image yet: hold it (REST) or drop it (in-band)
    VERDICT_TOO_OLD     # the image is older than the changes we hold: fetch another
    VERDICT_GAP

cdef struct SequenceRule:
    Link link
    bint rest_seeded        # the image comes by REST and must be bridged; else it comes in the stream
    bint repeats_are_stale  # last_id <= id is dropped; False where ids may legally fall
    int64_t restart_id      # a change with this last_id is a new image; NO_ID where there is none

cdef struct Sequence:
    SequenceRule rule
    int64_t id              # of the last applied event
    bint seeded             # an image was loaded
    bint bridged            # REST: the first change after the image was applied

cdef Verdict sequence_check(Sequence* s, const Event* event) noexcept nogil
cdef void sequence_reset(Sequence* s) noexcept nogil
