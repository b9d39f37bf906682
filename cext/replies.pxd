"""Redis's answers (RESP2) out of the bytes of a connection, one at a time. A reply is borrowed until the next call."""

from libc.stdint cimport int32_t, int64_t

from cext.writer cimport Writer

cdef enum ReplyKind:
    REPLY_NONE = 0      # more bytes are needed
    REPLY_BROKEN        # this is no RESP2: the connection is of no more use
    REPLY_STATUS
    REPLY_ERROR
    REPLY_INTEGER
    REPLY_BULK
    REPLY_NIL
    REPLY_ARRAY         # its elements follow as replies of their own

cdef enum ErrorKind:  # What an error reply means to us; reply_error_kind.
    ERROR_NONE = 0
    ERROR_OTHER
    ERROR_OOM
    ERROR_LOADING
    ERROR_READONLY
    ERROR_MISCONF
    ERROR_BUSY
    ERROR_MASTERDOWN
    ERROR_CLUSTERDOWN
    ERROR_TRYAGAIN
    ERROR_NOREPLICAS
    ERROR_MOVED
    ERROR_ASK
    ERROR_CROSSSLOT
    ERROR_NOAUTH
    ERROR_NOPERM
    ERROR_WRONGTYPE
    ERROR_EXECABORT
    ERROR_UNBLOCKED
    ERROR_SMALLER       # XADD: the id is not greater than the stream's last one
    N_ERRORS

cdef struct Reply:
    ReplyKind kind
    const char* at
    Py_ssize_t size
    int64_t number      # an integer's value, an array's length

cdef struct Replies:
    Writer held         # bytes of a reply that is not whole yet
    Py_ssize_t offset   # read of `held`

cdef bint replies_init(Replies* r) noexcept nogil
cdef void replies_free(Replies* r) noexcept nogil
cdef void replies_clear(Replies* r) noexcept nogil
cdef void replies_add(Replies* r, const char* data, Py_ssize_t size) noexcept nogil
cdef ReplyKind replies_next(Replies* r, Reply* out) noexcept nogil
cdef ErrorKind reply_error_kind(const Reply* reply) noexcept nogil
