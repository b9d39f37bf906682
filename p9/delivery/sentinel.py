"""A master that Sentinels name: redis-py asks them, and every new connection goes to whoever is the master then."""

from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.asyncio.sentinel import Sentinel

from p9.delivery.bus import QUICK, Bus, Place


def sentinels(hosts: list[tuple[str, int]], password: str = "", **options: Any) -> Sentinel:
    """redis-py's, that asks `hosts`; `options` are the master's. The Sentinels speak TLS where the master does, and have a password of their own."""
    tls = {key: value for key, value in options.items() if key.startswith("ssl")}
    secret = {"password": password} if password else {}
    return Sentinel(hosts, sentinel_kwargs={**QUICK, **tls, **secret}, **{**QUICK, **options})


class SentinelBus(Bus):
    """After a failover the old connection is lost, or says READONLY; the next one is made to the new master."""

    def __init__(self, hosts: list[tuple[str, int]], master: str, password: str = "", **options: Any):
        self.master = master
        self.client = sentinels(hosts, password, **options).master_for(master)
        self.run_id = ""

    async def _place(self, settings: AbstractConnection) -> Place:
        return await self.client.connection_pool.get_master_address()

    @property
    def where(self) -> str:
        known = self.client.connection_pool.master_address
        return f"{self.master} at {known[0]}:{known[1]}" if known else self.master
