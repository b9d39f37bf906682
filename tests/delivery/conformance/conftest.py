"""One suite, three servers: what the machine's redis-server does, Valkey and the built-in server must do too."""

import pytest
import redis

from tests.delivery.redis_servers import KINDS, RawClient, running
from tests.patience import PATIENCE_S


@pytest.fixture(scope="package", params=KINDS)
def port(request, tmp_path_factory):
    with running(request.param, tmp_path_factory.mktemp(request.param)) as number:
        yield number


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def protocol(request):
    return request.param


@pytest.fixture
def db(port, protocol):
    client = redis.Redis(port=port, protocol=protocol, socket_timeout=PATIENCE_S)
    client.config_set("maxmemory", 0)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def raw(port, protocol):
    with RawClient(port) as client:
        client.ask("CONFIG", "SET", "maxmemory", 0)
        client.ask("FLUSHALL")
        if protocol == 3:
            client.ask("HELLO", 3)
        yield client
