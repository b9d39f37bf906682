"""Who the server is, and who its clients are."""

import pytest
import redis

from tests.delivery.redis_servers import RawClient, pack


def test_info_tells_what_the_delivery_needs(db):
    info = db.info()
    assert len(info["run_id"]) == 40
    assert info["role"] == "master"
    assert tuple(int(n) for n in info["redis_version"].split("."))[:2] >= (6, 2)
    assert info["used_memory"] >= 0
    assert info["process_id"] > 0
    assert info["tcp_port"] == db.connection_pool.connection_kwargs["port"]
    assert set(db.info("memory")) >= {"used_memory", "maxmemory"}
    assert "run_id" not in db.info("memory")


def test_hello_answers_in_the_version_it_agrees_to(port):
    with RawClient(port) as client:
        flat = client.ask("HELLO", 2)
        assert dict(zip(flat[::2], flat[1::2], strict=True))[b"proto"] == 2
        three = client.ask("HELLO", 3, "SETNAME", "me")
        assert three[b"proto"] == 3
        assert three[b"role"] == b"master"
        assert client.ask("CLIENT", "GETNAME") == b"me"
        assert str(client.ask("HELLO", 4)).startswith("NOPROTO")
        assert isinstance(client.ask("HELLO", "x"), redis.ResponseError)
        client.send(pack("GET", "no such key"))
        assert client.receive_exactly(b"_\r\n") == b"_\r\n"  # the failed HELLO changed nothing


def test_password_is_asked_for_and_checked(port):
    with RawClient(port) as admin:
        assert "without any password configured" in str(admin.ask("AUTH", "pw"))
        assert admin.ask("CONFIG", "SET", "requirepass", "pw") == b"OK"
        try:
            with RawClient(port) as client:
                assert str(client.ask("PING")) == "NOAUTH Authentication required."
                assert str(client.ask("HELLO", 3)).startswith("NOAUTH HELLO must be called")
                assert str(client.ask("AUTH", "no")).startswith("WRONGPASS")
                assert str(client.ask("AUTH", "somebody", "pw")).startswith("WRONGPASS")
                assert client.ask("AUTH", "pw") == b"OK"
                assert client.ask("PING") == b"PONG"
            with RawClient(port) as client:
                assert client.ask("HELLO", 3, "AUTH", "default", "pw")[b"proto"] == 3
            with RawClient(port) as client:
                client.send(b"*11\r\n")
                assert "unauthenticated multibulk length" in str(client.reply())
            with RawClient(port) as client:
                client.send(b"*2\r\n$16385\r\n")
                assert "unauthenticated bulk length" in str(client.reply())
            assert redis.Redis(port=port, password="pw").ping()
        finally:
            assert admin.ask("CONFIG", "SET", "requirepass", "") == b"OK"


def test_databases_are_apart(db, port):
    other = redis.Redis(port=port, db=3)
    other.set("k", "three")
    assert db.get("k") is None
    db.set("k", "zero")
    db.flushdb()
    assert other.get("k") == b"three"
    with pytest.raises(redis.ResponseError, match="DB index is out of range"):
        db.execute_command("SELECT", 16)
    other.close()


def test_reset_makes_a_connection_new(raw):
    raw.ask("SELECT", 2)
    raw.ask("MULTI")
    assert raw.ask("RESET") == b"RESET"
    raw.send(pack("GET", "none"))
    assert raw.receive_exactly(b"$-1\r\n") == b"$-1\r\n"  # RESP2 again
    assert str(raw.ask("EXEC")) == "ERR EXEC without MULTI"


def test_quit_answers_then_closes(raw):
    raw.send(pack("QUIT") + pack("SET", "after", "quit"))
    assert raw.reply() == b"OK"
    with pytest.raises((EOFError, ConnectionResetError)):
        raw.reply()


def test_a_client_is_listed_and_can_be_killed(port):
    with RawClient(port) as admin, RawClient(port) as victim:
        number = victim.ask("CLIENT", "ID")
        victim.ask("CLIENT", "SETNAME", "victim")
        assert f"id={number} ".encode() in admin.ask("CLIENT", "LIST")
        assert b" name=victim " in admin.ask("CLIENT", "LIST")
        assert admin.ask("CLIENT", "KILL", "ID", number) == 1
        with pytest.raises((EOFError, ConnectionResetError)):
            victim.reply()
        assert admin.ask("CLIENT", "KILL", "ID", number) == 0
