"""What somebody looks at, against a list that has the same bound; and that looking changes nothing that is published."""

from cext.clock import Clock
from cext.outbox import Outbox
from cext.tap import Tap
from hypothesis import given
from hypothesis import strategies as st

from tests.cext.model_redis import HIGH, LOW, ModelRedis, channel_of, exchange, outbox_at

SIZE = 4  # bytes before each payload


class Model:
    """Whatever does not fit pushes out all that is kept."""

    def __init__(self, capacity, newest):
        self.capacity, self.newest, self.kept, self.missed = capacity, newest, [], 0

    def feed(self, payload):
        if self.newest or sum(SIZE + len(each) for each in [*self.kept, payload]) > self.capacity:
            self.missed += len(self.kept)
            self.kept = []
        if SIZE + len(payload) > self.capacity:
            self.missed += 1
        else:
            self.kept.append(payload)


@given(capacity=st.integers(0, 3000), newest=st.booleans(), steps=st.lists(st.none() | st.binary(max_size=400), max_size=60))
def test_a_tap_keeps_what_its_bound_allows_and_counts_the_rest(capacity, newest, steps):
    tap, model, seen, taken = Tap(capacity, newest), Model(capacity, newest), 0, 0
    for payload in steps:
        if payload is None:
            kept = tap.take()
            assert kept == model.kept
            taken, model.kept = taken + len(kept), []
        else:
            tap.feed(payload)
            model.feed(payload)
            seen += 1
    rest = tap.take()
    assert rest == model.kept and tap.take() == []
    assert (tap.n_seen, tap.n_missed) == (seen, model.missed) and seen == taken + len(rest) + model.missed


def publish_some(look):
    """What Redis has after some trades and best prices, with or without somebody who looks."""
    outbox, redis = outbox_at(), ModelRedis()
    trades, best = channel_of(outbox), channel_of(outbox, "book_ticker", LOW, keeps_last=True)
    taps = [Tap(), Tap(newest=True)]
    if look:
        outbox.look(trades, taps[0])
        outbox.look(best, taps[1])
    for n in range(5):
        outbox.emit(trades, b'{"price":"%d"}' % n)
        outbox.emit(best, b'{"bid_price":"%d"}' % n)
        if n % 2:
            exchange(outbox, redis, 0)
            exchange(outbox, redis, 1)
    exchange(outbox, redis, 0)
    exchange(outbox, redis, 1)
    return redis, taps


def test_who_looks_sees_what_is_published_and_changes_nothing():
    seen, (trades, best) = publish_some(look=True)
    unseen, blind = publish_some(look=False)
    assert seen.published == unseen.published and seen.streams == unseen.streams and seen.values == unseen.values
    assert trades.take() == [payload for name, payload in seen.published if name == b"trades:venue:BTC-USDT"]
    assert best.take() == [seen.values[b"last:{book_ticker:venue:BTC-USDT}"]] and best.n_seen == 3  # the others were conflated
    assert [tap.n_seen for tap in blind] == [0, 0]


def test_what_a_redis_that_is_away_delays_is_seen_at_once():
    outbox = Outbox(Clock(1_700_000_000_000_000_000), epoch=1, items=(2, 2, 0, 2))
    channel, tap = channel_of(outbox, cls=HIGH), Tap()
    outbox.look(channel, tap)
    for n in range(5):
        outbox.emit(channel, b'{"price":"%d"}' % n)
    assert outbox.stats()["classes"]["HIGH"]["shed"] == 3 and len(tap.take()) == 5
    outbox.look(channel, None)
    outbox.emit(channel, b'{"price":"9"}')
    assert tap.take() == [] and channel.tap is None
    assert (channel.type, channel.exchange, channel.symbol, channel.timeframe) == ("trades", "venue", "BTC-USDT", "") and outbox.channels() == [channel]
