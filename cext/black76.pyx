"""Black's formula (1976): price, greeks, and the volatility that a price implies.

Everything is built on the normalised premium of the option that is out of the money, b(x, s) with x = -|ln(F/K)| and s = vol * sqrt(years): the one in the
money is worth its intrinsic value more. What cannot be answered is NaN.
"""

from libc.math cimport NAN, erfc, exp, fabs, isfinite, log, sqrt

cdef double SQRT_HALF = 0.70710678118654752440
cdef double DENSITY = 0.39894228040143267794   # of the standard normal at 0
cdef double DAYS = 365.0

cdef enum:
    MOST_STEPS = 64     # six or seven are the rule


cdef inline double normal(double z) noexcept nogil:
    return 0.5 * erfc(-z * SQRT_HALF)


cdef inline double density(double z) noexcept nogil:
    return DENSITY * exp(-0.5 * z * z)


cdef inline bint usable(double forward, double strike, double years) noexcept nogil:
    return forward > 0 and strike > 0 and years >= 0 and isfinite(forward) and isfinite(strike) and isfinite(years)


cdef inline double d1_of(double forward, double strike, double s) noexcept nogil:
    return log(forward / strike) / s + 0.5 * s


cdef inline double premium_of(double x, double s) noexcept nogil:
    """b(x, s) for x <= 0, in units of sqrt(forward * strike)."""
    cdef double b
    if s <= 0:
        return 0
    b = 0.5 * (exp(0.5 * x) * erfc(-(x / s + 0.5 * s) * SQRT_HALF) - exp(-0.5 * x) * erfc(-(x / s - 0.5 * s) * SQRT_HALF))
    return b if b > 0 else 0


cdef inline double intrinsic(double forward, double strike, bint call) noexcept nogil:
    cdef double value = forward - strike if call else strike - forward
    return value if value > 0 else 0


cpdef double price(double forward, double strike, double vol, double years, bint call, double discount=1.0) noexcept nogil:
    """What the option is worth today; `discount` is today's worth of one at its expiry."""
    if not usable(forward, strike, years) or not vol >= 0:
        return NAN
    return discount * (intrinsic(forward, strike, call) + sqrt(forward * strike) * premium_of(-fabs(log(forward / strike)), vol * sqrt(years)))


cpdef double delta(double forward, double strike, double vol, double years, bint call) noexcept nogil:
    cdef double s = vol * sqrt(years)
    cdef double d1
    if not usable(forward, strike, years) or not vol >= 0:
        return NAN
    if s == 0:
        return (1.0 if forward > strike else 0.0) if call else (-1.0 if forward < strike else 0.0)
    d1 = d1_of(forward, strike, s)
    return normal(d1) if call else -normal(-d1)


cpdef double gamma(double forward, double strike, double vol, double years) noexcept nogil:
    cdef double s = vol * sqrt(years)
    if not usable(forward, strike, years) or not s > 0:
        return NAN
    return density(d1_of(forward, strike, s)) / (forward * s)


cpdef double vega(double forward, double strike, double vol, double years, double discount=1.0) noexcept nogil:
    cdef double s = vol * sqrt(years)
    if not usable(forward, strike, years) or not s > 0:
        return NAN
    return 0.01 * discount * forward * density(d1_of(forward, strike, s)) * sqrt(years)


cpdef double theta(double forward, double strike, double vol, double years, bint call, double rate=0.0) noexcept nogil:
    """What a day takes: the volatility's part, and what the premium earns at `rate` a year."""
    cdef double s = vol * sqrt(years)
    cdef double discount = exp(-rate * years)
    cdef double decay
    if not usable(forward, strike, years) or not s > 0:
        return NAN
    decay = discount * forward * density(d1_of(forward, strike, s)) * vol / (2 * sqrt(years))
    return (rate * price(forward, strike, vol, years, call, discount) - decay) / DAYS


cpdef double implied_vol(double premium, double forward, double strike, double years, bint call, double discount=1.0) noexcept nogil:
    """The volatility at which `price` is `premium`; NaN where there is none: not above the intrinsic value, or not below the most it can be worth.

    ln b(x, s) is increasing and concave in s: b's derivative exp(-x*x/(2*s*s) - s*s/8) is log-concave, and so is the integral of such a function. A tangent
    lies above it, so a step of Newton's never passes the root from below, and one from above lands below: it converges from wherever it begins.
    """
    cdef double root = sqrt(forward * strike)
    cdef double x, target, s, b, step, slope
    cdef int _step
    if not usable(forward, strike, years) or not years > 0 or not discount > 0 or not isfinite(premium):
        return NAN
    x = -fabs(log(forward / strike))
    target = premium / discount - intrinsic(forward, strike, call)
    if not 0 < target < (forward if forward < strike else strike):
        return NAN
    target /= root
    s = target / DENSITY                        # b <= s * density: never above the root
    if x < 0 and target < 0.5:
        step = -x / sqrt(-2 * log(target))      # from b ~ exp(-x*x/(2*s*s)): far better in the wings
        s = step if step > s else s
    for _step in range(MOST_STEPS):
        b = premium_of(x, s)
        if b <= 0:                              # so far below the root that nothing is left of it
            s *= 1.5
            continue
        slope = DENSITY * exp(-0.5 * (x / s) * (x / s) - 0.125 * s * s)
        if slope <= 0:                          # so far above it that nothing changes any more
            s *= 0.5
            continue
        step = b * log(target / b) / slope
        if s + step <= 0.25 * s:
            s *= 0.25
            continue
        s += step
        if fabs(step) <= 1e-14 * s:
            break
    return s / sqrt(years)
