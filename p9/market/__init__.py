"""Reference data and the REST side of the venues."""
