"""Opens the dashboard's pages in Streamlit's test harness."""

from importlib.resources import files

from alignment_dashboard import cache
from streamlit.testing.v1 import AppTest

_APP = str(files("alignment_dashboard") / "app.py")


def page(identity: str | None = None) -> AppTest:
    """Open the list of jobs, or the page of one job."""
    cache.clear()
    app = AppTest.from_file(_APP, default_timeout=30)
    if identity is not None:
        app.switch_page("app_pages/run.py")
        app.query_params["job"] = identity
    app.run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    """Return all text of a page, without the backslashes of escaped markdown."""
    kinds = ("title", "subheader", "text", "caption", "markdown", "code")
    return "\n".join(str(element.value) for kind in kinds for element in getattr(app, kind)).replace("\\", "")
