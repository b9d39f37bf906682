"""The appliance's pages, as the configuration says."""

from typing import Any

import structlog

from p9.config.appliance import Http
from p9.config.redacted import redacted
from p9.ops.dashboard.dashboard import Dashboard
from p9.ops.dashboard.history import History
from p9.ops.dashboard.sources import Sources
from p9.ops.full_book_page import full_book_page
from p9.ops.gate import Gate, token_of
from p9.ops.pages import Pages
from p9.ops.snapshot_page import SnapshotPage

log = structlog.get_logger(part="pages")


def pages_of(appliance: Any, http: Http) -> Pages:
    """`appliance`: whose state they show (app.Appliance), also after it was configured anew: its parts are asked for when they are looked at.

    Raises ConfigError where strangers could come in and no token can be asked for.
    """
    token, kept_in = token_of(http.host, environment=http.token_env, file=http.token_file, folder=appliance.folder)
    if kept_in is not None:
        log.warning("strangers can reach the pages, so they ask for a token", address=http.host, token_is_in=str(kept_in))
    sources = Sources(
        captures=lambda: appliance.captures, status=appliance.status, not_ready=appliance.not_ready, config=lambda: redacted(appliance.config),
        budgets=appliance.budgets, ledger=appliance.ledger, watch=appliance.watch, history=History(lambda: appliance.publisher.bus.client),
    )  # fmt: skip
    dashboard = Dashboard(sources, most=http.max_viewers, simulated=appliance.endpoints is not None, pages=lambda: pages.figures())
    pages = Pages(
        host=http.host, port=http.port, status=appliance.status, ready=appliance.not_ready, book=appliance.book, gaps=appliance.ledger.rows,
        config=sources.config, dashboard=dashboard, gate=Gate(host=http.host, names=http.names, token=token), most=http.max_connections,
        more=SnapshotPage(appliance.snapshot).routes, full_book=full_book_page(appliance.full_book),
    )  # fmt: skip
    if not dashboard.charts:
        log.warning("the charts are missing", hint="the build found no npm; everything else is shown (docs/dashboard.md)")
    return pages
