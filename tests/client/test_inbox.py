"""Whatever is lost, doubled, cut or late on the way: each event once and in its channel's order, and no hole without a word."""

import json
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from p9.client import inbox as inbox_module
from p9.client.event import Event
from p9.client.inbox import Inbox
from p9.client.notice import Missed, NewEpoch, Overflow, Reconnected, Unreadable

TRADES, TICKER = "trades:venue:A-USDT", "book_ticker:venue:A-USDT"
FIELDS = {
    "trades": {"price": "1.5", "quantity": "2", "side": "buy", "buyer_is_maker": False, "trade_id": "7"},
    "book_ticker": dict.fromkeys(
        ("bid_price", "bid_quantity", "ask_price", "ask_quantity", "spread", "spread_bps", "mid", "micro_price", "imbalance", "imbalance_5", "update_id")
    ),
    "novelty": {"what": 1},
}


def payload(channel, epoch, seq, ms=0):
    kind = channel.partition(":")[0]
    envelope = {"v": 1, "type": kind, "exchange": "venue", "symbol": "A-USDT", "market": "venue_spot", "venue_symbol": "AUSDT", "epoch": epoch,
                "seq": seq, "conflated": 1, "ts_event": None, "ts_recv": None, "ts_pub": ms * 1_000_000}
    return json.dumps({**envelope, **FIELDS[kind]}).encode()


def take_all(inbox):
    items = []
    while inbox.waiting:
        items.append(inbox.pop())
    return items


def seqs(items):
    return [(item.epoch, item.seq) for item in items if isinstance(item, Event)]


def joined(**options):
    """Connected, and its `trades` were read up to now: nothing."""
    inbox = Inbox(**options)
    inbox.start_at(TRADES, (1, 0, 0))
    inbox.connected([], {})
    inbox.refill(TRADES, [], complete=True)
    return inbox


class Bus:
    """A writer, a stream for `trades`, none for `book_ticker`, and a wire to an inbox that can lose what it carries."""

    def __init__(self, max_waiting):
        self.inbox = Inbox(max_waiting)
        self.stream = []  # (ms, payload)
        self.epoch, self.ms = 1, 0
        self.seq = {TRADES: 0, TICKER: 0}
        self.published = {TRADES: [], TICKER: []}
        self.away = False
        self.lose = False
        self.got = []
        self.pages = {}  # a stream that is being read: what comes next of it
        self.inbox.connected([], {})

    def publish(self, channel):
        self.seq[channel] += 1
        self.ms += 1
        text = payload(channel, self.epoch, self.seq[channel], self.ms)
        self.published[channel].append((self.epoch, self.seq[channel]))
        if channel == TRADES:
            self.stream.append((self.ms, text))
        if not self.away and not self.lose:
            self.inbox.hear(channel, text)
        self.lose = False

    def repeat(self, channel):
        if self.seq[channel] and not self.away:
            self.inbox.hear(channel, payload(channel, self.epoch, self.seq[channel], self.ms))

    def new_epoch(self):
        self.epoch += 1
        self.seq = dict.fromkeys(self.seq, 0)

    def disconnect(self):
        if not self.away:
            self.away = True
            self.pages.clear()
            self.inbox.disconnected()

    def reconnect(self):
        if self.away:
            self.away = False
            self.inbox.connected([TRADES] if self.stream else [], {}, away_s=1.0, reason="cut")

    def refill(self, page=3):
        """One page of one stream, as a reader that is slower than the wire gets it."""
        if self.away:
            return
        for name in sorted(self.inbox.wants):
            if self.inbox.full:
                return
            place = self.pages.setdefault(name, next((n for n, (ms, _) in enumerate(self.stream) if ms >= self.inbox.after(name)), len(self.stream)))
            entries = self.stream[place : place + page] if name == TRADES else []
            complete = len(entries) < page
            self.pages[name] = place + page
            if complete:
                del self.pages[name]
            self.inbox.refill(name, [text for _, text in entries], complete=complete, last_ms=entries[-1][0] if entries else 0)

    def read(self, n):
        for _ in range(min(n, len(self.inbox.waiting))):
            self.got.append(self.inbox.pop())

    def settle(self):
        self.reconnect()
        while self.inbox.wants or self.inbox.waiting:
            self.read(1000)
            self.refill()


ACTIONS = st.one_of(
    *(st.tuples(st.just("publish"), st.sampled_from([TRADES, TRADES, TICKER])) for _ in range(4)),
    st.tuples(st.just("repeat"), st.sampled_from([TRADES, TICKER])),
    st.tuples(st.sampled_from(["lose", "new_epoch", "disconnect", "reconnect", "refill", "refill"]), st.none()),
    st.tuples(st.just("read"), st.integers(1, 4)),
)


@settings(max_examples=400)
@given(st.lists(ACTIONS, max_size=80), st.sampled_from([3, 1000]), st.sampled_from([2, 1000]))
def test_a_channel_with_a_stream_loses_nothing_and_one_without_says_what(actions, max_waiting, max_held):
    before, inbox_module.MAX_HELD = inbox_module.MAX_HELD, max_held
    try:
        bus = Bus(max_waiting)
        for action, argument in actions:
            if action == "lose":
                bus.lose = True
            else:
                getattr(bus, action)(*(() if argument is None else (argument,)))
        bus.settle()
        bus.lose = False
        bus.publish(TRADES)  # a hole at the very end shows with the next event
        bus.publish(TICKER)
        bus.settle()
    finally:
        inbox_module.MAX_HELD = before
    events = [item for item in bus.got if isinstance(item, Event)]
    assert [(event.epoch, event.seq) for event in events if event.channel == TRADES] == bus.published[TRADES]
    assert not [item for item in bus.got if isinstance(item, Missed) and item.channel == TRADES]
    heard = [(event.epoch, event.seq) for event in events if event.channel == TICKER]
    assert heard == sorted(set(heard)) and set(heard) <= set(bus.published[TICKER])
    if heard:
        told = {(gap.epoch, seq) for gap in bus.got if isinstance(gap, Missed) and gap.last_seq is not None for seq in range(gap.first_seq, gap.last_seq + 1)}
        open_ended = {gap.epoch for gap in bus.got if isinstance(gap, Missed) and gap.last_seq is None}
        last_of = {epoch: max(seq for e, seq in bus.published[TICKER] if e == epoch) for epoch, _ in bus.published[TICKER]}
        for epoch in {epoch for epoch, _ in heard}:
            mine = sorted(seq for e, seq in heard if e == epoch)
            for low, high in pairwise(mine):
                assert all((epoch, seq) in told for seq in range(low + 1, high)), "a hole without a word"
            assert mine[-1] == last_of[epoch] or epoch in open_ended or epoch != heard[-1][0]
        assert not told & set(heard)


def test_the_first_event_of_a_channel_without_a_stream_is_where_we_begin():
    inbox = joined()
    inbox.hear(TICKER, payload(TICKER, 1, 500))
    assert seqs(take_all(inbox)) == [(1, 500)]


def test_what_came_before_we_began_is_not_for_us():
    inbox = Inbox()
    inbox.start_at(TRADES, (1, 10, 100))
    inbox.connected([TRADES], {})
    inbox.refill(TRADES, [payload(TRADES, 1, 10), payload(TRADES, 1, 11)], complete=True)
    inbox.hear(TRADES, payload(TRADES, 1, 9))
    inbox.hear(TRADES, payload(TRADES, 1, 12))
    assert seqs(take_all(inbox)) == [(1, 11), (1, 12)] and inbox.repeats == 2


def test_a_hole_that_the_stream_does_not_fill_is_told_once_and_filled_late():
    inbox = joined()
    for seq in (1, 2, 5):
        inbox.hear(TRADES, payload(TRADES, 1, seq))
    assert inbox.wants == {TRADES}
    inbox.refill(TRADES, [], complete=True)
    inbox.hear(TRADES, payload(TRADES, 1, 4))
    inbox.hear(TRADES, payload(TRADES, 1, 4))
    one, two, missed, five, four = take_all(inbox)
    assert missed == Missed(TRADES, 1, 3, 4, "not_in_stream") and not inbox.wants
    assert [one.seq, two.seq, five.seq, four.seq] == [1, 2, 5, 4] and four.late and not five.late


def test_a_new_epoch_begins_at_one_and_what_is_missing_of_it_is_asked_for():
    inbox = joined()
    inbox.hear(TRADES, payload(TRADES, 1, 1))
    inbox.hear(TRADES, payload(TRADES, 2, 2))
    assert inbox.wants == {TRADES}
    inbox.refill(TRADES, [payload(TRADES, 1, 1), payload(TRADES, 1, 2), payload(TRADES, 2, 1), payload(TRADES, 2, 2)], complete=True)
    items = take_all(inbox)
    assert seqs(items) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert [item for item in items if not isinstance(item, Event)] == [NewEpoch(TRADES, 2, 1)]
    assert [item.refilled for item in items if isinstance(item, Event)] == [False, True, True, True]


def test_late_events_of_an_old_epoch_are_delivered_once():
    """A spool that was drained after its process's successor had begun."""
    inbox = joined()
    for epoch, seq in ((1, 1), (1, 2), (2, 1), (1, 3), (1, 3), (2, 2), (1, 4), (1, 2)):
        inbox.hear(TRADES, payload(TRADES, epoch, seq))
        if inbox.wants:
            inbox.refill(TRADES, [payload(TRADES, 1, 1), payload(TRADES, 1, 2), payload(TRADES, 2, 1)], complete=True)
    events = [item for item in take_all(inbox) if isinstance(item, Event)]
    assert seqs(events) == [(1, 1), (1, 2), (2, 1), (1, 3), (2, 2), (1, 4)]
    assert [event.late for event in events] == [False, False, False, True, False, True]


def test_a_slow_reader_is_told_what_it_costs():
    inbox = joined(max_waiting=4)
    for seq in range(1, 11):
        inbox.hear(TICKER, payload(TICKER, 1, seq))
        inbox.hear(TRADES, payload(TRADES, 1, seq))
    assert len(inbox.waiting) == 4 and not inbox.wants
    items = take_all(inbox)
    assert seqs(items) == [(1, 1), (1, 1), (1, 2), (1, 2)]
    assert items[-1] == Overflow(8, (TRADES,)) and inbox.wants == {TRADES}
    inbox.refill(TRADES, [payload(TRADES, 1, seq) for seq in range(1, 11)], complete=True)
    assert seqs(take_all(inbox)) == [(1, seq) for seq in range(3, 11)]
    inbox.hear(TICKER, payload(TICKER, 1, 11))
    items = take_all(inbox)
    assert seqs(items) == [(1, 11)]
    assert [item for item in items if isinstance(item, Missed)] == [Missed(TICKER, 1, 3, 10, "no_stream")]


def test_the_newest_value_stands_before_what_is_heard_after_it():
    inbox = Inbox()
    inbox.hear(TICKER, payload(TICKER, 1, 8))
    inbox.connected([], {TICKER: payload(TICKER, 1, 7)})
    assert seqs(take_all(inbox)) == [(1, 7), (1, 8)]
    inbox.disconnected()
    inbox.connected([], {TICKER: payload(TICKER, 1, 12)}, away_s=2.0, reason="cut")
    inbox.hear(TICKER, payload(TICKER, 1, 12))
    notice, missed, event = take_all(inbox)
    assert notice == Reconnected(2.0, "cut") and missed == Missed(TICKER, 1, 9, 11, "no_stream") and event.seq == 12


def test_what_is_no_event_is_told_and_stops_nothing():
    inbox = joined()
    inbox.hear(TRADES, b"hello")
    inbox.hear(TRADES, payload(TRADES, 1, 1).replace(b'"1.5"', b'"dear"'))
    inbox.hear(TRADES, payload(TRADES, 1, 1))
    one, two, event = take_all(inbox)
    assert isinstance(one, Unreadable) and isinstance(two, Unreadable) and "price" in two.error and event.seq == 1


def test_an_unknown_type_is_delivered_with_its_fields():
    inbox = joined()
    inbox.hear("novelty:venue:A-USDT", payload("novelty:venue:A-USDT", 1, 40))
    [event] = take_all(inbox)
    assert event.fields["what"] == 1 and event.seq == 40


def test_positions_are_of_what_the_reader_took():
    inbox = joined()
    for seq in (1, 2, 3):
        inbox.hear(TRADES, payload(TRADES, 1, seq, ms=seq))
    inbox.pop()
    inbox.pop()
    assert inbox.positions() == {TRADES: (1, 2, 2)}
