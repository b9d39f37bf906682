"""A Redis Cluster behind what a lane takes for one connection.

redis-py finds the nodes and their slots; the hot connections to the masters are our own. A lane writes one batch at a time: its commands are taken
apart here, go to the owners of their slots, each slot's in a MULTI … EXEC of its own (a transaction must not span slots), and the lane hears
one answer in the order that it wrote. MOVED and ASK are followed at once, so a reshard costs a channel nothing but the way; where a slot
has no owner (a failover that is not over) its commands answer with their error, and the outbox asks again.
While one master is away the lanes wait for it, as a batch in flight is never overtaken.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import hiredis
import structlog
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.crc import key_slot

from p9.delivery.bus import ANSWER_TIMEOUT_S, QUICK, UNREACHABLE, Bus, Place, greeted
from p9.errors import BusAway

log = structlog.get_logger(__name__)

MAX_REDIRECTS = 5
MULTI, EXEC, ASKING = (hiredis.pack_command((word,)) for word in ("MULTI", "EXEC", "ASKING"))


class ClusterBus(Bus):
    """`hosts`: any nodes of it."""

    sharded = True

    def __init__(self, hosts: list[tuple[str, int]], **options: Any):
        known = {key: value for key, value in {**QUICK, **options}.items() if key != "db"}  # a Cluster has but one
        self.client = RedisCluster(startup_nodes=[ClusterNode(host, port) for host, port in hosts], **known)
        self.hosts = hosts
        self.run_id = ""

    async def open(self, name: str, protocol: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
        """Connections to all masters, that look like one. `run_id` is that of all of them."""
        links = ClusterTransport(self, name)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self.client.initialize()
                await self.client.nodes_manager.initialize()
                for node in self.client.get_primaries():
                    await links.connect((node.host, node.port))
        except (*UNREACHABLE, BusAway) as error:
            links.abort()
            raise BusAway(str(error) or type(error).__name__, where=self.where) from None
        except BaseException:
            links.abort()
            raise
        self.run_id = ",".join(sorted(links.run_ids))
        heir = protocol()
        links.heir = heir
        heir.connection_made(links)
        return heir

    async def drop_idle(self) -> None:
        for node in self.client.get_nodes():
            await node.disconnect_free_connections()

    def owner(self, slot: int) -> Place | None:
        nodes = self.client.nodes_manager.slots_cache.get(slot)
        return (nodes[0].host, nodes[0].port) if nodes else None

    def settings(self) -> Any:
        """A connection of redis-py's, for its credentials and TLS."""
        node = self.client.get_random_node()
        return node.connection_class(**node.connection_kwargs)

    @property
    def where(self) -> str:
        return "cluster at " + ",".join(f"{host}:{port}" for host, port in self.hosts)


class _Link(asyncio.Protocol):
    """One master's connection: commands out, answers back in order."""

    def __init__(self, owner: "ClusterTransport", transport: asyncio.Transport):
        self.owner, self.transport = owner, transport
        self._reader = hiredis.Reader()
        self._waiting: list[tuple[int, asyncio.Future[list[Any]], list[Any]]] = []  # (replies to come, who waits, replies so far)

    def ask(self, data: bytes, n: int) -> "asyncio.Future[list[Any]]":
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((n, answer, []))
        self.transport.write(data)
        return answer

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while self._waiting and (reply := self._reader.gets()) is not False:
            n, answer, replies = self._waiting[0]
            replies.append(reply)
            if len(replies) == n:
                self._waiting.pop(0)
                if not answer.done():
                    answer.set_result(replies)

    def connection_lost(self, error: Exception | None) -> None:
        for _, answer, _ in self._waiting:
            answer.cancel()
        self.owner.lost(error)


class _Group:
    """Commands of one batch that are carried out together: those of one slot, or one alone. `numbers`: their places in the batch."""

    __slots__ = ("atomic", "commands", "numbers", "slot", "stores")

    def __init__(self, slot: int, atomic: bool):
        self.slot, self.atomic = slot, atomic
        self.numbers: list[int] = []
        self.commands: list[bytes] = []
        self.stores: list[bool] = []  # whether it names a key, not a channel

    def add(self, number: int, command: list[bytes]) -> None:
        self.numbers.append(number)
        self.commands.append(hiredis.pack_command(tuple(command)))
        self.stores.append(command[0] != b"SPUBLISH")

    def packed(self) -> tuple[bytes, int]:
        """Its bytes, and how many answers they have."""
        commands = [MULTI, *self.commands, EXEC] if self.atomic else self.commands
        return b"".join(commands), len(commands)

    def results(self, replies: list[Any]) -> list[Any]:
        """One for each command: its own, or the error that spared all of them."""
        if not self.atomic:
            return replies
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError):
                return [reply] * len(self.commands)
        return replies[-1]

    def parts(self) -> list["_Group"]:
        """While a slot is on its way a transaction may name one key and no channel: the stores together, each publication alone."""
        stores = _Group(self.slot, self.atomic)
        parts = [stores]
        for number, command, store in zip(self.numbers, self.commands, self.stores, strict=True):
            part = stores if store else _Group(self.slot, False)
            part.numbers.append(number)
            part.commands.append(command)
            if not store:
                parts.append(part)
        return [part for part in parts if part.commands]


class ClusterTransport(asyncio.Transport):
    """What a lane writes to."""

    def __init__(self, bus: ClusterBus, name: str):
        super().__init__()
        self.heir: Any = None
        self.run_ids: list[str] = []
        self._bus, self._name = bus, name
        self._links: dict[Place, _Link] = {}
        self._slots: dict[bytes, int] = {}  # of the names seen
        self._moved: dict[int, Place] = {}  # newer than redis-py's map
        self._carrying: asyncio.Task[None] | None = None
        self._closed = False

    async def connect(self, place: Place) -> _Link:
        link = self._links.get(place)
        if link is None:
            transport, run_id = await greeted(self._bus.settings(), place, self._name, self._bus.where)
            self.run_ids.append(run_id)
            link = self._links[place] = _Link(self, transport)
            transport.set_protocol(link)
        return link

    def write(self, data: Any) -> None:
        """One batch: MULTI … EXEC, or plain commands."""
        reader = hiredis.Reader()
        reader.feed(data)
        commands = []
        while (command := reader.gets()) is not False:
            commands.append(command)
        atomic = commands[0][0] == b"MULTI"
        if atomic:
            commands = commands[1:-1]
        groups: dict[Any, _Group] = {}
        for number, command in enumerate(commands):
            slot = self._slot(command[1])
            group = groups.setdefault(slot if atomic else number, _Group(slot, atomic))
            group.add(number, command)
        self._carrying = asyncio.create_task(self._carry(list(groups.values()), len(commands), atomic))

    def _slot(self, name: bytes) -> int:
        slot = self._slots.get(name)
        if slot is None:
            slot = self._slots[name] = key_slot(name)
        return slot

    def _place(self, slot: int) -> Place | None:
        return self._moved.get(slot) or self._bus.owner(slot)

    async def _carry(self, groups: list[_Group], n: int, atomic: bool) -> None:
        """To the owners, all at once; the answers to the lane in the order of the batch."""
        results: list[Any] = [None] * n
        try:
            by_place: dict[Place | None, list[_Group]] = {}
            for group in groups:
                by_place.setdefault(self._place(group.slot), []).append(group)
            await asyncio.gather(*(self._at(place, some, results) for place, some in by_place.items()))
            for _ in range(MAX_REDIRECTS):
                turned = [group for group in groups if _redirect(results[group.numbers[0]])]
                if not turned:
                    break
                await asyncio.gather(*(self._follow(group, results) for group in turned))
        except (*UNREACHABLE, BusAway, asyncio.CancelledError) as error:
            self.lost(error if isinstance(error, Exception) else None)
            return
        except Exception as error:
            log.exception("a batch for the cluster could not be carried")
            self.lost(error)
            return
        head = b"+OK\r\n" + b"+QUEUED\r\n" * n + b"*%d\r\n" % n if atomic else b""
        if self.heir is not None and not self._closed:
            self.heir.data_received(head + b"".join(map(_encoded, results)))

    async def _at(self, place: Place | None, groups: list[_Group], results: list[Any]) -> None:
        if place is None:
            error = hiredis.ReplyError("CLUSTERDOWN no master is known for the slot")
            for group in groups:
                _put(results, group, [error] * len(group.commands))
            return
        packed = [group.packed() for group in groups]
        link = await self._within(self.connect(place))
        replies = await link.ask(b"".join(data for data, _ in packed), sum(n for _, n in packed))
        at = 0
        for group, (_, n) in zip(groups, packed, strict=True):
            _put(results, group, group.results(replies[at : at + n]))
            at += n

    async def _follow(self, group: _Group, results: list[Any]) -> None:
        """Where MOVED or ASK points."""
        redirect = _redirect(results[group.numbers[0]])
        assert redirect is not None
        kind, slot, (host, port) = redirect
        place = (host or self._bus.hosts[0][0], port)
        if kind == "MOVED":
            self._moved[slot] = place
            await self._at(place, [group], results)
            return
        link = await self._within(self.connect(place))
        for part in group.parts():
            data, n = part.packed()  # ASKING holds for one command, or for one whole transaction
            replies = await link.ask(ASKING + data, 1 + n)
            _put(results, part, part.results(replies[1:]))

    async def _within(self, connecting: Any) -> _Link:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await connecting

    def lost(self, error: Exception | None) -> None:
        """One connection of them is gone: so is the whole."""
        if self._closed:
            return
        self._closed = True
        for link in self._links.values():
            link.transport.abort()
        if self._carrying is not None and self._carrying is not asyncio.current_task():
            self._carrying.cancel()
        if self.heir is not None:
            asyncio.get_running_loop().call_soon(self.heir.connection_lost, error)

    def abort(self) -> None:
        self.lost(None)

    close = abort

    def is_closing(self) -> bool:
        return self._closed


def _redirect(result: Any) -> tuple[str, int, tuple[str, int]] | None:
    """(MOVED or ASK, slot, place)"""
    words = str(result).split() if isinstance(result, hiredis.ReplyError) else []
    if len(words) != 3 or words[0] not in ("MOVED", "ASK"):
        return None
    host, _, port = words[2].rpartition(":")
    return words[0], int(words[1]), (host, int(port))


def _put(results: list[Any], group: _Group, found: list[Any]) -> None:
    for number, result in zip(group.numbers, found, strict=True):
        results[number] = result


def _encoded(result: Any) -> bytes:
    if isinstance(result, int):
        return b":%d\r\n" % result
    if isinstance(result, bytes):
        return b"$%d\r\n%b\r\n" % (len(result), result)
    if isinstance(result, hiredis.ReplyError):
        return b"-" + str(result).encode() + b"\r\n"
    return b"$-1\r\n"

