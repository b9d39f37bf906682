"""Whom a TLS connection to a venue trusts: the certificates of the system, read once for all of them.

They are some 140: 0.85 MB once they are read, the first time 2 MB, and 23 ms. Left alone, every socket would read them anew, and aiohttp when it is imported.
"""

import importlib
import ssl
from functools import cache


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


def context_of(url: str) -> ssl.SSLContext | None:
    """None: it goes in the clear, and nothing is read for it."""
    return _context() if url.startswith(("https:", "wss:")) else None


def import_aiohttp() -> None:
    """Before anybody else does: the context that it makes for requests which bring none then trusts nobody. Each of ours to a venue brings its own."""
    create = ssl.create_default_context
    ssl.create_default_context = lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        importlib.import_module("aiohttp")
    finally:
        ssl.create_default_context = create
