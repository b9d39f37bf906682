"""Who may ask: the name we are called by, the page that asks, and the token where strangers can reach us."""

import hashlib
import hmac
import ipaddress
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from p9.errors import ConfigError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
OPEN = frozenset({"/livez", "/readyz", "/startupz", "/healthz"})  # for those who start and stop us; they say no more than which book is not synced
LOGIN = frozenset({"/login", "/static/css/theme.css", "/static/css/login.css"})
COOKIE = "p9_pass"
COOKIE_S = 30 * 86400
LEAST_TOKEN = 16  # characters: it is asked for over a network
TOKEN_FILE = "http_token"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def token_of(host: str, *, environment: str, file: str, folder: Path) -> tuple[str, Path | None]:
    """The token that strangers must know, and the file that we keep it in, if it is ours; ("", None): none is asked for.

    The variable named `environment` is believed first, then `file`. Where neither tells one and `host` is no loopback address, we make one
    and keep it in `folder`. Raises ConfigError.
    """
    token = os.environ.get(environment, "").strip() if environment else ""
    where = f"environment: {environment}"
    if not token and file:
        where = f"http.token_file: {file}"
        try:
            token = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the token cannot be read: {error}", where=where) from None
    if token or file:
        if len(token) < LEAST_TOKEN:
            raise ConfigError(f"a token has at least {LEAST_TOKEN} characters, found {len(token)}", where=where, hint="openssl rand -hex 16 makes one")
        return token, None
    if is_loopback(host):
        return "", None
    return _own_token(folder / TOKEN_FILE)


def _own_token(path: Path) -> tuple[str, Path]:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        token = ""
    if len(token) >= LEAST_TOKEN:
        return token, path
    token = secrets.token_hex(16)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(token + "\n")
    except OSError as error:
        raise ConfigError(
            f"strangers can reach this address, and the token that would keep them out cannot be written: {error}", where="http.host",
            hint="listen on 127.0.0.1, or set http.token_file",
        ) from None  # fmt: skip
    return token, path


class Gate:
    """`host`: what we listen on; `names`: others that we are called by, behind a proxy; `token` empty: whoever reaches us may look."""

    def __init__(self, *, host: str, names: tuple[str, ...] = (), token: str = ""):
        self._names = {"localhost", host.lower(), *(name.lower() for name in names)}
        self._token = token.encode()
        self._pass = hmac.new(self._token, b"p9 dashboard pass", hashlib.sha256).hexdigest() if token else ""
        self.turned_away = 0

    @property
    def asks(self) -> bool:
        """Whether a token is asked for."""
        return bool(self._token)

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse before anything is looked up, and put the headers on whatever is answered."""
        refusal = self._refusal(request)
        if refusal is not None:
            self.turned_away += 1
            response: web.StreamResponse = refusal
        else:
            try:
                response = await handler(request)
            except web.HTTPException as error:
                response = error
        if not response.prepared:
            response.headers.update(HEADERS)
            response.headers.setdefault("Cache-Control", "no-store")
        if isinstance(response, web.HTTPException):
            raise response
        return response

    def _refusal(self, request: web.Request) -> web.Response | None:
        if not self._called_so(request.host):
            return web.Response(status=421, text="this is not the name of this machine\n")
        if not self._asked_by_our_page(request):
            return web.Response(status=403, text="asked by the page of somebody else\n")
        if not self._token or request.path in OPEN or request.path in LOGIN or self._known(request):
            return None
        if request.path == "/" and request.method == "GET":
            return web.Response(status=303, headers={"Location": "/login"})
        return web.Response(status=401, text="a token is asked for: log in at /login, or send it as Authorization: Bearer\n", headers={"WWW-Authenticate": "Bearer"})

    def _called_so(self, host: str) -> bool:
        """A page elsewhere must not read ours through a name that it points at this machine (DNS rebinding)."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
            return name in self._names or bool(ipaddress.ip_address(name))
        except ValueError:
            return False

    @staticmethod
    def _asked_by_our_page(request: web.Request) -> bool:
        """Browsers say which page asks, of a WebSocket too, where no other rule of theirs protects us. Who sends no such header is no page."""
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() != request.host.lower():
            return False
        return request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin") or request.headers.get("Sec-Fetch-Mode") == "navigate"

    def _known(self, request: web.Request) -> bool:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return hmac.compare_digest(token.strip().encode("utf-8", "surrogateescape"), self._token)
        return hmac.compare_digest(request.cookies.get(COOKIE, "").encode("utf-8", "surrogateescape"), self._pass.encode())

    def lets_in(self, token: str, answer: web.StreamResponse) -> bool:
        """Whether `token` is the one; then `answer` gets the pass that stands for it, so that it is said once and kept nowhere."""
        if not hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self._token):
            self.turned_away += 1
            return False
        answer.set_cookie(COOKIE, self._pass, max_age=COOKIE_S, httponly=True, samesite="Strict", path="/")
        return True
