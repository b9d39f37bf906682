"""What the published signals are worth: recordings replayed, samples taken, scored, and told. Its arrays need NumPy, an extra (docs/evaluation.md)."""
