"""What works on polled or derived data, off the hot path."""
