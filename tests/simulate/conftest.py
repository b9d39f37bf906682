"""A simulator on a free port, with a plain HTTP and WebSocket client beside it."""

import asyncio
import json

import aiohttp
import pytest

from p9.simulate.server import Simulator
from tests.patience import PATIENCE_S


class Probe:
    """A simulator and one aiohttp session."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession):
        self.simulator, self.session = simulator, session

    async def get(self, market: str, path: str, **params) -> object:
        async with self.session.get(self.simulator.endpoints[market]["rest"] + path, params=params) as answer:
            return json.loads(await answer.text())

    async def get_raw(self, market: str, path: str, **params):
        """(status, headers, text)"""
        async with self.session.get(self.simulator.endpoints[market]["rest"] + path, params=params) as answer:
            return answer.status, answer.headers, await answer.text()

    async def oracle(self, market: str, symbol: str) -> dict:
        async with self.session.get(f"{self.simulator.url}/oracle/{market}/{symbol}") as answer:
            return await answer.json()

    async def post(self, path: str, body: dict | None = None) -> dict:
        async with self.session.post(self.simulator.url + path, json=body or {}) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def connect(self, market: str, path: str):
        socket = await self.session.ws_connect(self.simulator.endpoints[market]["ws"] + path, autoping=True)
        return socket

    @staticmethod
    async def rest_of(socket, quiet_s: float = 1.5) -> list[str]:
        """All frames until the socket is silent for `quiet_s` or closes."""
        frames = []
        while True:
            try:
                message = await socket.receive(quiet_s)
            except TimeoutError:
                return frames
            if message.type != aiohttp.WSMsgType.TEXT:
                return frames
            frames.append(message.data)

    @staticmethod
    async def next_json(socket, wanted=lambda frame: True, within_s: float = PATIENCE_S) -> dict:
        """The next frame that `wanted` accepts."""
        async with asyncio.timeout(within_s):
            while True:
                frame = json.loads(await socket.receive_str())
                if wanted(frame):
                    return frame


@pytest.fixture
async def start():
    """start(**arguments of Simulator) -> Probe"""
    running = []

    async def begin(**arguments) -> Probe:
        simulator = Simulator(**arguments)
        await simulator.start()
        probe = Probe(simulator, aiohttp.ClientSession())
        running.append(probe)
        return probe

    yield begin
    for probe in running:
        await probe.session.close()
        await probe.simulator.stop()


@pytest.fixture
async def probe(start):
    return await start()
