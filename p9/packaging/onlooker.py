"""Look at the dashboard of a running executable as a browser does: every file of the page, and every view through the live socket."""

import asyncio
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

STATIC = Path(__file__).resolve().parents[1] / "ops" / "dashboard" / "static"
SERVED = (".js", ".mjs", ".css", ".svg")
VIEWS = ("overview", "desk", "boards", "options", "timeline", "system")
PATIENCE_S = 30.0


def differing_files(url: str) -> list[str]:
    """The files of the page that are not served as they lie in this checkout; the charting libraries are among them if they were fetched."""
    names = {"": "index.html"}
    for path in STATIC.rglob("*"):
        if path.suffix in SERVED:
            name = path.relative_to(STATIC).as_posix()
            names[f"static/{name}"] = name
    differing = []
    for place, name in names.items():
        try:
            with urllib.request.urlopen(f"{url}/{place}") as answer:
                same = answer.read() == (STATIC / name).read_bytes()
        except urllib.error.HTTPError:
            same = False
        if not same:
            differing.append(name)
    return differing


def look(url: str) -> dict[str, Any]:
    """What the page is told of itself, and of each view whether it was shown: {"hello": …, "views": [names]}."""
    return asyncio.run(_look(url))


async def _look(url: str) -> dict[str, Any]:
    import aiohttp

    seen: dict[str, Any] = {"hello": {}, "views": []}
    async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as http, http.ws_connect(f"{url}/live") as page:
        while not seen["hello"].get("underlyings"):  # when options are published too, every view has something to show
            seen["hello"] = (await page.receive_json()).get("hello", seen["hello"])
        exchange, symbol, _ = seen["hello"]["instruments"][0]
        of_options, underlying = seen["hello"]["underlyings"][0]
        more = {"desk": {"exchange": exchange, "symbol": symbol, "timeframe": "1m"}, "options": {"exchange": of_options, "underlying": underlying}}
        for view in VIEWS:
            await page.send_json({"look": {"view": view, **more.get(view, {})}})
            while True:
                message = await page.receive_json()
                if f"view={view}" in message.get("view", "") and ("full" in message or "absent" in message):
                    break
            if "full" in message:
                seen["views"].append(view)
    return seen
