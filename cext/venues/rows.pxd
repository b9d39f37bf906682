"""What the rows of one frame come to together: a row of a stranger or of an unknown word is left out, any other trouble refuses the frame."""

from cext.cursor cimport Cursor
from cext.events cimport (
    OUTCOME_EVENTS, OUTCOME_MALFORMED, OUTCOME_UNKNOWN_ENUM, OUTCOME_UNKNOWN_SYMBOL, Batch, Outcome,
)


cdef inline bint row_refuses(Outcome outcome, Batch* batch, bint* strangers) noexcept nogil:
    """Whether the frame is what this row's outcome says; otherwise the next row may be read."""
    if outcome == OUTCOME_UNKNOWN_SYMBOL:
        strangers[0] = True
    elif outcome == OUTCOME_UNKNOWN_ENUM:
        batch.unknown_enums += 1
    else:
        return outcome != OUTCOME_EVENTS
    return False


cdef inline Outcome rows_outcome(const Cursor* c, const Batch* batch, bint strangers) noexcept nogil:
    """Of the frame, behind its last row: what was left out is its outcome only where nothing else was in it."""
    if c.bad:
        return OUTCOME_MALFORMED
    if batch.n_events == 0 and batch.unknown_enums > 0:
        return OUTCOME_UNKNOWN_ENUM
    if batch.n_events == 0 and strangers:
        return OUTCOME_UNKNOWN_SYMBOL
    return OUTCOME_EVENTS
