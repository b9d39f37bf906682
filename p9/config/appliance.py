"""The appliance's own pages and its log."""

from typing import Annotated, Literal

from p9.config.section import Section, between, text


class Http(Section):
    """The appliance's own pages."""

    enabled: Annotated[bool, text("serve the health, metrics and status pages")] = True
    host: Annotated[str, text("address to listen on; loopback keeps strangers out")] = "127.0.0.1"
    port: Annotated[int, between(0, 65535, "port; 0 takes a free one")] = 8080


class Log(Section):
    """What is said, where and how."""

    level: Annotated[Literal["debug", "info", "warning", "error"], text("least severity that is written")] = "info"
    format: Annotated[Literal["auto", "text", "json"], text("auto: text on a terminal, else JSON lines")] = "auto"
