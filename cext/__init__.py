"""The hot path: C types only, no Python object per message. It never imports p9."""
