"""The line for slow topics: every frame once and in order, a bad one alone, silence per topic, logins, rotation."""

import asyncio
import json

import msgspec
import pytest
from cext.clock import Clock

from p9.capture.cold_feed import ColdFeed, ColdTopic
from p9.capture.connection import ConnectionSettings
from p9.capture.line import Connects, FeedSettings
from p9.venue import market
from tests.patience import until

QUICK = FeedSettings(
    connection=ConnectionSettings(connect_s=2.0, ack_s=1.0), tick_s=0.02, backoff_first_s=0.02, backoff_most_s=0.1, settle_s=0.1, rotate_pause_s=0.1
)


@pytest.fixture
async def feed(linear):
    """feed(topics, **options) -> a running ColdFeed; what it heard is in its `heard`."""
    running = []

    def begin(*topics, row=linear, settings=QUICK, **options):
        heard = []

        def take(payload, recv_ns):
            frame = json.loads(payload)
            if frame["data"] == "bad":
                raise ValueError("a number that is none")
            heard.append((frame["topic"], frame["data"], recv_ns))

        made = ColdFeed("slow", row, "public", topics, Connects(row.limits.connects), clock=Clock(), on_frame=take, settings=settings, **options)
        made.heard = heard
        running.append(asyncio.create_task(made.run()))
        return made

    yield begin
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def told(visitor, op):
    return [args for _, text in visitor.said if (message := json.loads(text))["op"] == op for args in message.get("args", ())]


async def test_frames_are_heard_once_in_order_with_their_receive_times(venue, feed):
    slow = feed(ColdTopic("insurance.USDT"), ColdTopic("adlAlert.USDT"))
    await until(lambda: slow.connection and slow.connection.settled and venue.visitors)
    assert told(venue.visitors[0], "subscribe") == ["insurance.USDT", "adlAlert.USDT"]
    for n in range(50):
        venue.visitors[0].send({"topic": "insurance.USDT", "data": n})
    await until(lambda: len(slow.heard) == 50)
    assert [data for _, data, _ in slow.heard] == list(range(50))
    times = [recv_ns for *_, recv_ns in slow.heard]
    assert times == sorted(times)
    await until(lambda: slow.state == "live")
    assert slow.connection.counts["control"] == 1, "an acknowledgement is no data"


async def test_a_frame_that_cannot_be_read_costs_itself_alone_and_is_counted(venue, feed):
    logged = []
    slow = feed(ColdTopic("insurance.USDT"), log=lambda event, **more: logged.append((event, more)))
    await until(lambda: slow.connection and slow.connection.settled and venue.visitors)
    for data in (1, "bad", 2, "bad", 3):
        venue.visitors[0].send({"topic": "insurance.USDT", "data": data})
    venue.visitors[0].send("{cut off")
    venue.visitors[0].send({"topic": "insurance.USDT", "data": 4})
    await until(lambda: len(slow.heard) == 4)
    assert slow.counts == {"ValueError": 2} and slow.losses == 0
    assert [event for event, _ in logged].count("frame refused") == 1, "said once"
    assert slow.connection.counts["control_unknown"] == 1


async def test_a_silent_topic_is_subscribed_anew_while_its_sibling_speaks_and_then_its_socket_is_doubted(venue, feed):
    slow = feed(ColdTopic("tickers.A", silent_s=0.3), ColdTopic("tickers.B", silent_s=0.15), ColdTopic("insurance.USDT"))

    async def speak():
        while True:
            for visitor in venue.visitors[-1:]:
                visitor.send({"topic": "tickers.A", "data": 1})
            await asyncio.sleep(0.05)

    speaking = asyncio.create_task(speak())
    try:
        await until(lambda: slow.losses == 1)
    finally:
        speaking.cancel()
    assert slow.last_loss == "tickers.B stays silent"
    assert told(venue.visitors[0], "unsubscribe") == ["tickers.B"] * 3
    assert told(venue.visitors[0], "subscribe") == ["tickers.A", "tickers.B", "insurance.USDT", "tickers.B", "tickers.B", "tickers.B"]


async def test_a_socket_of_topics_that_may_be_silent_is_left_in_peace(venue, feed):
    slow = feed(ColdTopic("insurance.USDT"), settings=msgspec.structs.replace(QUICK, silent_s=0.2))
    await until(lambda: slow.connection and slow.connection.settled)
    await asyncio.sleep(0.6)
    assert slow.losses == 0 and len(venue.visitors) == 1


async def test_nothing_is_subscribed_before_the_login_is_answered(venue, feed):
    logins = iter((b'{"op":"auth","args":["key",1,"sign"]}', b'{"op":"auth","args":["key",2,"sign"]}'))

    def answer(visitor, text):
        message = json.loads(text)
        if message["op"] == "auth":
            visitor.held = message
        else:
            venue.acknowledge(visitor, text)

    venue.on_message = answer
    slow = feed(ColdTopic("order"), login=lambda: next(logins))
    await until(lambda: venue.visitors and hasattr(venue.visitors[0], "held"))
    await asyncio.sleep(0.2)
    assert [json.loads(text)["op"] for _, text in venue.visitors[0].said] == ["auth"]
    venue.visitors[0].send({"success": True, "ret_msg": "", "op": "auth", "conn_id": "x"})
    await until(lambda: slow.connection.settled)
    assert told(venue.visitors[0], "subscribe") == ["order"]
    venue.visitors[0].transport.disconnect(False)
    await until(lambda: len(venue.visitors) > 1 and hasattr(venue.visitors[1], "held"))
    assert venue.visitors[1].held["args"][1] == 2, "signed anew for each socket"


async def test_a_refused_login_ends_the_socket_with_its_reason(venue, feed):
    def answer(visitor, text):
        visitor.send({"op": "auth", "success": False, "retCode": 10003, "retMsg": "Invalid apikey", "connId": "x"})

    venue.on_message = answer
    slow = feed(ColdTopic("order"), login=lambda: b'{"op":"auth","args":[]}')
    await until(lambda: slow.losses >= 2)
    assert slow.last_loss.startswith("login refused: Invalid apikey (check the key") and slow.counts["login_refused"] == slow.losses
    assert all(json.loads(text)["op"] == "auth" for visitor in venue.visitors for _, text in visitor.said)


async def test_an_address_is_made_for_each_socket_and_a_failure_to_make_it_is_tried_again(venue, feed, linear):
    asked = []

    async def address():
        asked.append(1)
        if len(asked) == 1:
            raise OSError("no listen key")
        return venue.url + "/private/ws/key"

    slow = feed(ColdTopic("order"), address=address)
    await until(lambda: slow.connection and slow.connection.settled)
    assert len(asked) == 2 and slow.last_loss.endswith("no listen key")


async def test_an_address_that_was_made_is_told_to_nobody(feed):
    """It ends with what opens a private stream."""
    logged = []

    async def address():
        return "ws://127.0.0.1:1/private/ws/the-listen-key"

    slow = feed(ColdTopic("order"), address=address, log=lambda event, **more: logged.append((event, more)))
    await until(lambda: slow.failures >= 2)
    assert slow.url in slow.last_loss and "the-listen-key" not in repr([logged, slow.status()])


async def test_a_rotation_loses_no_frame_and_hands_over_what_the_successor_held(venue, feed):
    slow = feed(ColdTopic("insurance.USDT"), settings=msgspec.structs.replace(QUICK, rotate_s=0.5))
    sent = 0

    async def speak():
        nonlocal sent
        while True:
            for visitor in venue.visitors:
                visitor.send({"topic": "insurance.USDT", "data": sent})
            sent += 1
            await asyncio.sleep(0.005)

    speaking = asyncio.create_task(speak())
    try:
        await until(lambda: slow.rotations >= 2)
    finally:
        speaking.cancel()
    await asyncio.sleep(0.1)
    numbers = [data for _, data, _ in slow.heard]
    assert slow.losses == 0
    assert set(range(numbers[0], numbers[-1] + 1)) == set(numbers), "none is missing"
    times = [recv_ns for *_, recv_ns in slow.heard]
    assert times == sorted(times), "time does not run backwards"


@pytest.mark.parametrize(
    "name, topic, frame",
    [
        ("binance_usdm", "btcusdt@markPrice@1s", {"stream": "btcusdt@markPrice@1s", "data": {"e": "markPriceUpdate"}}),
        ("binance_usdm", "ORDER_TRADE_UPDATE", {"e": "ORDER_TRADE_UPDATE", "E": 1, "o": {}}),
        ("bybit_linear", "tickers.BTCUSDT", {"topic": "tickers.BTCUSDT", "type": "delta", "data": {}, "ts": 1}),
        ("okx_swap", "funding-rate:BTC-USDT-SWAP", {"arg": {"channel": "funding-rate", "instId": "BTC-USDT-SWAP"}, "data": []}),
        ("okx_swap", "liquidation-orders:instType=SWAP", {"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": []}),
        ("okx_option", "option-trades:instType=OPTION,instFamily=BTC-USD", {"arg": {"channel": "option-trades", "instType": "OPTION", "instFamily": "BTC-USD"}, "data": []}),
        ("okx_swap", "orders-algo:instType=ANY", {"arg": {"channel": "orders-algo", "instType": "ANY", "uid": "77982378738415879"}, "data": []}),
        ("okx_swap", "status", {"arg": {"channel": "status"}, "data": []}),
    ],
)  # fmt: skip
def test_a_data_frame_names_the_topic_as_we_subscribe_it(name, topic, frame):
    venue = market(name).venue
    assert venue.topic_of(json.dumps(frame).encode()) == topic
    assert topic in venue.subscribe([topic], 1).decode() or name.startswith("okx")


@pytest.mark.parametrize(
    "topic, arg",
    [
        ("books:BTC-USDT", {"channel": "books", "instId": "BTC-USDT"}),
        ("liquidation-orders:instType=SWAP", {"channel": "liquidation-orders", "instType": "SWAP"}),
        ("option-trades:instType=OPTION,instFamily=BTC-USD", {"channel": "option-trades", "instType": "OPTION", "instFamily": "BTC-USD"}),
        ("status", {"channel": "status"}),
    ],
)
def test_a_topic_of_several_keys_is_asked_for_and_acknowledged_by_the_same_name(topic, arg):
    venue = market("okx_swap").venue
    assert json.loads(venue.subscribe([topic], 7)) == {"id": "7", "op": "subscribe", "args": [arg]}
    ack = venue.read_control(json.dumps({"id": "7", "event": "subscribe", "arg": arg, "connId": "x"}).encode())
    assert (ack.kind, ack.topics) == ("ack", (topic,))


@pytest.mark.parametrize(
    "name, frame",
    [
        ("binance_usdm", b'{"result":null,"id":1}'),
        ("binance_usdm", b'{"error":{"code":4,"msg":"Too many subscriptions"},"id":19}'),
        ("binance_spot", b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}'),
        ("binance_spot", b'{"e":"serverShutdown","E":1}'),
        ("bybit_linear", b'{"success":true,"ret_msg":"pong","conn_id":"x","req_id":"","op":"ping"}'),
        ("okx_swap", b"pong"),
        ("okx_swap", b'{"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"},"connId":"x"}'),
        ("okx_swap", b'{"event":"error","msg":"x","code":"60018","connId":"x"}'),
        ("okx_swap", b"\xff\xfe"),
        ("bybit_linear", b"[" * 5000),
    ],
)
def test_a_control_frame_is_no_data(name, frame):
    assert market(name).venue.topic_of(frame) is None


def test_logins_are_told_from_refusals():
    okx, bybit = market("okx_swap").venue, market("bybit_linear").venue
    assert okx.read_control(b'{"event":"login","code":"0","msg":"","connId":"a4d3ae55"}').kind == "login"
    assert okx.read_control(b'{"event":"error","code":"60009","msg":"Login failed.","connId":"x"}').kind == "refused"
    assert bybit.read_control(b'{"success":true,"ret_msg":"","op":"auth","conn_id":"cejreaspqfh3sjdnldmg-p"}').kind == "login"
    assert bybit.read_control(b'{"op":"auth","success":false,"retCode":10003,"retMsg":"Invalid apikey","connId":"x"}').kind == "refused"
