"""A venue of a few lines on loopback, for what the simulator does not do on purpose: odd answers, silence, slammed doors."""

import json
import time

import pytest
from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline
from picows import WSListener, WSMsgType, ws_create_server

from p9.venue import market


class Visitor(WSListener):
    """One client's socket as the server sees it."""

    def __init__(self, venue):
        self.venue = venue
        self.said = []

    def on_ws_connected(self, transport):
        self.transport = transport
        self.venue.visitors.append(self)
        self.venue.opened_s.append(time.monotonic())
        if self.venue.slam:
            transport.send_close()
            transport.disconnect()

    def on_ws_frame(self, transport, frame):
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            text = frame.get_payload_as_utf8_text()
            self.said.append((time.monotonic(), text))
            self.venue.on_message(self, text)

    def send(self, message):
        self.transport.send(WSMsgType.TEXT, (message if isinstance(message, str) else json.dumps(message)).encode())


class ScriptedVenue:
    """`on_message(visitor, text)` is the venue's behaviour; by default it acknowledges as the in-band venues of the tests do."""

    def __init__(self):
        self.visitors, self.opened_s, self.slam, self.on_message = [], [], False, self.acknowledge

    @staticmethod
    def acknowledge(visitor, text):
        message = json.loads(text)
        visitor.send(
            {"success": True, "ret_msg": "pong" if message["op"] == "ping" else "", "req_id": message.get("req_id", ""), "op": message["op"]}
        )


@pytest.fixture
async def venue():
    venue = ScriptedVenue()
    server = await ws_create_server(lambda request: Visitor(venue), "127.0.0.1", 0)
    venue.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield venue
    server.close()


def make_pipeline(row) -> Pipeline:
    clock = Clock()
    rule = row.sequence
    return Pipeline(
        market=row.name, exchange=row.exchange, normalizer=row.venue.normalizer(row), outbox=Outbox(clock, epoch=1), clock=clock, link=rule.link,
        rest_seeded=rule.rest_seeded, repeats_are_stale=rule.repeats_are_stale, restart_id=rule.restart_id, trades_numbered=row.trades_numbered,
    )  # fmt: skip


@pytest.fixture
def linear(venue):
    return market("bybit_linear").at("http://127.0.0.1:1", venue.url)


@pytest.fixture
async def run():
    """run(market name, backfill={settings of Backfill}, form=form of trades, speed=of depth, simulator=one that runs) -> Captured, synced"""
    from tests.capture.captured import BackfillSettings, Captured, Simulator

    running = []

    async def begin(name: str, **options) -> Captured:
        simulator = options.pop("simulator", None)
        if simulator is None:
            simulator = Simulator(seed=7, instruments=2, rate=2.0)
            await simulator.start()
        made = Captured(simulator, name, BackfillSettings(quiet_s=1.0, retry_first_s=0.2, **options.pop("backfill", {})), **options)
        running.append((simulator, made))
        return await made.__aenter__()

    yield begin
    for simulator, made in running:
        await made.__aexit__()
        await simulator.stop()
