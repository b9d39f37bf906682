"""What the venues' REST sides share: refusals and JSON answers."""

import ujson
from aiohttp import web


class Refusal(Exception):
    """An answer that is not data: HTTP status, body text, headers."""

    def __init__(
        self, status: int, body: str, headers: dict[str, str] | None = None, content_type: str = "application/json"
    ):
        super().__init__(body)
        self.status, self.body, self.headers, self.content_type = status, body, headers or {}, content_type

    def response(self) -> web.Response:
        return web.Response(status=self.status, text=self.body, headers=self.headers, content_type=self.content_type)


def dumps(value: object) -> str:
    return ujson.dumps(value, escape_forward_slashes=False, ensure_ascii=False)


def json_response(text: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(text=text, content_type="application/json", headers=headers)
