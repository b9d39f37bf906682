"""Black's formula (1976) for options on a forward: price, greeks, and the volatility that a price implies. Doubles: what is measured here is compared
with a venue's own figures, never published as a price."""

cpdef double price(double forward, double strike, double vol, double years, bint call, double discount=*) noexcept nogil
cpdef double delta(double forward, double strike, double vol, double years, bint call) noexcept nogil     # of the forward: N(d1), of a put N(d1) - 1
cpdef double gamma(double forward, double strike, double vol, double years) noexcept nogil                # change of delta for one unit of the forward
cpdef double vega(double forward, double strike, double vol, double years, double discount=*) noexcept nogil   # for one point of volatility (0.01)
cpdef double theta(double forward, double strike, double vol, double years, bint call, double rate=*) noexcept nogil  # for one day
cpdef double implied_vol(double premium, double forward, double strike, double years, bint call, double discount=*) noexcept nogil
