"""Stored snapshots: how they come to disk and into Redis, and how they are found again. docs/snapshots.md is the format."""
