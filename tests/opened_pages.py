"""Opens the dashboard's pages in Streamlit's test harness."""

from importlib.resources import files
from urllib.parse import parse_qs, urlsplit

from alignment_dashboard import cache
from streamlit.testing.v1 import AppTest

_APP = str(files("alignment_dashboard") / "app.py")


def page(identity: str | None = None, **parameters: str) -> AppTest:
    """Open the list of jobs, or the page of one job with more parameters in its address."""
    cache.clear()
    app = AppTest.from_file(_APP, default_timeout=30)
    if identity is not None:
        app.switch_page("app_pages/run.py")
        for name, value in {"job": identity, **parameters}.items():
            app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def page_at(file: str, **query: str) -> AppTest:
    """Open a page with the given parts of its address."""
    cache.clear()
    app = AppTest.from_file(_APP, default_timeout=30)
    app.switch_page(file)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    """Return all text of a page, without the backslashes of escaped markdown."""
    kinds = ("title", "header", "subheader", "text", "caption", "markdown", "code")
    return "\n".join(str(element.value) for kind in kinds for element in getattr(app, kind)).replace("\\", "")


def shown_names(app: AppTest) -> list[str]:
    """Return the names in the table of the list, as the browser shows them: a part of each link."""
    return [parse_qs(urlsplit(link).query)["name"][0] for link in app.dataframe[0].value["run"]]


def chips(app: AppTest) -> list[str]:
    """Return the filters above the list, each with its count."""
    return [button.label.partition("] ")[2].replace("*", "") for button in app.button if str(button.key).startswith("chip-")]
