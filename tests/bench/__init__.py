"""What is measured, and on what: `make bench`, `make bench-peers`."""
