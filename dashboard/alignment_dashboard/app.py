"""The dashboard's navigation and page settings; each page is a file in app_pages."""

from pathlib import Path

import streamlit as st

# Streamlit fetches a named icon from a public server, so the icon is a file of this package.
st.set_page_config(page_title="Alignment jobs", page_icon=Path(__file__).with_name("icon.svg"), layout="wide")
st.navigation(
    [
        st.Page("app_pages/runs.py", title="Jobs", icon=":material/list:", default=True),
        st.Page("app_pages/run.py", title="Job", icon=":material/show_chart:", url_path="run", visibility="hidden"),
    ],
    position="top",
).run()
