"""The appliance's own pages and its log."""

from typing import Annotated, Literal

from p9.config.section import Bytes, Section, between, text


class Http(Section):
    """The appliance's own pages."""

    enabled: Annotated[bool, text("serve the health, metrics and status pages")] = True
    host: Annotated[str, text("address to listen on; loopback keeps strangers out")] = "127.0.0.1"
    port: Annotated[int, between(0, 65535, "port; 0 takes a free one")] = 8080
    names: Annotated[tuple[str, ...], text("names that the pages are called by besides the address, such as a proxy's; any other is refused")] = ()
    token_env: Annotated[str, text("name of the environment variable that holds the token which the pages ask for")] = "P9_HTTP_TOKEN"
    token_file: Annotated[
        str, text("file that holds the token; with neither, none is asked for on loopback, and one is made in data_dir (http_token) elsewhere")
    ] = ""
    max_connections: Annotated[int, between(8, 4096, "connections at a time; more are refused, lest they take the file descriptors of the capture")] = 256
    max_viewers: Annotated[int, between(0, 1024, "pages of the live dashboard that may be looked at at a time")] = 32


class Log(Section):
    """What is said, where and how."""

    level: Annotated[Literal["debug", "info", "warning", "error"], text("least severity that is written")] = "info"
    file: Annotated[str, text("JSON lines go there too: a name in the data directory, or a whole path; empty: nowhere")] = "logs/p9_microstream.jsonl"
    file_bytes: Annotated[Bytes, text("size of it; then it is set aside")] = Bytes("16MB")
    files: Annotated[int, between(1, 100, "of those set aside that are kept")] = 5
    format: Annotated[Literal["auto", "text", "json"], text("auto: text on a terminal, else JSON lines")] = "auto"

    _bounds = {"file_bytes": (Bytes("64kB"), Bytes("10GB"))}
