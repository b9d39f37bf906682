"""What is planted in a simulated market's order flow and how much of it is found; how often real recordings alarm. `make detect`, docs/analytics.md."""
