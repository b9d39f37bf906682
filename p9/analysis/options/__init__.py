"""Option chains: each strike's quotes as the venue tells them, and the volatility surface that they draw."""
