"""Publish and subscribe."""

import threading
import time

import pytest

from tests.delivery.redis_servers import RawClient, pack
from tests.patience import PATIENCE_S


def receive(pubsub, n):
    """n messages, confirmations left out."""
    found, deadline = [], time.monotonic() + PATIENCE_S
    while len(found) < n and time.monotonic() < deadline:
        message = pubsub.get_message(timeout=1)
        if message and "subscribe" not in message["type"]:
            found.append((message["type"], message["pattern"], message["channel"], message["data"]))
    return found


def test_publish_reaches_channels_and_patterns(db):
    with db.pubsub() as listener, db.pubsub() as other:
        listener.subscribe("trades:x:BTC-USDT")
        listener.psubscribe("trades:*", "*:BTC-*")
        other.psubscribe("liquidations:*")
        for pubsub, n in ((listener, 3), (other, 1)):
            assert [pubsub.get_message(timeout=PATIENCE_S)["type"] for _ in range(n)][-1] == "psubscribe"
        assert db.publish("trades:x:BTC-USDT", "1") == 3
        assert db.publish("trades:x:ETH-USDT", "2") == 1
        assert db.publish("depth:x:ETH-USDT", "3") == 0
        assert db.publish("liquidations:x:ETH-USDT", "4") == 1
        found = receive(listener, 4)
        assert found[0] == ("message", None, b"trades:x:BTC-USDT", b"1")
        assert set(found[1:3]) == {
            ("pmessage", b"trades:*", b"trades:x:BTC-USDT", b"1"),
            ("pmessage", b"*:BTC-*", b"trades:x:BTC-USDT", b"1"),
        }
        assert found[3] == ("pmessage", b"trades:*", b"trades:x:ETH-USDT", b"2")
        assert receive(other, 1) == [("pmessage", b"liquidations:*", b"liquidations:x:ETH-USDT", b"4")]


def test_ten_thousand_messages_arrive_in_order(db):
    with db.pubsub() as listener:
        listener.subscribe("c")
        assert listener.get_message(timeout=PATIENCE_S)["type"] == "subscribe"

        def publish():
            for _ in range(10):
                pipeline = db.pipeline(transaction=False)
                for _ in range(1000):
                    pipeline.publish("c", next(numbers))
                assert set(pipeline.execute()) == {1}

        numbers = iter(range(10_000))
        thread = threading.Thread(target=publish)
        thread.start()
        found = receive(listener, 10_000)
        thread.join()
        assert [int(data) for *_, data in found] == list(range(10_000))


def test_the_words_of_a_subscription_on_the_wire(port, protocol):
    kind = b">" if protocol == 3 else b"*"
    null = b"_\r\n" if protocol == 3 else b"$-1\r\n"
    with RawClient(port, protocol) as listener, RawClient(port) as writer:
        listener.send(pack("SUBSCRIBE", "a", "b"))
        for expected in (
            kind + b"3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n",
            kind + b"3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n",
        ):
            assert listener.receive_exactly(expected) == expected
        listener.send(pack("PSUBSCRIBE", "a*"))
        expected = kind + b"3\r\n$10\r\npsubscribe\r\n$2\r\na*\r\n:3\r\n"
        assert listener.receive_exactly(expected) == expected
        assert writer.ask("PUBLISH", "a", "hi") == 2
        expected = kind + b"3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n"
        expected += kind + b"4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$1\r\na\r\n$2\r\nhi\r\n"
        assert listener.receive_exactly(expected) == expected
        listener.send(pack("UNSUBSCRIBE", "a", "b") + pack("PUNSUBSCRIBE") + pack("PUNSUBSCRIBE"))
        expected = kind + b"3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:2\r\n"
        expected += kind + b"3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:1\r\n"
        expected += kind + b"3\r\n$12\r\npunsubscribe\r\n$2\r\na*\r\n:0\r\n"
        expected += kind + b"3\r\n$12\r\npunsubscribe\r\n" + null + b":0\r\n"
        assert listener.receive_exactly(expected) == expected
        assert writer.ask("PUBLISH", "a", "hi") == 0


def test_a_resp2_subscriber_may_only_listen_a_resp3_one_may_work(port, protocol):
    with RawClient(port, protocol) as client:
        client.ask("SUBSCRIBE", "c")
        answer = client.ask("GET", "k")
        if protocol == 3:
            assert answer is None
            assert client.ask("PING") == b"PONG"
            client.send(pack("PUBLISH", "c", "self"))
            assert sorted([str(client.reply()), str(client.reply())]) == sorted(["1", str([b"message", b"c", b"self"])])
        else:
            assert str(answer).startswith("ERR Can't execute 'get': only (P|S)SUBSCRIBE")
            assert client.ask("PING") == [b"pong", b""]
            client.ask("UNSUBSCRIBE", "c")
            assert client.ask("GET", "k") is None


def test_sharded_channels_are_a_world_of_their_own(port, protocol):
    with RawClient(port, protocol) as listener, RawClient(port) as writer:
        assert listener.ask("SSUBSCRIBE", "{trades:x}") == [b"ssubscribe", b"{trades:x}", 1]
        assert writer.ask("PUBLISH", "{trades:x}", "plain") == 0
        assert writer.ask("SPUBLISH", "{trades:x}", "shard") == 1
        assert listener.reply() == [b"smessage", b"{trades:x}", b"shard"]
        assert writer.ask("PUBSUB", "SHARDCHANNELS") == [b"{trades:x}"]
        assert listener.ask("SUNSUBSCRIBE") == [b"sunsubscribe", b"{trades:x}", 0]


def test_pubsub_tells_who_listens(db):
    with db.pubsub() as one, db.pubsub() as two:
        one.subscribe("a", "b")
        two.subscribe("a")
        two.psubscribe("x*")
        for pubsub, n in ((one, 2), (two, 2)):
            for _ in range(n):
                pubsub.get_message(timeout=PATIENCE_S)
        assert set(db.pubsub_channels()) == {b"a", b"b"}
        assert db.pubsub_channels("a*") == [b"a"]
        assert dict(db.pubsub_numsub("a", "b", "c")) == {b"a": 2, b"b": 1, b"c": 0}
        assert db.pubsub_numpat() == 1
    for _ in range(100):  # a closed socket is noticed in the server's next turn
        if db.publish("a", "x") == 0:
            break
        time.sleep(0.01)
    assert db.pubsub_channels() == []
    assert db.pubsub_numpat() == 0


def test_a_subscriber_that_does_not_read_is_cut_and_the_others_are_not(db, port):
    db.config_set("client-output-buffer-limit", "pubsub 1mb 0 0")
    try:
        with RawClient(port) as slow, RawClient(port) as quick:
            slow.ask("SUBSCRIBE", "flood")
            quick.ask("SUBSCRIBE", "quiet")
            for _ in range(60):
                pipeline = db.pipeline(transaction=False)
                for _ in range(1000):
                    pipeline.publish("flood", "x" * 1000)
                reached = pipeline.execute()[-1]
                if reached == 0:
                    break
            assert reached == 0
            assert db.publish("quiet", "still here") == 1
            assert quick.reply() == [b"message", b"quiet", b"still here"]
            with pytest.raises((EOFError, ConnectionResetError)):
                while True:
                    slow.reply()
    finally:
        db.config_set("client-output-buffer-limit", "pubsub 33554432 8388608 60")
