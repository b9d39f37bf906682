"""Sequence rules as data, and the one check that reads them."""

from cext.events cimport EVENT_FROM_REST, EVENT_RESTART, EVENT_SNAPSHOT, Event
from cext.units cimport NO_ID


cdef void sequence_reset(Sequence* s) noexcept nogil:
    """The book is empty or wrong: only an image helps."""
    s.id = NO_ID
    s.seeded = False
    s.bridged = False


cdef Verdict sequence_check(Sequence* s, const Event* event) noexcept nogil:
    """The verdict on a depth event, and, where it is APPLY, REPLACE or KEEPALIVE, the step to its id.

    Spot (LINK_NEXT): changes up to the image's id are stale, the first one kept must cover id + 1.
    Futures (LINK_PREV, REST): the first one kept must satisfy prev_id <= id <= last_id (the venue's own test, first_id <= id <= last_id,
    is stricter by the images that fall between two changes); from then on prev_id == id.
    In-band rules need no bridge: the image is a member of the chain.
    """
    if event.kind == EVENT_SNAPSHOT or (s.rule.restart_id != NO_ID and event.last_id == s.rule.restart_id) or event.flags & EVENT_RESTART:
        s.id = event.last_id
        s.seeded = True
        s.bridged = not (event.flags & EVENT_FROM_REST)
        return VERDICT_REPLACE
    if not s.seeded:
        return VERDICT_UNSEEDED
    if s.rule.link == LINK_NONE:
        return VERDICT_APPLY
    if not s.bridged:
        if s.rule.link == LINK_PREV:
            if event.last_id < s.id:
                return VERDICT_STALE
            if event.prev_id > s.id:
                return VERDICT_TOO_OLD
        else:
            if event.last_id <= s.id:
                return VERDICT_STALE
            if event.first_id > s.id + 1:
                return VERDICT_TOO_OLD
        s.bridged = True
        s.id = event.last_id
        return VERDICT_APPLY
    if s.rule.link == LINK_PREV and event.prev_id == s.id:
        if event.last_id == event.prev_id and event.n_bids == 0 and event.n_asks == 0:
            return VERDICT_KEEPALIVE
    elif s.rule.repeats_are_stale and event.last_id <= s.id:
        return VERDICT_STALE
    elif s.rule.link == LINK_NEXT:
        if event.first_id > s.id + 1:
            return VERDICT_GAP
    elif s.rule.link == LINK_STEP:
        if event.last_id != s.id + 1:
            return VERDICT_GAP
    else:
        return VERDICT_GAP
    s.id = event.last_id
    return VERDICT_APPLY
