"""GET /snapshots/{exchange}/{symbol}: a stored book, or in words and with the right status why there is none."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web
from redis.exceptions import RedisError

from p9.client.film import Snapshot, SnapshotDamaged, SnapshotMissing
from p9.errors import ConfigError
from p9.snapshots.moment import moment_ns, moment_text


class SnapshotPage:
    """`look_up(exchange, symbol, at_ns)` gives the book, or raises what says why there is none."""

    def __init__(self, look_up: Callable[[str, str, int | None], Awaitable[Snapshot]]):
        self._look_up = look_up
        self.routes = [web.get("/snapshots/{exchange}/{symbol}", self._show)]

    async def _show(self, request: web.Request) -> web.Response:
        """?at= a time in any form (left out: the newest), ?depth= levels a side (left out: all)."""
        try:
            at_ns = moment_ns(request.query["at"], "at") if "at" in request.query else None
            depth = int(request.query.get("depth", "0"))
            if depth < 0:
                raise ValueError
        except ConfigError as error:
            return web.json_response({"error": str(error)}, status=400)
        except ValueError:
            return web.json_response({"error": "depth is a number of levels, 0 for all"}, status=400)
        try:
            snapshot = await self._look_up(request.match_info["exchange"], request.match_info["symbol"], at_ns)
        except SnapshotMissing as error:
            spans = [{"from": moment_text(first), "to": moment_text(last)} for first, last in error.spans]
            return web.json_response({"error": str(error), "spans": spans}, status=404)
        except SnapshotDamaged as error:
            return web.json_response({"error": str(error)}, status=500)
        except (OSError, RedisError) as error:
            return web.json_response({"error": f"where snapshots are stored does not answer: {error}"}, status=503)
        body = await asyncio.to_thread(lambda: msgspec.json.encode(snapshot.plain(depth)))
        return web.Response(body=body, content_type="application/json")
