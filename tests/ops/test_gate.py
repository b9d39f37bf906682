"""Who may ask: names, pages, tokens; over a real socket where a browser would be."""

import re
import stat

import aiohttp
import pytest

from p9.errors import ConfigError
from p9.ops.gate import COOKIE, Gate, is_loopback, token_of
from tests.ops.dashboard.parts import outbox, served, sources

TOKEN = "a-token-that-is-long-enough"


@pytest.fixture
async def guarded():
    pages, _ = await served(sources(outbox()), gate=Gate(host="127.0.0.1", names=("desk.example",), token=TOKEN))
    yield pages
    await pages.stop()


@pytest.fixture
async def open_pages():
    pages, _ = await served(sources(outbox()))
    yield pages
    await pages.stop()


async def ask(url, path, *, method="GET", data=None, **headers):
    """(status, headers, text), following nothing."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(cookie_jar=jar) as http, http.request(method, url + path, data=data, headers=headers, allow_redirects=False) as answer:
        return answer.status, answer.headers, await answer.text()


@pytest.mark.parametrize("path", ["/status", "/metrics", "/config", "/gaps", "/books/a/b", "/static/js/main.js", "/live", "/static/login.html"])
async def test_without_the_token_nothing_is_shown(guarded, path):
    status, headers, text = await ask(guarded.url, path)
    assert status == 401 and "token" in text and headers["WWW-Authenticate"] == "Bearer"
    for wrong in ("", "Bearer", "Bearer " + TOKEN[:-1], "Bearer " + TOKEN + "x", "Basic " + TOKEN, "Bearer ütf"):
        assert (await ask(guarded.url, path, Authorization=wrong))[0] == 401, wrong
    for wrong in ("", TOKEN, "0" * 64):
        assert (await ask(guarded.url, path, Cookie=f"{COOKIE}={wrong}"))[0] == 401, wrong


async def test_those_who_watch_over_us_need_no_token(guarded):
    for path in ("/livez", "/readyz", "/startupz", "/healthz"):
        assert (await ask(guarded.url, path))[0] == 200
    assert (await ask(guarded.url, "/"))[:2][0] == 303
    assert (await ask(guarded.url, "/status", Authorization=f"Bearer {TOKEN}"))[0] == 200


async def test_a_person_says_the_token_once(guarded):
    status, _, page = await ask(guarded.url, "/login")
    assert status == 200 and 'type="password"' in page
    for style in re.findall(r'href="(/static/[^"]+)"', page):
        assert (await ask(guarded.url, style))[0] == 200, style
    status, headers, page = await ask(guarded.url, "/login", method="POST", data={"token": "wrong"})
    assert status == 403 and "Set-Cookie" not in headers and 'role="alert"' in page
    status, headers, _ = await ask(guarded.url, "/login", method="POST", data={"token": TOKEN})
    cookie = headers["Set-Cookie"]
    assert status == 303 and headers["Location"] == "/" and TOKEN not in cookie and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    passed = cookie.split(";")[0]
    assert (await ask(guarded.url, "/", Cookie=passed))[0] == 200
    other, _ = await served(sources(outbox()), gate=Gate(host="127.0.0.1", token=TOKEN))  # a restart asks nobody again
    assert (await ask(other.url, "/status", Cookie=passed))[0] == 200
    await other.stop()
    other, _ = await served(sources(outbox()), gate=Gate(host="127.0.0.1", token=TOKEN + "new"))  # another token asks everybody
    assert (await ask(other.url, "/status", Cookie=passed))[0] == 401
    await other.stop()


async def test_where_no_token_is_asked_for_there_is_no_login(open_pages):
    assert (await ask(open_pages.url, "/login"))[1]["Location"] == "/"
    assert (await ask(open_pages.url, "/login", method="POST", data={"token": ""}))[0] == 303


@pytest.mark.parametrize("path", ["/", "/status", "/live", "/config", "/readyz"])
async def test_a_page_elsewhere_is_refused_by_its_origin(open_pages, path):
    """A WebSocket obeys no other rule of browsers: any page may open one to this machine."""
    for origin in ("http://evil.example", "null", "https://127.0.0.1.evil.example", open_pages.url + "1", "file://"):
        assert (await ask(open_pages.url, path, Origin=origin))[0] == 403, origin
    assert (await ask(open_pages.url, path, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="cors"))[0] == 403
    assert (await ask(open_pages.url, path, Sec_Fetch_Site="same-site", Sec_Fetch_Mode="no-cors"))[0] == 403
    assert (await ask(open_pages.url, path, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate"))[0] != 403  # a link may lead here
    assert (await ask(open_pages.url, path, Origin=open_pages.url, Sec_Fetch_Site="same-origin"))[0] != 403


async def test_only_our_own_page_gets_a_websocket(open_pages):
    async with aiohttp.ClientSession() as http:
        for origin in (None, open_pages.url):
            async with http.ws_connect(open_pages.url + "/live", origin=origin) as page:
                assert "hello" in await page.receive_json(timeout=30)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(open_pages.url + "/live", origin="http://evil.example")
        assert refused.value.status == 403
    assert (await ask(open_pages.url, "/live"))[0] == 426


async def test_names_that_are_ours_are_answered(guarded):
    known = f"Bearer {TOKEN}"
    for host in ("desk.example", "DESK.example:80", "localhost", "127.0.0.1", "[::1]:9"):
        assert (await ask(guarded.url, "/status", Host=host, Authorization=known))[0] == 200, host
    for host in ("evil.example", "desk.example.evil.example", "a@desk.example", "[::1"):
        status = (await ask(guarded.url, "/status", Host=host, Authorization=known))[0]
        assert status in (400, 421) or (host == "a@desk.example" and status == 200), (host, status)


@pytest.mark.parametrize("host, inside", [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("desk", False)])
def test_loopback_is_what_only_this_machine_reaches(host, inside):
    assert is_loopback(host) is inside


def test_the_token_comes_from_the_environment_a_file_or_ourselves(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", f" {TOKEN}\n")
    file = tmp_path / "token"
    file.write_text("another-token-of-good-length\n")
    say = {"environment": "SOME_TOKEN", "file": str(file), "folder": tmp_path / "data"}
    assert token_of("127.0.0.1", **say) == (TOKEN, None)
    monkeypatch.delenv("SOME_TOKEN")
    assert token_of("127.0.0.1", **say) == ("another-token-of-good-length", None)
    assert token_of("127.0.0.1", **say | {"file": ""}) == ("", None)
    made, kept_in = token_of("0.0.0.0", **say | {"file": ""})
    assert len(made) >= 32 and kept_in.read_text().strip() == made and stat.S_IMODE(kept_in.stat().st_mode) == 0o600
    assert token_of("0.0.0.0", **say | {"file": ""}) == (made, kept_in)  # the next start asks for the same
    kept_in.write_text("short")
    assert token_of("0.0.0.0", **say | {"file": ""})[0] != "short"


def test_a_token_that_cannot_protect_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "short")
    with pytest.raises(ConfigError, match="at least 16"):
        token_of("127.0.0.1", environment="SOME_TOKEN", file="", folder=tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        token_of("127.0.0.1", environment="", file=str(tmp_path / "absent"), folder=tmp_path)
    (tmp_path / "blocked").write_text("")
    with pytest.raises(ConfigError, match="strangers can reach"):
        token_of("0.0.0.0", environment="", file="", folder=tmp_path / "blocked" / "data")
