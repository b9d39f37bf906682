"""Redis's answers (RESP2) out of the bytes of a connection, one at a time."""

from libc.string cimport memchr, memcmp, memmove

from cext.cursor cimport View, view_int
from cext.writer cimport put_bytes, writer_free, writer_init

cdef enum:
    MAX_REPLY_BYTES = 1048576   # our commands are answered with words, numbers and ids: more is not Redis


cdef bint replies_init(Replies* r) noexcept nogil:
    r.offset = 0
    return writer_init(&r.held, 4096)


cdef void replies_free(Replies* r) noexcept nogil:
    writer_free(&r.held)


cdef void replies_clear(Replies* r) noexcept nogil:
    """A new connection: nothing of the old one's bytes is left."""
    r.held.size = 0
    r.offset = 0


cdef void replies_add(Replies* r, const char* data, Py_ssize_t size) noexcept nogil:
    if r.offset > 0:
        memmove(r.held.at, r.held.at + r.offset, r.held.size - r.offset)
        r.held.size -= r.offset
        r.offset = 0
    put_bytes(&r.held, data, size)


cdef ReplyKind broken(Reply* out) noexcept nogil:
    out.kind = REPLY_BROKEN
    return REPLY_BROKEN


cdef ReplyKind replies_next(Replies* r, Reply* out) noexcept nogil:
    """The next whole reply. Nothing is taken off an incomplete one."""
    cdef const char* at = r.held.at + r.offset
    cdef Py_ssize_t left = r.held.size - r.offset
    cdef const char* end
    cdef Py_ssize_t size
    cdef View number
    out.kind = REPLY_NONE
    out.number = 0
    if r.held.failed:
        return broken(out)
    if left < 1:
        return REPLY_NONE
    end = <const char*>memchr(at, c'\r', left)
    if end == NULL or end + 1 >= at + left:
        return broken(out) if left > MAX_REPLY_BYTES else REPLY_NONE
    if end[1] != c'\n':
        return broken(out)
    size = end + 2 - at
    out.at = at + 1
    out.size = size - 3
    if at[0] == c'+':
        out.kind = REPLY_STATUS
    elif at[0] == c'-':
        out.kind = REPLY_ERROR
    elif at[0] == c':' or at[0] == c'$' or at[0] == c'*':
        number.at = out.at
        number.size = out.size
        if not view_int(number, &out.number):
            return broken(out)
        if at[0] == c':':
            out.kind = REPLY_INTEGER
        elif out.number < 0:
            out.kind = REPLY_NIL
        elif out.number > MAX_REPLY_BYTES:
            return broken(out)
        elif at[0] == c'*':
            out.kind = REPLY_ARRAY
        else:
            out.at = at + size
            out.size = out.number
            size += out.size + 2
            if left < size:
                return REPLY_NONE
            if at[size - 2] != c'\r' or at[size - 1] != c'\n':
                return broken(out)
            out.kind = REPLY_BULK
    else:
        return broken(out)
    r.offset += size
    return out.kind


cdef struct ErrorWord:
    const char* word
    int size
    ErrorKind kind

cdef ErrorWord[17] WORDS = [
    ErrorWord(b"OOM", 3, ERROR_OOM), ErrorWord(b"LOADING", 7, ERROR_LOADING), ErrorWord(b"READONLY", 8, ERROR_READONLY),
    ErrorWord(b"MISCONF", 7, ERROR_MISCONF), ErrorWord(b"BUSY", 4, ERROR_BUSY), ErrorWord(b"MASTERDOWN", 10, ERROR_MASTERDOWN),
    ErrorWord(b"CLUSTERDOWN", 11, ERROR_CLUSTERDOWN), ErrorWord(b"TRYAGAIN", 8, ERROR_TRYAGAIN),
    ErrorWord(b"NOREPLICAS", 10, ERROR_NOREPLICAS), ErrorWord(b"MOVED", 5, ERROR_MOVED), ErrorWord(b"ASK", 3, ERROR_ASK),
    ErrorWord(b"CROSSSLOT", 9, ERROR_CROSSSLOT), ErrorWord(b"NOAUTH", 6, ERROR_NOAUTH), ErrorWord(b"NOPERM", 6, ERROR_NOPERM),
    ErrorWord(b"WRONGTYPE", 9, ERROR_WRONGTYPE), ErrorWord(b"EXECABORT", 9, ERROR_EXECABORT), ErrorWord(b"UNBLOCKED", 9, ERROR_UNBLOCKED),
]
ERROR_NAMES = {
    ERROR_OTHER: "OTHER", ERROR_SMALLER: "SMALLER",
    **{WORDS[i].kind: WORDS[i].word[:WORDS[i].size].decode() for i in range(17)},
}


cdef ErrorKind reply_error_kind(const Reply* reply) noexcept nogil:
    """By the error's first word; XADD's refusal of an id has none of its own."""
    cdef const char* smaller = b"ERR The ID specified in XADD"
    cdef int i
    for i in range(17):
        if reply.size >= WORDS[i].size and memcmp(reply.at, WORDS[i].word, WORDS[i].size) == 0 and (
                reply.size == WORDS[i].size or reply.at[WORDS[i].size] == c' '):
            return WORDS[i].kind
    if reply.size >= 28 and memcmp(reply.at, smaller, 28) == 0:
        return ERROR_SMALLER
    return ERROR_OTHER


def scan(list pieces):
    """What `pieces` of a connection's bytes say, for tests: (kind, text or number) each; ends with ("broken", None) where they are no RESP2."""
    cdef Replies r
    cdef Reply reply
    cdef bytes piece
    names = {REPLY_STATUS: "status", REPLY_BULK: "bulk"}
    found = []
    if not replies_init(&r):
        raise MemoryError
    try:
        for piece in pieces:
            replies_add(&r, piece, len(piece))
            while replies_next(&r, &reply) > REPLY_BROKEN:
                if reply.kind == REPLY_ERROR:
                    found.append((ERROR_NAMES[reply_error_kind(&reply)], reply.at[:reply.size]))
                elif reply.kind in names:
                    found.append((names[reply.kind], reply.at[:reply.size]))
                else:
                    found.append(({REPLY_INTEGER: "integer", REPLY_NIL: "nil", REPLY_ARRAY: "array"}[reply.kind], reply.number))
            if reply.kind == REPLY_BROKEN:
                found.append(("broken", None))
                break
        return found
    finally:
        replies_free(&r)
