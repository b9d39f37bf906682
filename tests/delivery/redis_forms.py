"""Redis in its other forms, of real processes: a master with a replica under three Sentinels, and a Cluster of three masters."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import redis

from tests.delivery.redis_process import RedisProcess, free_port, server_binary, spawn
from tests.patience import PATIENCE_S

MASTER = "p9master"


def wait_for(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.suppress(redis.RedisError, OSError):
            if condition():
                return
        assert time.monotonic() < deadline_s, "it does not come about"
        time.sleep(0.02)


class SentinelForm:
    """`hosts` are the Sentinels; `servers[0]` is the master at first."""

    def __init__(self, folder: Path, n_sentinels: int = 3):
        self.folder = folder
        self.servers = [RedisProcess(folder / f"server{n}", "--repl-diskless-sync", "yes", "--repl-ping-replica-period", "1") for n in range(2)]
        self.hosts = [("127.0.0.1", free_port()) for _ in range(n_sentinels)]
        self._sentinels: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "SentinelForm":
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        master, replica = self.servers
        master.start()
        replica.start("--replicaof", "127.0.0.1", str(master.port))
        for number, (_, port) in enumerate(self.hosts):
            config = self.folder / f"sentinel{number}.conf"
            config.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {self.folder}\nsentinel monitor {MASTER} 127.0.0.1 {master.port} 2\n"
                f"sentinel down-after-milliseconds {MASTER} 300\nsentinel failover-timeout {MASTER} 2000\nsentinel parallel-syncs {MASTER} 1\n"
            )
            self._sentinels.append(spawn([server_binary(), str(config), "--sentinel"]))
        wait_for(lambda: replica.client().info("replication")["master_link_status"] == "up")
        for _, port in self.hosts:
            asked = redis.Redis(port=port)
            wait_for(lambda asked=asked: self._sees_all(asked))

    def _sees_all(self, asked: redis.Redis) -> bool:
        state = asked.sentinel_master(MASTER)
        return state["num-other-sentinels"] == len(self.hosts) - 1 and state["num-slaves"] == 1

    def master_port(self) -> int:
        return redis.Redis(port=self.hosts[0][1]).sentinel_get_master_addr_by_name(MASTER)[1]

    def __exit__(self, *_: object) -> None:
        for sentinel in self._sentinels:
            sentinel.kill()
            sentinel.wait()
        for server in self.servers:
            server.__exit__()


class ClusterForm:
    """Three masters, and where asked for a replica each. All slots are covered when it is entered."""

    def __init__(self, folder: Path, replicas: bool = False, *options: str):
        def server(name: str) -> RedisProcess:
            self._bus_ports.append(free_port())
            return RedisProcess(
                folder / name, "--cluster-enabled", "yes", "--cluster-port", str(self._bus_ports[-1]), "--cluster-node-timeout", "500",
                "--repl-ping-replica-period", "1", "--repl-diskless-sync", "yes", *options,
            )  # fmt: skip

        self._bus_ports: list[int] = []  # a free port and 10000 may be none
        self.masters = [server(f"master{n}") for n in range(3)]
        self.replicas = [server(f"replica{n}") for n in range(3 if replicas else 0)]

    @property
    def hosts(self) -> list[tuple[str, int]]:
        return [("127.0.0.1", server.port) for server in self.masters]

    @property
    def url(self) -> str:
        return "redis://" + ",".join(f"{host}:{port}" for host, port in self.hosts) + "/0"

    def __enter__(self) -> "ClusterForm":
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        bounds = [0, 5461, 10923, 16384]
        everybody = self.masters + self.replicas
        for server in everybody:
            server.start()
        for n, server in enumerate(self.masters):
            server.client().execute_command("CLUSTER", "ADDSLOTSRANGE", bounds[n], bounds[n + 1] - 1)
            server.client().execute_command("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
        for server, bus_port in zip(everybody[1:], self._bus_ports[1:], strict=True):
            self.masters[0].client().execute_command("CLUSTER", "MEET", "127.0.0.1", server.port, bus_port)
        wait_for(lambda: all(server.client().execute_command("CLUSTER", "NODES").count(b"\n") == len(everybody) for server in everybody))
        for master, replica in zip(self.masters, self.replicas, strict=False):
            replica.client().execute_command("CLUSTER", "REPLICATE", self.id_of(master))
        wait_for(lambda: all(b"cluster_state:ok" in server.client().execute_command("CLUSTER", "INFO") for server in everybody))
        for replica in self.replicas:
            wait_for(lambda replica=replica: replica.client().info("replication").get("master_link_status") == "up")

    def id_of(self, server: RedisProcess) -> str:
        return server.client().execute_command("CLUSTER", "MYID").decode()

    def slot_of(self, name: bytes | str) -> int:
        return self._living().execute_command("CLUSTER", "KEYSLOT", name)

    def _living(self) -> redis.Redis:
        return next(server for server in self.masters if server.process is not None and server.process.poll() is None).client()

    def owner_of(self, name: bytes | str) -> RedisProcess:
        """As the first node that lives has it."""
        slot, everybody = self.slot_of(name), self.masters + self.replicas
        for first, last, (_, port, *_), *_ in self._living().execute_command("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(server for server in everybody if server.port == port)
        raise LookupError(slot)

    @contextlib.contextmanager
    def moving(self, name: bytes | str, to: RedisProcess, keys: list[bytes]) -> Iterator[None]:
        """The slot of `name` goes to another master: inside, its keys are there already and the slot is not."""
        slot, source = self.slot_of(name), self.owner_of(name)
        to.client().execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", self.id_of(source))
        source.client().execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", self.id_of(to))
        for key in keys:
            source.client().execute_command("MIGRATE", "127.0.0.1", to.port, key, 0, 1000)
        yield
        for server in (to, source, *(server for server in self.masters if server not in (to, source))):
            server.client().execute_command("CLUSTER", "SETSLOT", slot, "NODE", self.id_of(to))

    def __exit__(self, *_: object) -> None:
        for server in self.masters + self.replicas:
            server.__exit__()
