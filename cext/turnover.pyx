"""What was traded, exactly: the venue's native amount and its counter value."""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint64_t

from cext.decimal cimport MAX_BEFORE, MAX_SCALE, POW10
from cext.symbols cimport CONTRACT_BASE, CONTRACT_INVERSE, CONTRACT_LINEAR, Symbol
from cext.units cimport px_t, qty_t
from cext.wide cimport (
    Wide, wide_add, wide_divide, wide_double, wide_negated, wide_of, wide_product, wide_ratio, wide_scaled,
)
from cext.writer cimport Writer, put_bytes, put_decimal, put_wide

cdef enum:
    STEP_PLACES = FINE_PLACES - BASE_PLACES
    MAX_WIDE_SCALE = 38     # of a text


cdef void turnover_clear(Turnover* t) noexcept nogil:
    t.native = wide_of(0)
    t.cross = wide_of(0)


cdef bint _whole_base(const Symbol* symbol, px_t px, qty_t qty, int64_t* whole, int64_t* left, int64_t* by) noexcept nogil:
    """Base coins of `qty` inverse contracts at `px`, qty * contract_value / px: `whole` at BASE_PLACES, and a rest of left / by, 0 <= left < by."""
    cdef Wide value = wide_product(qty, symbol.contract_value)
    # value has qty_scale + contract_value_scale decimals and px has px_scale: what is missing up to BASE_PLACES
    cdef int32_t shift = BASE_PLACES + symbol.px_scale - symbol.qty_scale - symbol.contract_value_scale
    cdef int32_t step
    if px <= 0:
        return False
    by[0] = px
    while shift > 0:
        step = shift if shift < MAX_SCALE else MAX_SCALE
        if not wide_scaled(&value, POW10[step]):
            return False
        shift -= step
    if shift < 0:
        if shift < -MAX_SCALE or px > MAX_BEFORE[-shift]:
            return False
        by[0] = px * POW10[-shift]
    if value.high == 0 and value.low <= <uint64_t>INT64_MAX:
        whole[0] = <int64_t>value.low // by[0]
    elif not wide_divide(value, by[0], whole):
        return False
    # modulo 2**64: what is left is less than `by` and fits
    left[0] = <int64_t>(value.low - <uint64_t>whole[0] * <uint64_t>by[0])
    if left[0] < 0:  # the quotient was rounded up
        whole[0] -= 1
        left[0] += by[0]
    return True


cdef bint _fine_base(const Symbol* symbol, px_t px, qty_t qty, Wide* fine) noexcept nogil:
    """Base coins of inverse contracts at FINE_PLACES, cut there: long division, as many digits at a time as 64 bits hold."""
    cdef int64_t whole, left, by
    cdef int64_t fraction = 0
    cdef int32_t wanted = STEP_PLACES
    cdef int32_t digits = MAX_SCALE
    cdef int64_t part
    if not _whole_base(symbol, px, qty, &whole, &left, &by):
        return False
    while digits > 0 and by > MAX_BEFORE[digits]:
        digits -= 1
    if digits == 0:
        return False
    while wanted > 0:
        if digits > wanted:
            digits = wanted
        left *= POW10[digits]
        part = left // by
        left -= part * by
        fraction = fraction * POW10[digits] + part
        wanted -= digits
    fine[0] = wide_product(whole, POW10[STEP_PLACES])
    return wide_add(fine, wide_of(fraction))


cdef bint turnover_add(Turnover* t, const Symbol* symbol, px_t px, qty_t qty) noexcept nogil:
    """Add one trade. False if a sum would not fit; then nothing was added."""
    cdef Wide cross
    cdef Wide native = t.native
    if symbol.contract == CONTRACT_INVERSE:
        if not _fine_base(symbol, px, qty, &cross):
            return False
    else:
        cross = wide_product(px, qty)
    if not wide_add(&native, wide_of(qty)) or not wide_add(&t.cross, cross):
        return False
    t.native = native
    return True


cdef bint turnover_merge(Turnover* t, const Turnover* other) noexcept nogil:
    """Add another turnover of the same instrument. False if a sum would not fit; then nothing was added."""
    cdef Wide native = t.native
    if not wide_add(&native, other.native) or not wide_add(&t.cross, other.cross):
        return False
    t.native = native
    return True


cdef void turnover_negate(Turnover* t) noexcept nogil:
    t.native = wide_negated(t.native)
    t.cross = wide_negated(t.cross)


cdef bint turnover_rescale(Turnover* t, const Symbol* symbol, int64_t px_factor, int64_t qty_factor) noexcept nogil:
    """The instrument's scales grew by these powers of ten. False if a sum would not fit; then nothing was changed."""
    cdef Turnover grown = t[0]
    if not wide_scaled(&grown.native, qty_factor):
        return False
    if symbol.contract != CONTRACT_INVERSE:
        if not wide_scaled(&grown.cross, px_factor) or not wide_scaled(&grown.cross, qty_factor):
            return False
    t[0] = grown
    return True


cdef inline double _contract_value(const Symbol* symbol) noexcept nogil:
    return <double>symbol.contract_value / <double>POW10[symbol.contract_value_scale]


cdef double turnover_base(const Symbol* symbol, const Turnover* t) noexcept nogil:
    if symbol.contract == CONTRACT_INVERSE:
        return wide_double(t.cross, FINE_PLACES)
    return wide_double(t.native, symbol.qty_scale) * (_contract_value(symbol) if symbol.contract == CONTRACT_LINEAR else 1.0)


cdef double turnover_quote(const Symbol* symbol, const Turnover* t) noexcept nogil:
    if symbol.contract == CONTRACT_INVERSE:
        return wide_double(t.native, symbol.qty_scale) * _contract_value(symbol)
    return wide_double(t.cross, symbol.px_scale + symbol.qty_scale) * (_contract_value(symbol) if symbol.contract == CONTRACT_LINEAR else 1.0)


cdef inline void _put_null(Writer* w) noexcept nogil:
    put_bytes(w, b"null", 4)


cdef void _put_valued(Writer* w, const Symbol* symbol, Wide amount, int32_t scale) noexcept nogil:
    """`amount`, at `scale`, times the contract's value."""
    scale += symbol.contract_value_scale
    if scale <= MAX_WIDE_SCALE and wide_scaled(&amount, symbol.contract_value):
        put_wide(w, amount, scale)
    else:
        _put_null(w)


cdef void put_base(Writer* w, const Symbol* symbol, const Turnover* t) noexcept nogil:
    """In base coins, a quoted decimal: exact, except for inverse contracts (half-even to BASE_PLACES). null if it does not fit."""
    cdef int64_t coins
    if symbol.contract == CONTRACT_BASE:
        put_wide(w, t.native, symbol.qty_scale)
    elif symbol.contract == CONTRACT_LINEAR:
        _put_valued(w, symbol, t.native, symbol.qty_scale)
    elif wide_divide(t.cross, POW10[STEP_PLACES], &coins):
        put_decimal(w, coins, BASE_PLACES)
    else:
        _put_null(w)


cdef void put_quote(Writer* w, const Symbol* symbol, const Turnover* t) noexcept nogil:
    """In quote coins, a quoted decimal, exact. null if it does not fit."""
    if symbol.contract == CONTRACT_BASE:
        put_wide(w, t.cross, symbol.px_scale + symbol.qty_scale)
    elif symbol.contract == CONTRACT_LINEAR:
        _put_valued(w, symbol, t.cross, symbol.px_scale + symbol.qty_scale)
    else:
        _put_valued(w, symbol, t.native, symbol.qty_scale)


cdef void put_contracts(Writer* w, const Symbol* symbol, const Turnover* t) noexcept nogil:
    """As the venue counts them, a quoted decimal, exact."""
    put_wide(w, t.native, symbol.qty_scale)


cdef void put_quantity(Writer* w, const Symbol* symbol, px_t px, qty_t qty) noexcept nogil:
    """One native amount in base coins; `px` is where an inverse contract is converted."""
    cdef int64_t whole, left, by
    if symbol.contract == CONTRACT_BASE:
        put_decimal(w, qty, symbol.qty_scale)
    elif symbol.contract == CONTRACT_LINEAR:
        _put_valued(w, symbol, wide_of(qty), symbol.qty_scale)
    elif _whole_base(symbol, px, qty, &whole, &left, &by) and whole < INT64_MAX:
        if left > by - left or (left == by - left and whole % 2 == 1):
            whole += 1
        put_decimal(w, whole, BASE_PLACES)
    else:
        _put_null(w)


cdef void put_notional(Writer* w, const Symbol* symbol, px_t px, qty_t qty) noexcept nogil:
    """One native amount at `px` in quote coins, exact."""
    if symbol.contract == CONTRACT_INVERSE:
        _put_valued(w, symbol, wide_of(qty), symbol.qty_scale)
    else:
        _put_valued(w, symbol, wide_product(px, qty), symbol.px_scale + symbol.qty_scale)


cdef void put_unit(Writer* w, const Symbol* symbol) noexcept nogil:
    """The fields that say what a native amount counts; nothing where it counts base coins."""
    if symbol.contract == CONTRACT_BASE:
        return
    put_bytes(w, b',"contract_value":', 18)
    put_decimal(w, symbol.contract_value, symbol.contract_value_scale)
    if symbol.contract == CONTRACT_LINEAR:
        put_bytes(w, b',"contract_unit":"base"', 23)
    else:
        put_bytes(w, b',"contract_unit":"quote"', 24)


cdef void put_amount(Writer* w, const Symbol* symbol, px_t px, qty_t qty) noexcept nogil:
    """The fields of one native amount at `px`: quantity, quote_quantity, and where it counts contracts how many, and what they are."""
    put_bytes(w, b',"quantity":', 12)
    put_quantity(w, symbol, px, qty)
    put_bytes(w, b',"quote_quantity":', 18)
    put_notional(w, symbol, px, qty)
    if symbol.contract != CONTRACT_BASE:
        put_bytes(w, b',"contracts":', 13)
        put_decimal(w, qty, symbol.qty_scale)
        put_unit(w, symbol)


cdef void put_amounts(Writer* w, const Symbol* symbol, const Turnover* t) noexcept nogil:
    """The same fields of a sum."""
    put_bytes(w, b',"quantity":', 12)
    put_base(w, symbol, t)
    put_bytes(w, b',"quote_quantity":', 18)
    put_quote(w, symbol, t)
    if symbol.contract != CONTRACT_BASE:
        put_bytes(w, b',"contracts":', 13)
        put_contracts(w, symbol, t)
        put_unit(w, symbol)


cdef int32_t mean_places(const Symbol* symbol) noexcept nogil:
    """Decimals of a mean price: four finer than the tick. It stays when the instrument is rescaled, as the tick's text does."""
    cdef px_t tick = symbol.tick
    cdef int32_t places = symbol.px_scale
    while places > 0 and tick % 10 == 0:
        tick //= 10
        places -= 1
    return places + 4 if places + 4 < MAX_SCALE else MAX_SCALE


cdef void put_mean(Writer* w, Wide num, Wide den, int32_t shift, int32_t places) noexcept nogil:
    """num / den * 10**-shift, half-even to `places` decimals or as many fewer as fit; null for 0 / 0 and the like.

    `shift`: decimals of num less those of den.
    """
    cdef Wide from_num, by
    cdef int64_t mean
    cdef int32_t more
    while places >= 0:
        from_num = num
        by = den
        more = places - shift
        if more > MAX_SCALE:
            if more > 2 * MAX_SCALE or not wide_scaled(&from_num, POW10[more - MAX_SCALE]):
                places -= 1
                continue
            more = MAX_SCALE
        if more < 0:
            if more < -MAX_SCALE or not wide_scaled(&by, POW10[-more]):
                break
            more = 0
        if wide_ratio(from_num, by, more, &mean):
            put_decimal(w, mean, places)
            return
        places -= 1
    _put_null(w)


cdef void put_vwap(Writer* w, const Symbol* symbol, const Turnover* t) noexcept nogil:
    """Quote amount / base amount, half-even; the contract's value cancels out of a linear one. null where nothing was traded."""
    cdef Wide quote = t.native
    cdef int64_t coins
    cdef int32_t fewer = 0
    if symbol.contract != CONTRACT_INVERSE:
        put_mean(w, t.cross, t.native, symbol.px_scale, mean_places(symbol))
        return
    # 64 bits of the divisor are more than a mean's digits, and leave the dividend the room it needs
    while fewer < MAX_SCALE and POW10[fewer] <= t.cross.high:
        fewer += 1
    while fewer < MAX_SCALE and not wide_divide(t.cross, POW10[fewer], &coins):
        fewer += 1
    if fewer < MAX_SCALE and wide_scaled(&quote, symbol.contract_value):
        put_mean(w, quote, wide_of(coins), symbol.qty_scale + symbol.contract_value_scale - FINE_PLACES + fewer, mean_places(symbol))
    else:
        _put_null(w)
