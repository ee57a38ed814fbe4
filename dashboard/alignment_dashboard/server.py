"""The dashboard as an ASGI application: Streamlit's pages, and an address that tells whether they can be served."""

import gc
import json
import logging
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import streamlit
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import BaseRoute, Route
from streamlit import config, runtime
from streamlit.starlette import App

from alignment_dashboard import cache
from alignment_dashboard.facts.run_list.first_view import first_view
from alignment_dashboard.pieces.notice import show_notice

logger = logging.getLogger(__name__)

WIDGETS, TABLE, CHART = ("Button", "TextInput", "DownloadButton"), "DataFrame", "EChartsChart"
"""Parts of Streamlit's script: a browser would ask for each only when it gets the first element that needs it."""

LIST = ""
LIST_SECONDS = 0.5
"""How long the list of runs waits for its rows before it is answered without them."""

PAGES: Mapping[str, Sequence[str]] = {
    LIST: (TABLE, *WIDGETS),
    "run": (CHART,),
    "compare": (CHART, TABLE),
    "samples": (TABLE,),
    "rows": (),
}
"""The paths of the pages, below the base path, and the parts that a browser loads while the server still makes the page."""

TITLE = "Alignment runs"
_INDEX = Path(streamlit.__file__).parent / "static" / "index.html"
_SCRIPTS, _STYLES = (
    [file.read_text(encoding="utf-8") for file in sorted(Path(__file__).parent.glob(pattern))] for pattern in ("*.js", "*.css")
)
# Streamlit has no option for this: the page begins in the dark where it is dark.
_COLOUR_SCHEME = '<meta name="color-scheme" content="light dark">'


def application() -> App:
    """Return the application; Streamlit's settings must be loaded before."""
    routes: list[BaseRoute] = [Route("/healthz", answer_health), *page_routes(config.get_option("server.baseUrlPath"))]
    return App(Path(__file__).with_name("app.py"), lifespan=reading, routes=routes, on_script_error=explain)


@asynccontextmanager
async def reading(_: App) -> AsyncIterator[None]:
    """Begin to read jobs and runs, so that the first visitor does not wait for them."""
    threading.Thread(target=_read_first, name="first reading", daemon=True).start()
    yield


def _read_first() -> None:
    cache.listing()
    # The first reading of runs imports MLflow, which takes seconds.
    cache.headlines()
    cache.overview()
    # What is there now stays: Python's collector need not scan it again and again.
    gc.collect()
    gc.freeze()
    # Python waits with whole collections until a quarter of what the last one left is new; this one leaves nothing.
    gc.collect()


async def answer_health(_: Request) -> PlainTextResponse:
    """Answer 200 if a browser can connect now, else 503."""
    ready, _message = await runtime.get_instance().is_ready_for_browser_connection
    return PlainTextResponse("ok" if ready else "not ready", 200 if ready else 503)


def page_routes(base_path: str) -> list[BaseRoute]:
    """Return the routes of the pages; all get the same HTML, which knows from its own address where the server is."""
    html = _INDEX.read_text(encoding="utf-8").replace("<title>Streamlit</title>", f"<title>{TITLE}</title>")
    scripts = "".join(f"<script>{script}</script>" for script in _SCRIPTS)
    styles = "".join(f"<style>{style}</style>" for style in _STYLES)
    html = html.replace("<head>", f"<head>{_server()}{scripts}{_COLOUR_SCHEME}{styles}", 1)
    prefix = f"/{base_path.strip('/')}".rstrip("/")
    return [
        Route(f"{prefix}/{page}", partial(_answer_page, html.replace("</head>", f"{_early(parts)}</head>", 1), page))
        for page, parts in PAGES.items()
    ]


def _server() -> str:
    """Return a script that tells Streamlit's own where the server is and which pages may embed it.

    Without the address it takes that of a page such as /run for the base path, and asks /run/_stcore/health first. Without the
    rest it asks the server twice before it connects.
    """
    known = json.dumps({"allowedOrigins": config.get_option("client.allowedOrigins"), "useExternalAuthToken": False})
    address = 'new URL(".", window.location.href).href'
    return f"<script>window.__streamlit = {{BACKEND_BASE_URL: {address}, HOST_CONFIG: {known}}}</script>"


def _early(parts: Sequence[str]) -> str:
    """Return a script that loads parts of Streamlit's script once the page itself is loaded; without one, they come later."""
    static = _INDEX.parent / "static"
    scripts = [file.name for part in parts for file in (static / "js").glob(f"{part}.*.js")]
    styles = [file.name for part in parts for file in (static / "css").glob(f"{part}.*.css")]
    loads = "".join(f"import('./static/js/{name}').catch(() => {{}});" for name in scripts)
    # Streamlit draws a part only when its style sheet is there as well.
    loads += "".join(f"fetch('./static/css/{name}').catch(() => {{}});" for name in styles)
    return f'<script>addEventListener("load", () => {{ {loads} }});</script>' if loads else ""


# Starlette calls what is not async in a thread of its own, and the list of runs may wait for a newer one.
def _answer_page(html: str, page: str, request: Request) -> HTMLResponse:
    if page != LIST:
        return HTMLResponse(html, headers={"Cache-Control": "no-cache"})
    html = html.replace("<body>", f"<body>{_list_now(request.query_params)}", 1)
    # After Back a browser would show the rows of then, without asking.
    return HTMLResponse(html, headers={"Cache-Control": "no-store"})


def _list_now(asked: Mapping[str, str]) -> str:
    """Return the list of runs as HTML; nothing if it cannot be read within a moment."""
    try:
        known = cache.overview(LIST_SECONDS)
        return "" if known.problem else first_view(cache.listing(), known, asked, datetime.now(UTC))
    except Exception:  # the page itself comes later, and shows what went wrong
        logger.exception("the list of runs could not be written as HTML")
        return ""


def explain(_: Exception) -> bool:
    """Show that a page has a defect; Streamlit has written the traceback to the log."""
    show_notice(
        "Defect",
        "red",
        "This part of the page failed with an error that nobody expected. Reload the page to try again; the dashboard's log has "
        "the traceback.",
    )
    return True
