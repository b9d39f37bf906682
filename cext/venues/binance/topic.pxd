"""What a frame is about, told by its stream's name, or by the `e` of its event."""

from cext.cursor cimport View

cdef enum Kind:
    KIND_NONE           # not said
    KIND_UNKNOWN
    KIND_IGNORED
    KIND_CONTROL
    KIND_DEPTH          # from here on: to be read
    KIND_BBO
    KIND_TRADE
    KIND_AGG_TRADE
    KIND_FORCED
    KIND_BLOCK

cdef enum:
    STREAM_ROOM = 128   # for a stream's name written with escapes

cdef struct Stream:     # a stream's name, taken apart
    Kind kind
    View symbol         # empty where the name has none

cdef Stream stream_of(View name, char* room) noexcept nogil
cdef Kind kind_of_event(View e) noexcept nogil
