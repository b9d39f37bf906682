"""What scores are made of: formulas of the literature as running sums in plain C. Time and numbers are handed in; nothing here publishes."""
