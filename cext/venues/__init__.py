"""Decoders, one file a venue: bytes to events."""
