"""Eight bytes at a time: text is compared, searched, read as numbers and written in 64-bit words, its first byte the lowest.

Nothing here knows where a buffer ends: whoever loads or stores a word has checked that eight bytes are there. A mask has the highest bit of a byte
set where the byte is what was asked for; bits above the lowest one set may be wrong (a carry runs upwards), so only that one is used.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(_MSC_VER) && !defined(__clang__)
    #include <intrin.h>
    #if defined(_M_X64) || defined(_M_ARM64)
    static __forceinline int p9_lowest_bit(uint64_t word) { unsigned long i; _BitScanForward64(&i, word); return (int)i; }
    static __forceinline int p9_highest_bit(uint64_t word) { unsigned long i; _BitScanReverse64(&i, word); return (int)i; }
    #else
    static int p9_highest_bit(uint64_t word) { int i = 0; while (word >>= 1) i++; return i; }
    static int p9_lowest_bit(uint64_t word) { return p9_highest_bit(word & (0 - word)); }
    #endif
    #else
    static inline int p9_lowest_bit(uint64_t word) { return __builtin_ctzll(word); }
    static inline int p9_highest_bit(uint64_t word) { return 63 - __builtin_clzll(word); }
    #endif

    static inline uint64_t p9_load8(const char* at) {
        uint64_t word;
        memcpy(&word, at, 8);
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
    #endif
        return word;
    }

    static inline uint64_t p9_load4(const char* at) {
        uint32_t word;
        memcpy(&word, at, 4);
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap32(word);
    #endif
        return word;
    }

    static inline void p9_store8(char* at, uint64_t word) {
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
    #endif
        memcpy(at, &word, 8);
    }

    #define P9_BYTES(b) (0x0101010101010101ULL * (unsigned char)(b))
    #define P9_TOPS 0x8080808080808080ULL
    #define P9_ZERO_BYTES(w) (((w) - P9_BYTES(1)) & ~(w) & P9_TOPS)

    static inline uint64_t p9_bytes_equal(uint64_t word, char wanted) { return P9_ZERO_BYTES(word ^ P9_BYTES(wanted)); }

    static inline uint64_t p9_string_stops(uint64_t word) {
        return P9_ZERO_BYTES(word ^ P9_BYTES('"')) | P9_ZERO_BYTES(word ^ P9_BYTES('\\\\'));
    }

    static inline uint64_t p9_not_digits(uint64_t digits) { return ((digits + P9_BYTES(0x76)) | digits) & P9_TOPS; }

    static inline uint64_t p9_digits8(uint64_t digits) {
        digits = digits * 10 + (digits >> 8);
        return (((digits & 0x000000FF000000FFULL) * 0x000F424000000064ULL) +
                (((digits >> 16) & 0x000000FF000000FFULL) * 0x0000271000000001ULL)) >> 32;
    }

    /* Halves of four digits, then pairs, then digits: each quotient is a product with the inverse, exact for all that can stand there. */
    static inline uint64_t p9_text8(uint64_t number) {
        uint64_t digits = number / 10000 | (number % 10000) << 32;
        uint64_t high = (digits * 10486 >> 20) & 0x0000007F0000007FULL;
        digits = high | (digits - high * 100) << 16;
        high = (digits * 103 >> 10) & 0x000F000F000F000FULL;
        return high | (digits - high * 10) << 8;
    }

    static inline int p9_guessed(int value, int* last) {
        if (value == *last) {
            value = *last;
    #if defined(__GNUC__)
            __asm__("" : "+r"(value));
    #endif
            return value;
        }
        return *last = value;
    }

    static const uint64_t P9_TENS[9] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    """
    int lowest_bit "p9_lowest_bit" (uint64_t word) noexcept nogil       # of a word that is not 0
    int highest_bit "p9_highest_bit" (uint64_t word) noexcept nogil     # of a word that is not 0
    uint64_t load8 "p9_load8" (const char* at) noexcept nogil
    uint64_t load4 "p9_load4" (const char* at) noexcept nogil
    uint64_t bytes_equal "p9_bytes_equal" (uint64_t word, char wanted) noexcept nogil
    uint64_t string_stops "p9_string_stops" (uint64_t word) noexcept nogil  # quotes and backslashes
    uint64_t not_digits "p9_not_digits" (uint64_t digits) noexcept nogil    # of a word from which DIGITS was taken (xor)
    uint64_t digits8 "p9_digits8" (uint64_t digits) noexcept nogil          # the number that eight digits (0..9 each) are, first the highest
    uint64_t text8 "p9_text8" (uint64_t number) noexcept nogil              # the eight digits of a number below 10**8: digits8 the other way round
    void store8 "p9_store8" (char* at, uint64_t word) noexcept nogil
    # `value`, that was mostly the same `last` time: what depends on it goes on with the old one while the new one is still being worked out,
    # so that a processor reads the rows of a table side by side where their columns are equally wide, and not each behind the one before it
    int guessed "p9_guessed" (int value, int* last) noexcept nogil
    const uint64_t TENS "P9_TENS" [9]
    const uint64_t DIGITS "0x3030303030303030ULL"
