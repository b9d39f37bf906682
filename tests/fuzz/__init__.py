"""Hostile bytes through the compiled code: `python -m tests.fuzz`, under the sanitizers `make fuzz`."""
