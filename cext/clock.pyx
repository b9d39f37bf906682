"""The one source of time: nanoseconds since 1970 UTC."""

from libc.stdint cimport int64_t

from cext.units cimport ns_t

cdef extern from *:
    """
    #include <stdint.h>
    #ifdef _WIN32
    #include <windows.h>
    static int64_t p9_system_ns(void) {
        FILETIME t;
        GetSystemTimePreciseAsFileTime(&t);  /* 100 ns ticks since 1601 */
        return ((((int64_t)t.dwHighDateTime << 32) | t.dwLowDateTime) - 116444736000000000LL) * 100;
    }
    #else
    #include <time.h>
    static int64_t p9_system_ns(void) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        return (int64_t)t.tv_sec * 1000000000LL + t.tv_nsec;
    }
    #endif
    """
    int64_t p9_system_ns() noexcept nogil


cdef class Clock:
    """`Clock()` is the system's; `Clock(at_ns)` stands still until `set` moves it."""

    def __init__(self, at_ns=None):
        self.manual = at_ns is not None
        self._at_ns = at_ns if self.manual else 0

    cdef ns_t now_ns(self) noexcept nogil:
        return self._at_ns if self.manual else p9_system_ns()

    def now(self):
        """Nanoseconds since 1970 UTC."""
        return self.now_ns()

    def set(self, ns_t at_ns):
        """Move a manual clock. Raises ValueError on the system's."""
        if not self.manual:
            raise ValueError("the system clock is not ours to set")
        self._at_ns = at_ns
