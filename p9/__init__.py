"""P9-MicroStream: market data from the venues, exact and confirmed, on the bus."""

__version__ = "0.1.0"
