"""The outbox against a model of Redis that carries out what it is sent, refuses, or dies in the middle."""

import json

import pytest
from cext.outbox import BATCH_BROKEN, BATCH_CONFIRMED, BATCH_FAILED, BATCH_OPEN, CLASS_NAMES, bucket_bounds_s
from hypothesis import given
from hypothesis import strategies as st

from tests.cext.model_redis import CRITICAL, HIGH, LOW, MEDIUM, START_NS, ModelRedis, adds_up, channel_of, commands_in, exchange, outbox_at

FIRST_FIELDS = ["v", "type", "exchange", "symbol", "market", "venue_symbol", "epoch", "seq", "conflated", "ts_event", "ts_recv", "ts_pub"]


def test_envelope_is_as_the_contract_has_it():
    outbox, redis = outbox_at(), ModelRedis()
    channel = outbox.channel("candles", "venue", 'A"é-USDT', "venue_spot", "AUSDT", HIGH, timeframe="1m")
    assert outbox.emit(channel, b' {"open":"1.5"} ', ts_event=7, ts_recv=8, flags=1 | 2 | 64, amends=(3, 4)) == 1
    assert exchange(outbox, redis, 0) == BATCH_CONFIRMED
    [(name, payload)] = redis.published
    event = json.loads(payload)
    assert name.decode() == 'candles:venue:A"é-USDT:1m'
    assert list(event) == [*FIRST_FIELDS, "flags", "amends", "open"]
    assert event == {
        "v": 1, "type": "candles", "exchange": "venue", "symbol": 'A"é-USDT', "market": "venue_spot", "venue_symbol": "AUSDT",
        "epoch": 1_700_000_000_000, "seq": 1, "conflated": 1, "ts_event": 7, "ts_recv": 8, "ts_pub": START_NS,
        "flags": ["snapshot", "backfill", "rounded"], "amends": {"epoch": 3, "seq": 4}, "open": "1.5",
    }
    assert redis.streams == {b"stream:{" + name + b"}": [(b"1700000000000-1", payload)]}


def test_nothing_to_say_leaves_flags_and_amends_out():
    outbox, redis = outbox_at(), ModelRedis()
    outbox.emit(channel_of(outbox), b"{}")
    exchange(outbox, redis, 0)
    event = json.loads(redis.published[0][1])
    assert list(event) == FIRST_FIELDS and event["ts_event"] is None and event["ts_recv"] is None


def test_another_word_renames_the_channel_and_not_the_type():
    outbox, redis = outbox_at(), ModelRedis()
    outbox.emit(channel_of(outbox, word="ticks"), b"{}")
    exchange(outbox, redis, 0)
    assert redis.published[0][0] == b"ticks:venue:BTC-USDT" and json.loads(redis.published[0][1])["type"] == "trades"


def test_a_channel_has_one_writer():
    outbox = outbox_at()
    channel_of(outbox)
    with pytest.raises(ValueError, match="has a writer already"):
        channel_of(outbox)


@pytest.mark.parametrize("payload", [b"", b"[1]", b"{", b"x}"])
def test_a_payload_is_an_object(payload):
    outbox = outbox_at()
    with pytest.raises(ValueError, match="JSON object"):
        outbox.emit(channel_of(outbox), payload)


def test_stream_ids_never_fall_though_the_clock_does():
    outbox, redis = outbox_at(), ModelRedis()
    channel = channel_of(outbox)
    for step_ms in (0, 5, -4000, 0, 3):
        outbox.clock.set(outbox.clock.now() + step_ms * 1_000_000)
        outbox.emit(channel, b"{}")
    assert exchange(outbox, redis, 0) == BATCH_CONFIRMED
    [stream] = redis.streams.values()
    assert [id.decode() for id, _ in stream] == [f"{1_700_000_000_000 + ms}-{seq}" for ms, seq in ((0, 1), (5, 2), (5, 3), (5, 4), (5, 5))]


def test_streams_are_trimmed_about_once_a_second():
    outbox, trims = outbox_at(retain_ms=60_000), []
    channel = channel_of(outbox)
    for _ in range(30):
        outbox.clock.set(outbox.clock.now() + 100_000_000)
        outbox.emit(channel, b"{}")
        data = outbox.take(0)
        [add] = [command for command in commands_in(data) if command[0] == b"XADD"]
        trims += [(outbox.clock.now() // 1_000_000, int(add[4]))] if add[2:4] == [b"MINID", b"~"] else []
        outbox.replies(0, ModelRedis().answer(data))
    assert 3 <= len(trims) <= 4 and all(now_ms - trim_ms == 60_000 for now_ms, trim_ms in trims)


def test_the_bound_in_bytes_shortens_what_is_retained():
    outbox, redis, trimmed = outbox_at(retain_ms=64_000, max_stream_bytes=200_000), ModelRedis(), []
    channel = channel_of(outbox)
    for _ in range(600):  # 10 events and about 10 kB a second
        outbox.clock.set(outbox.clock.now() + 100_000_000)
        outbox.emit(channel, b'{"x":"%b"}' % (b"y" * 800))
        data = outbox.take(0)
        trimmed += [outbox.clock.now() // 1_000_000 - int(command[4]) for command in commands_in(data) if command[2:3] == [b"MINID"]]
        outbox.replies(0, redis.answer(data))
    assert trimmed[0] == 64_000
    assert 14_000 < trimmed[-1] < 20_000


def test_a_slot_says_how_many_updates_it_stands_for():
    outbox, redis = outbox_at(), ModelRedis()
    channel = channel_of(outbox, "funding", MEDIUM)
    for n in range(5):
        assert outbox.emit(channel, b'{"n":%d}' % n) is None
    adds_up(outbox)
    assert exchange(outbox, redis, 1) == BATCH_CONFIRMED
    outbox.emit(channel, b'{"n":9}')
    assert exchange(outbox, redis, 1) == BATCH_CONFIRMED
    events = [json.loads(payload) for _, payload in redis.published]
    assert [(e["seq"], e["conflated"], e["n"]) for e in events] == [(1, 5, 4), (2, 1, 9)]
    assert json.loads(redis.values[b"last:{funding:venue:BTC-USDT}"])["n"] == 9
    assert outbox.stats()["classes"]["MEDIUM"]["conflated"] == 4
    adds_up(outbox)


def test_what_was_sent_is_never_conflated():
    outbox, redis = outbox_at(), ModelRedis()
    channel = channel_of(outbox, "funding", MEDIUM)
    outbox.emit(channel, b'{"n":1}')
    first = outbox.take(1)
    outbox.emit(channel, b'{"n":2}')
    outbox.disconnected(1)
    assert outbox.take(1) == first
    assert outbox.replies(1, redis.answer(first)) == BATCH_CONFIRMED
    assert exchange(outbox, redis, 1) == BATCH_CONFIRMED
    assert [json.loads(payload)["seq"] for _, payload in redis.published] == [1, 2]
    adds_up(outbox)


def test_low_keeps_its_newest_value_only_where_asked():
    outbox, redis = outbox_at(), ModelRedis()
    outbox.emit(channel_of(outbox, "book_ticker", LOW, keeps_last=True), b"{}")
    outbox.emit(channel_of(outbox, "other", LOW), b"{}")
    assert exchange(outbox, redis, 1) == BATCH_CONFIRMED
    assert len(redis.published) == 2 and list(redis.values) == [b"last:{book_ticker:venue:BTC-USDT}"]


def test_a_queue_over_its_bound_is_emptied_as_a_unit_and_its_seq_goes_back():
    outbox, redis = outbox_at(queue_items=10), ModelRedis()
    depth, other = channel_of(outbox, "depth", LOW, queued=True), channel_of(outbox, "depth", LOW, "ETH-USDT", queued=True)
    assert [outbox.emit(depth, b"{}") for _ in range(3)] == [1, 2, 3]
    sent = outbox.take(1)  # what is sent is not emptied
    assert [outbox.emit(depth, b"{}") for _ in range(11)] == [*range(4, 14), None]
    assert outbox.emit(other, b"{}") == 1
    assert outbox.emit(depth, b"{}") is None  # until its stream was asked for an image
    adds_up(outbox)
    assert outbox.replies(1, redis.answer(sent)) == BATCH_CONFIRMED
    assert exchange(outbox, redis, 1) == BATCH_CONFIRMED
    assert outbox.emit(depth, b'{"image":true}', flags=1) == 4
    assert outbox.emit(depth, b"{}") == 5
    assert exchange(outbox, redis, 1) == BATCH_CONFIRMED
    events = [json.loads(payload) for name, payload in redis.published if b"BTC" in name]
    assert [e["seq"] for e in events] == [1, 2, 3, 4, 5]
    assert events[3]["conflated"] == 13 and events[4]["conflated"] == 1
    assert outbox.stats()["classes"]["LOW"]["shed"] == 12
    adds_up(outbox)


@pytest.mark.parametrize("bounds", [{"items": (5, 5, 0, 5)}, {"bytes": (2000, 2000, 0, 2000)}])
def test_a_full_class_sheds_before_a_seq_is_given(bounds):
    outbox, redis = outbox_at(**bounds), ModelRedis()
    channel = channel_of(outbox)
    given = [outbox.emit(channel, b'{"pad":"%b"}' % (b"x" * 50)) for _ in range(20)]
    n = sum(seq is not None for seq in given)
    assert 4 <= n <= 7 and given == [*range(1, n + 1), *[None] * (20 - n)]
    assert channel.n_shed == outbox.stats()["classes"]["HIGH"]["shed"] == 20 - n
    assert exchange(outbox, redis, 0) == BATCH_CONFIRMED
    assert outbox.emit(channel, b"{}") == n + 1
    adds_up(outbox)


def test_the_highest_goes_first_and_the_lowest_does_not_starve():
    outbox = outbox_at(batch_items=80)
    critical, high = channel_of(outbox, "liquidations", CRITICAL), channel_of(outbox)
    for _ in range(500):
        outbox.emit(high, b"{}")
        outbox.emit(critical, b"{}")
    published = [command[1] for command in commands_in(outbox.take(0)) if command[0] == b"PUBLISH"]
    assert len(published) == 80 and published.index(high.name) == 70
    assert published[:70] == [critical.name] * 70 and published[70:] == [high.name] * 10


def test_low_has_its_share_beside_a_burst_of_snapshots():
    outbox = outbox_at()
    for n in range(300):
        outbox.emit(channel_of(outbox, "snapshots", MEDIUM, f"S{n}-USDT"), b'{"x":"%b"}' % (b"y" * 5000))
    outbox.emit(channel_of(outbox, "book_ticker", LOW), b"{}")
    data = outbox.take(1)
    assert len(data) < 262_144 + 30_000
    assert any(command[1].startswith(b"book_ticker") for command in commands_in(data))


def test_an_aborted_batch_is_sent_again_before_anything_newer():
    outbox, redis = outbox_at(), ModelRedis()
    channel = channel_of(outbox)
    outbox.emit(channel, b'{"n":1}')
    redis.refuse[b"XADD"] = b"OOM command not allowed when used memory > 'maxmemory'."
    assert exchange(outbox, redis, 0) == BATCH_FAILED
    assert not redis.published and not redis.streams
    batch_error, [failure] = outbox.failures(0)
    assert batch_error == "EXECABORT" and failure.error == "OOM" and failure.stored and failure.id == "1700000000000-1"
    assert outbox.last_error().startswith("OOM command")
    outbox.emit(channel, b'{"n":2}')
    redis.refuse.clear()
    assert exchange(outbox, redis, 0) == BATCH_CONFIRMED
    assert exchange(outbox, redis, 0) == BATCH_CONFIRMED
    assert [json.loads(payload)["n"] for _, payload in redis.published] == [1, 2]
    assert outbox.stats()["errors"] == {"OOM": 1, "EXECABORT": 1}
    assert outbox.stats()["classes"]["HIGH"]["retries"] == 1
    adds_up(outbox)


def test_a_key_of_another_type_holds_nobody_else_up():
    outbox, redis = outbox_at(), ModelRedis()
    bad, good = channel_of(outbox, "bad"), channel_of(outbox, "good")
    redis.refuse[bad.key] = b"WRONGTYPE Operation against a key holding the wrong kind of value"
    for channel in (bad, good, bad):
        outbox.emit(channel, b"{}")
    assert exchange(outbox, redis, 0) == BATCH_FAILED
    batch_error, failures = outbox.failures(0)
    assert batch_error is None and [(f.channel, f.error, f.stored, f.key) for f in failures] == [(bad, "WRONGTYPE", True, bad.key)] * 2
    assert outbox.stats()["classes"]["HIGH"]["confirmed"] == 1
    outbox.emit(bad, b"{}")
    outbox.quarantine(bad)
    assert outbox.take(0) is None and outbox.emit(bad, b"{}") is None
    assert outbox.stats()["classes"]["HIGH"]["quarantined"] == 4
    outbox.release(bad)
    redis.refuse.clear()
    outbox.emit(bad, b"{}")
    assert exchange(outbox, redis, 0) == BATCH_CONFIRMED
    adds_up(outbox)


def test_an_entry_that_an_earlier_sending_stored_is_found_and_not_doubled():
    outbox, redis = outbox_at(), ModelRedis()
    channel = channel_of(outbox)
    outbox.emit(channel, b"{}")
    redis.answer(outbox.take(0))  # carried out, and the answer lost
    outbox.disconnected(0)
    assert exchange(outbox, redis, 0) == BATCH_FAILED
    _, [failure] = outbox.failures(0)
    assert failure.error == "SMALLER" and (failure.key, failure.id) == (channel.key, "1700000000000-1")
    outbox.was_stored(0, failure.index)
    assert outbox.sweep(0) and outbox.take(0) is None
    assert len(redis.streams[channel.key]) == 1
    adds_up(outbox)


def test_a_stream_that_is_ahead_gives_new_ids_in_order():
    outbox, redis = outbox_at(), ModelRedis()
    channel = channel_of(outbox)
    redis.streams[channel.key] = [(b"1800000000000-7", b"by a clock that was ahead")]
    for _ in range(3):
        outbox.emit(channel, b"{}")
    assert exchange(outbox, redis, 0) == BATCH_FAILED
    outbox.restamp(channel, 1_800_000_000_000)
    assert exchange(outbox, redis, 0) == BATCH_CONFIRMED
    assert [id for id, _ in redis.streams[channel.key][1:]] == [b"1800000000001-%d" % n for n in (1, 2, 3)]
    assert len(redis.published) == 3
    outbox.emit(channel, b"{}")
    assert exchange(outbox, redis, 0) == BATCH_CONFIRMED


@pytest.mark.parametrize("answer", [b"+OK\r\n:1\r\n", b":1\r\n", b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n", b"what\r\n"])
def test_an_answer_that_cannot_be_one_breaks_the_connection(answer):
    outbox = outbox_at()
    outbox.emit(channel_of(outbox), b"{}")
    outbox.take(0)
    assert outbox.replies(0, answer + b"+OK\r\n" * 9) in (BATCH_BROKEN, BATCH_FAILED)
    outbox.disconnected(0)
    assert exchange(outbox, ModelRedis(), 0) == BATCH_CONFIRMED
    adds_up(outbox)


def test_answers_to_nothing_break_the_connection():
    assert outbox_at().replies(0, b":1\r\n") == BATCH_BROKEN


def test_answers_may_come_byte_by_byte():
    outbox, redis = outbox_at(), ModelRedis()
    outbox.emit(channel_of(outbox), b"{}")
    answer = redis.answer(outbox.take(0))
    said = [outbox.replies(0, answer[i : i + 1]) for i in range(len(answer))]
    assert said == [BATCH_OPEN] * (len(answer) - 1) + [BATCH_CONFIRMED]


def test_wake_is_called_once_until_the_flush():
    outbox, woken = outbox_at(), []
    channel = channel_of(outbox)
    outbox.wake = lambda: woken.append(1)
    outbox.wake_up()
    assert not woken
    outbox.emit(channel, b"{}")
    outbox.emit(channel, b"{}")
    assert woken == [1]
    outbox.flushed()
    outbox.emit(channel, b"{}")
    assert woken == [1, 1]


def test_confirmed_ones_are_kept_only_as_long_as_told():
    outbox, redis = outbox_at(tail_ns=10_000_000_000, tail_bytes=20_000), ModelRedis()
    channel = channel_of(outbox)
    for _ in range(300):
        outbox.emit(channel, b'{"pad":"%b"}' % (b"x" * 3000))
        exchange(outbox, redis, 0)
    assert outbox.stats()["classes"]["HIGH"]["kept_bytes"] <= 20_000
    assert outbox.stats()["classes"]["HIGH"]["memory_bytes"] <= 3 * 262_144
    outbox.clock.set(outbox.clock.now() + 11_000_000_000)
    outbox.emit(channel, b"{}")
    exchange(outbox, redis, 0)
    assert outbox.stats()["classes"]["HIGH"]["kept_bytes"] < 1000


def test_what_waited_for_long_is_kept_from_its_confirmation_on():
    """Redis was away for half a minute, took everything, and died before that was on its disk: what had waited longest was not sent again."""
    outbox, redis = outbox_at(tail_ns=10_000_000_000), ModelRedis()
    channel = channel_of(outbox)
    outbox.emit(channel, b"{}")
    outbox.clock.set(outbox.clock.now() + 30_000_000_000)
    exchange(outbox, redis, 0)
    outbox.clock.set(outbox.clock.now() + 3_000_000_000)
    outbox.emit(channel, b"{}")
    exchange(outbox, redis, 0)
    assert outbox.replay([(channel, (0, 0))]) == 2


def test_what_the_other_lane_is_told_makes_the_kept_tail_no_older():
    """Redis came back without what it had confirmed; the bulk lane had it at once, the urgent one after 16 s: by then the tail was given up."""
    outbox, redis = outbox_at(tail_ns=10_000_000_000), ModelRedis()
    channel, bulk = channel_of(outbox), channel_of(outbox, "depth", LOW)
    outbox.emit(channel, b"{}")
    exchange(outbox, redis, 0)
    outbox.clock.set(outbox.clock.now() + 16_000_000_000)
    outbox.emit(bulk, b"{}")
    assert exchange(outbox, redis, 1) == BATCH_CONFIRMED
    assert outbox.replay([(channel, (0, 0))]) == 1


def test_latency_lands_in_its_bucket():
    outbox, redis = outbox_at(), ModelRedis()
    outbox.emit(channel_of(outbox), b"{}", ts_recv=START_NS - 500_000)
    data = outbox.take(0)
    outbox.clock.set(START_NS + 100_000)
    outbox.replies(0, redis.answer(data))
    n = outbox.stats()["classes"]["HIGH"]
    bounds = [0.0, *bucket_bounds_s()]
    for counts, seconds in ((n["confirm_s"], 100e-6), (n["age_s"], 600e-6)):
        [bucket] = [i for i, count in enumerate(counts) if count]
        assert bounds[bucket] <= seconds < bounds[bucket + 1]


OPERATION = st.one_of(
    st.tuples(st.just("emit"), st.integers(0, 5), st.integers(1, 30)),
    st.tuples(st.just("flush"), st.sampled_from(["ok", "lost", "cut", "oom"]), st.integers(0, 1)),
    st.tuples(st.just("tick"), st.integers(-50, 5000), st.just(0)),
)


@given(st.lists(OPERATION, max_size=80))
def test_whatever_happens_every_event_has_one_end_and_each_channel_its_order(operations):
    """The connection dies before or amid the answers, memory runs out, the clock jumps: in the end every event with a `seq` is in its stream once."""
    outbox, redis = outbox_at(batch_items=16, batch_bytes=6000, queue_items=12, items=(60, 60, 0, 40), flight_bytes=9000), ModelRedis()
    channels = [
        channel_of(outbox, "liquidations", CRITICAL), channel_of(outbox, "trades", HIGH), channel_of(outbox, "candles", HIGH),
        channel_of(outbox, "funding", MEDIUM), channel_of(outbox, "book_ticker", LOW, keeps_last=True),
        channel_of(outbox, "depth", LOW, queued=True),
    ]

    def flush(how, lane):
        data = outbox.take(lane)
        if data is None:
            return
        if how == "lost":
            outbox.disconnected(lane)
            return
        redis.refuse = {b"XADD": b"OOM no memory"} if how == "oom" else {}
        answer = redis.answer(data)
        if how == "cut":
            outbox.replies(lane, answer[: len(answer) // 2])
            outbox.disconnected(lane)
            return
        if outbox.replies(lane, answer) == BATCH_FAILED:
            for failure in outbox.failures(lane)[1]:
                if failure.error == "SMALLER":
                    assert failure.id.encode() in [id for id, _ in redis.streams[failure.key]]
                    outbox.was_stored(lane, failure.index)
            outbox.sweep(lane)

    for word, first, second in operations:
        if word == "emit":
            for _ in range(second):
                outbox.emit(channels[first], b'{"x":1}')
        elif word == "flush":
            flush(first, second)
        else:
            outbox.clock.set(outbox.clock.now() + first * 1_000_000)
        adds_up(outbox)
    for _ in range(200):
        if not outbox.waiting():
            break
        flush("ok", 0)
        flush("ok", 1)
    assert outbox.waiting() == 0
    adds_up(outbox)
    for channel in channels[:3]:
        stored = [json.loads(payload)["seq"] for _, payload in redis.streams.get(channel.key, [])]
        assert stored == list(range(1, channel.seq + 1))
    for channel in channels:
        heard = list(dict.fromkeys(json.loads(payload)["seq"] for name, payload in redis.published if name == channel.name))
        assert heard == list(range(1, channel.seq + 1))
    assert set(outbox.stats()["classes"]) == set(CLASS_NAMES)


def test_what_a_channel_was_given_before_it_was_left_still_goes_out_and_it_goes_on_there_when_it_is_taken_again():
    # a change of configuration took along what the boards had just said, and counted it as shed
    outbox = outbox_at()
    kept, slot = channel_of(outbox), channel_of(outbox, "snapshots", MEDIUM)
    assert outbox.emit(kept, b'{"n":1}') == 1
    outbox.emit(slot, b'{"n":1}')
    outbox.leave(slot)
    outbox.leave(slot)
    outbox.leave(kept)
    redis = ModelRedis()
    for lane in (0, 1):
        while (data := outbox.take(lane)) is not None:
            assert outbox.replies(lane, redis.answer(data)) == BATCH_CONFIRMED
    assert [name for name, _ in redis.published] == [kept.name, slot.name]
    assert [row["shed"] for row in outbox.stats()["classes"].values()] == [0, 0, 0, 0]
    assert channel_of(outbox) is kept and channel_of(outbox, "snapshots", MEDIUM) is slot
    assert outbox.emit(kept, b'{"n":2}') == 2
    outbox.emit(slot, b'{"n":2}')
    assert outbox.replies(1, redis.answer(outbox.take(1))) == BATCH_CONFIRMED
    assert (event := json.loads(redis.values[slot.key]))["seq"] == 2 and event["n"] == 2
