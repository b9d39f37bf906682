"""One socket: pacing, acknowledgements in all their shapes, refusals, heartbeats."""

import asyncio
import itertools
import json
from functools import partial

import msgspec
import pytest
from cext.listener import Listener

from p9.budget import Budget
from p9.capture.connection import Connection, ConnectionSettings
from p9.errors import SocketLost
from p9.venue import Ping, market, topic
from tests.patience import until

from .conftest import make_pipeline

QUICK = ConnectionSettings(connect_s=2.0, ack_s=0.6)


def topics(row, n):
    forms = row.choose(depth=50 if row.exchange == "bybit" else 400)
    return [topic(form, f"S{i}USDT") for i in range(n) for form in forms]


async def tick(connection, condition):
    async def ticking():
        while True:
            connection.tick()
            await asyncio.sleep(0.02)

    ticker = asyncio.create_task(ticking())
    try:
        await until(condition)
    finally:
        ticker.cancel()


async def opened(row, rows, venue, **changes):
    connection = Connection(row, partial(Listener, make_pipeline(row)), rows, settings=msgspec.structs.replace(QUICK, **changes))
    await connection.open(row.socket_url("public"))
    connection.subscribe(connection.topics)
    return connection


async def test_requests_keep_the_venue_s_pace_and_size(venue, linear):
    connection = await opened(linear, topics(linear, 15), venue)  # 45 topics: 5 requests of at most 10
    await tick(connection, lambda: connection.settled)
    said = [(at_s, json.loads(text)) for at_s, text in venue.visitors[0].said]
    assert [len(message["args"]) for _, message in said] == [10, 10, 10, 10, 5]
    assert min(b[0] - a[0] for a, b in itertools.pairwise(said)) >= 0.9 * linear.limits.spacing_s
    assert connection.acknowledged == set(connection.topics) and not connection.refused


async def test_no_second_ever_holds_more_messages_than_the_venue_allows(venue, linear):
    limits = msgspec.structs.replace(linear.limits, topics_per_request=1, spacing_s=0.01, messages=Budget("m", 5, 0.5))
    row = msgspec.structs.replace(linear, limits=limits)
    connection = await opened(row, topics(row, 5), venue, ack_s=10.0)
    await tick(connection, lambda: connection.settled)
    times = [at_s for at_s, _ in venue.visitors[0].said]
    assert len(times) == 15
    assert max(sum(1 for t in times if start <= t < start + 0.48) for start in times) <= 5


async def test_a_refused_topic_costs_that_topic_only(venue, linear):
    subscribed = set()

    def refuse_one(visitor, text):
        message = json.loads(text)
        bad = [name for name in message["args"] if "S1USDT" in name and "orderbook.50" in name]
        if bad:
            visitor.send({"success": False, "ret_msg": f"error:handler not found,topic:{bad[0]}", "req_id": message["req_id"], "op": "subscribe"})
        else:
            subscribed.update(message["args"])
            venue.acknowledge(visitor, text)

    venue.on_message = refuse_one
    connection = await opened(linear, topics(linear, 3), venue)
    await tick(connection, lambda: connection.settled)
    assert connection.refused == {"orderbook.50.S1USDT": "error:handler not found,topic:orderbook.50.S1USDT"}
    assert connection.acknowledged == subscribed == set(connection.topics) - set(connection.refused)


async def test_a_refusal_that_names_nothing_is_narrowed_down(venue, linear):
    def whole_request(visitor, text):
        message = json.loads(text)
        if len(message["args"]) > 1 or "S0USDT" in message["args"][0]:
            visitor.send({"success": False, "ret_msg": "Params Error", "req_id": message["req_id"], "op": "subscribe"})
        else:
            venue.acknowledge(visitor, text)

    venue.on_message = whole_request
    connection = await opened(linear, topics(linear, 2), venue)
    await tick(connection, lambda: connection.settled)
    assert sorted(connection.refused) == ["orderbook.1.S0USDT", "orderbook.50.S0USDT", "publicTrade.S0USDT"]
    assert len(connection.acknowledged) == 3


async def test_already_subscribed_is_fine_and_the_others_are_asked_for_again(venue, linear):
    active = {"orderbook.1.S0USDT"}

    def remember(visitor, text):
        message = json.loads(text)
        known = [name for name in message["args"] if name in active]
        if known:
            visitor.send({"success": False, "ret_msg": f"error:already subscribed,topic:{known[0]}", "req_id": message["req_id"], "op": "subscribe"})
        else:
            active.update(message["args"])
            venue.acknowledge(visitor, text)

    venue.on_message = remember
    connection = await opened(linear, topics(linear, 1), venue)
    await tick(connection, lambda: connection.settled)
    assert connection.acknowledged == active == set(connection.topics) and not connection.refused


async def test_what_nobody_answers_is_asked_again_and_then_given_up(venue, linear):
    venue.on_message = lambda visitor, text: None
    connection = await opened(linear, topics(linear, 1), venue, ack_s=0.2, tries=2)
    await tick(connection, lambda: len(connection.refused) == 3)
    assert len(venue.visitors[0].said) == 4 and connection.settled  # together, then each alone


async def test_one_acknowledgement_an_arg_and_an_error_that_names_it_in_its_text(venue):
    row = market("okx_swap").at("http://127.0.0.1:1", venue.url)

    def each(visitor, text):
        for arg in json.loads(text)["args"]:
            if arg["instId"] == "S1USDT":
                told = f"Wrong URL or channel:{arg['channel']}, instId:{arg['instId']} doesn't exist. Please use the correct URL."
                visitor.send({"event": "error", "msg": told, "code": "60018", "connId": "x"})
            else:
                visitor.send({"event": "subscribe", "arg": arg, "connId": "x"})

    venue.on_message = each
    connection = await opened(row, topics(row, 3), venue)
    await tick(connection, lambda: connection.settled)
    assert sorted(connection.refused) == ["bbo-tbt:S1USDT", "books:S1USDT", "trades:S1USDT"]
    assert len(connection.acknowledged) == 6 and len(venue.visitors[0].said) == 1


async def test_to_renew_is_to_unsubscribe_first(venue, linear):
    connection = await opened(linear, topics(linear, 1), venue)
    await tick(connection, lambda: connection.settled)
    connection.renew(["orderbook.50.S0USDT", "unknown"])
    await tick(connection, lambda: connection.settled)
    said = [json.loads(text) for _, text in venue.visitors[0].said[1:]]
    assert [(message["op"], message["args"]) for message in said] == [
        ("unsubscribe", ["orderbook.50.S0USDT"]),
        ("subscribe", ["orderbook.50.S0USDT"]),
    ]


async def test_our_pings_are_sent_and_their_answers_wanted(venue, linear):
    row = msgspec.structs.replace(linear, ping=Ping(b'{"op":"ping"}', every_s=0.2, within_s=0.3))
    connection = await opened(row, [], venue)
    await tick(connection, lambda: connection.counts["control_pong"] >= 2)
    assert not connection.lost.done()
    venue.on_message = lambda visitor, text: None
    await tick(connection, connection.lost.done)
    assert "ping" in connection.lost.result()


async def test_a_quiet_socket_without_pings_of_the_venue_s_is_dead(venue):
    """One that may be silent for ever, as a private stream: only the venue's pings tell that the line is there."""
    row = market("binance_usdm").at("http://127.0.0.1:1", venue.url)
    assert row.ping.venue_s == 180.0
    connection = await opened(msgspec.structs.replace(row, ping=Ping(venue_s=0.2)), [], venue)
    for _ in range(10):
        venue.visitors[0].transport.send_ping(b"7")
        connection.tick()
        await asyncio.sleep(0.1)
    assert not connection.lost.done() and connection.listener.pings >= 5 and connection.listener.frames == 0
    await tick(connection, connection.lost.done)
    assert connection.lost.result() == "neither a frame nor a ping for 0.6 s"


async def test_a_socket_that_talks_needs_no_ping_where_only_idle_ones_do(venue):
    row = market("okx_spot").at("http://127.0.0.1:1", venue.url)
    row = msgspec.structs.replace(row, ping=Ping(b"ping", every_s=0.3, only_idle=True, within_s=0.3))
    venue.on_message = lambda visitor, text: visitor.send("pong") if text == "ping" else None
    connection = await opened(row, [], venue)
    for _ in range(10):
        venue.visitors[0].send({"event": "notice", "code": "1", "msg": "news"})
        connection.tick()
        await asyncio.sleep(0.1)
    assert not venue.visitors[0].said
    await tick(connection, lambda: connection.counts["control_pong"])
    assert venue.visitors[0].said[0][1] == "ping"


async def test_the_venue_s_reason_for_closing_is_told(venue, linear):
    connection = await opened(linear, topics(linear, 1), venue)
    venue.visitors[0].transport.send_close(1008, b"Too many requests")
    await until(connection.lost.done)
    assert connection.lost.result() == "closed by the venue: 1008 Too many requests"


async def test_nobody_there_and_a_door_that_never_opens(linear):
    row = linear.at(ws_url="ws://127.0.0.1:1")
    with pytest.raises(SocketLost, match=r"127\.0\.0\.1:1"):
        await opened(row, [], None)

    async def deaf(reader, writer):
        await asyncio.sleep(5)

    server = await asyncio.start_server(deaf, "127.0.0.1", 0)
    row = linear.at(ws_url=f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    with pytest.raises(SocketLost):
        await opened(row, [], None, connect_s=0.2)
    server.close()


async def test_a_frame_that_cannot_be_used_is_counted_by_kind(venue, linear):
    connection = await opened(linear, topics(linear, 1), venue)
    for frame in ('{"topic":"orderbook.50.NOBODY","type":"delta","data":{"s":"NOBODY","b":[],"a":[],"u":2,"seq":1},"ts":1,"cts":1}', "{{", "{{"):
        venue.visitors[0].send(frame)
    await until(lambda: sum(connection.counts[kind] for kind in ("unknown_symbol", "malformed")) == 3)
    assert connection.counts["malformed"] == 2


async def test_a_stop_in_the_moment_of_the_connection_is_not_forgotten(linear):
    # wait_for of Python 3.11 gave the connection and dropped the cancellation: an appliance stopped while it started ran on for ever
    made = asyncio.get_running_loop().create_future()

    async def dial(*_, **__):
        await made

    async def feed():
        connection = Connection(linear, partial(Listener, make_pipeline(linear)), (), settings=QUICK, dial=dial)
        await connection.open(linear.socket_url("public"))
        await asyncio.Event().wait()

    task = asyncio.create_task(feed())
    await asyncio.sleep(0.01)
    made.set_result(None)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task}, timeout=2)
    assert task.cancelled()


async def test_a_connection_that_takes_too_long_is_lost(linear):
    async def dial(*_, **__):
        await asyncio.Event().wait()

    connection = Connection(linear, partial(Listener, make_pipeline(linear)), (), settings=msgspec.structs.replace(QUICK, connect_s=0.05), dial=dial)
    with pytest.raises(SocketLost, match=r"no connection within 0\.05 s"):
        await connection.open(linear.socket_url("public"))
