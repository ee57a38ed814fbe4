"""The navigation between the pages, and their titles in the browser; each page is a file in app_pages."""

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from alignment_dashboard import cache

# Streamlit fetches a named icon from a public server, so the icon is a file of this package.
ICON = Path(__file__).with_name("icon.svg")


def show() -> None:
    """Show the bar of pages and the page that the address names."""
    page = st.navigation(
        [
            st.Page("app_pages/runs.py", title="Runs", default=True),
            st.Page("app_pages/compare.py", title="Compare", url_path="compare"),
            st.Page("app_pages/samples.py", title="Samples", url_path="samples"),
            st.Page("app_pages/rows.py", title="Rows", url_path="rows", visibility="hidden"),
            st.Page("app_pages/run.py", title="Run", url_path="run", visibility="hidden"),
        ],
        position="top",
    )
    st.set_page_config(page_title=write_title(page), page_icon=ICON, layout="wide")
    st.logo(str(ICON), size="small")
    page.run()


def write_title(page: StreamlitPage) -> str:
    """Return the title of the browser's tab; a page of one run has its name, so that several tabs differ."""
    job = cache.listing().find(st.query_params.get("job", "")) if page.url_path == "run" else None
    return f"{job.metadata.name if job else page.title} · Alignment"


show()
