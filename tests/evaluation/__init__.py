"""What is computed off the hot path."""
