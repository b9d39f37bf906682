"""What is kept, and that the books of its memory are right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p9.delivery.resp_server.command import CommandError
from p9.delivery.resp_server.database import Database, Hash, List, Memory, Set
from p9.delivery.resp_server.sorted_set import SortedSet
from p9.delivery.resp_server.stream import MAX_ID, Stream, Trim

names = st.sampled_from([b"a", b"b", b"c"])
values = st.binary(max_size=20)
steps = st.lists(st.tuples(st.sampled_from(["put", "hash", "list", "set", "zset", "stream", "drop", "expire", "wait", "empty"]), names, values))


def stepped(database, clock, step, key, value):
    kinds = {"hash": Hash, "list": List, "set": Set, "zset": SortedSet, "stream": Stream}
    if step == "put":
        database.put(key, value, keep_expiry=bool(value))
    elif step == "wait":
        clock[0] += 7
        database.expire_due(100)
    elif step in kinds:
        box = database.open(key, kinds[step])
        if step == "hash":
            box.set(value, value)
        elif step == "list":
            box.push(value, left=True)
        elif step == "set":
            box.add(value)
        elif step == "zset":
            box.put(value, float(len(value)))
        else:
            box.add(box.last_id + 1, [b"p", value])
        database.commit(key, box)
    elif database.find(key) is not None:
        if step == "drop":
            database.drop(key)
        elif step == "expire":
            database.expire(key, clock[0] + len(value))
        elif step == "empty" and isinstance(database.find(key), Hash):
            box = database.find(key)
            for field in list(box.fields):
                box.remove(field)
            database.commit(key, box)


@given(steps)
def test_memory_is_given_back_to_the_last_byte(script):
    memory, clock = Memory(0), [1000]
    database = Database(0, memory, lambda: clock[0])
    for step, key, value in script:
        try:
            stepped(database, clock, step, key, value)
        except CommandError as exc:
            assert str(exc).startswith("WRONGTYPE")
        assert memory.used_bytes >= 150 * len(database.values)
        assert (memory.used_bytes == 0) == (not database.values)
    database.clear()
    assert memory.used_bytes == 0
    assert database.n_expiring() == 0


def test_a_key_that_is_set_to_expire_again_and_again_does_not_pile_up():
    database = Database(0, Memory(0), lambda: 0)
    for n in range(20_000):
        database.put(b"last", b"x")
        database.expire(b"last", 1000 + n)
    assert len(database._due) < 3000
    assert database.expires_at(b"last") == 20_999


def stream_of(n):
    stream = Stream()
    for ident in range(1, n + 1):
        stream.add(ident << 64, [b"n", b"%d" % ident])
    return stream


@given(st.lists(st.tuples(st.sampled_from(["add", "max", "min", "delete"]), st.integers(0, 60)), max_size=60))
def test_a_stream_is_a_list_of_rising_ids(script):
    stream, model = Stream(), []
    for what, n in script:
        if what == "add":
            ident = stream.last_id + 1 + n
            stream.add(ident, [b"n", b"%d" % ident])
            model.append(ident)
        elif what == "delete" and model:
            ident = model[n % len(model)]
            assert stream.delete(ident)
            model.remove(ident)
        elif what == "max":
            stream.trim(Trim.parse([b"MAXLEN", b"=", b"%d" % n], 0)[0])
            model = model[len(model) - n :] if n < len(model) else model
        elif what == "min":
            stream.trim(Trim.parse([b"MINID", b"=", b"0-%d" % n], 0)[0])
            model = [ident for ident in model if ident >= n]
        assert len(stream) == len(model)
        held = stream.between(0, MAX_ID)
        assert [int(entry.split(b"\r\n")[2].partition(b"-")[2]) for entry in held] == model
        assert stream.n_bytes == Stream().n_bytes + sum(140 + len(entry) for entry in held)


@pytest.mark.parametrize("size", [99, 100, 250, 1000])
def test_an_approximate_trim_drops_whole_nodes_and_never_too_much(size):
    stream = stream_of(size)
    trim = Trim.parse([b"MAXLEN", b"~", b"100"], 0)[0]
    for _ in range(300):
        stream.add(stream.last_id + (1 << 64), [b"n", b"x"])
        stream.trim(trim)
        assert len(stream) >= 100
    assert len(stream) < 200
