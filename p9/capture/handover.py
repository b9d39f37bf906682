"""Facts that a venue tells beside its hot topics, and that a stream of the hot path wants: handed over to it."""

from collections.abc import Iterable
from typing import Any

from cext.pipeline import Pipeline
from cext.streams.stop_triggers import StopTriggers

from p9.fact import Block, OpenInterest


def hand_over(pipeline: Pipeline, facts: Iterable[Any], recv_ns: int) -> int:
    """Open interest to who infers stops from it, negotiated trades to who publishes them. How many of these do not fit their instrument."""
    refused = 0
    for fact in facts:
        if not isinstance(fact, Block | OpenInterest):
            continue
        try:
            ix = pipeline.normalizer.symbols.index(fact.venue_symbol.encode())
        except KeyError:
            continue
        if isinstance(fact, Block):
            refused += not pipeline.block(ix, fact.id, fact.price, fact.quantity, fact.side, fact.at_ns, recv_ns)
        elif isinstance(fact.contracts, str):
            for stream in pipeline.streams(ix):
                if isinstance(stream, StopTriggers):
                    stream.open_interest(float(fact.contracts), fact.at_ns if fact.at_ns is not None else recv_ns)
    return refused
