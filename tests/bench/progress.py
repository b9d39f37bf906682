"""What a section is doing, on the error stream: a bench that is silent for a minute looks like one that hangs."""

import sys


def progress(text: str) -> None:
    print(f"    {text}", file=sys.stderr, flush=True)
