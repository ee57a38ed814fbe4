"""Streamlit's settings: a dense page, quiet defaults, and one theme for light and dark."""

import json
from collections.abc import Mapping
from typing import Any

from streamlit import config
from streamlit.web.bootstrap import load_config_options

from alignment_dashboard.facts import colours

SETTINGS: dict[str, Any] = {
    "server.headless": True,
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": False,
    # The welcome message asks a server on the internet for this machine's address.
    "logger.hideWelcomeMessage": True,
    "client.toolbarMode": "minimal",
    # The pages have CSV of their own, with the values in full and without addresses.
    "client.disableDataExport": True,
    "client.showErrorDetails": "none",
    "runner.magicEnabled": False,
    # After each refresh of each page, Streamlit would scan all objects of the process, which takes a tenth of a second with
    # 1,000 jobs; Python collects often enough by itself.
    "runner.postScriptGC": False,
    "theme.baseFontSize": 14,
    "theme.baseRadius": "small",
    "theme.headingFontSizes": '["1.4rem", "1.15rem", "1rem"]',
    "theme.metricValueFontSize": "1.2rem",
    "theme.paddingTop": "0.5rem",
    "theme.paddingBottom": "1rem",
    "theme.light.primaryColor": "#0068A3",
    # Captions have this colour at 55 %, which must be dark enough to read, with a contrast of 4.5.
    "theme.light.textColor": "#000000",
    "theme.dark.primaryColor": "#56B4E9",
    "theme.light.chartCategoricalColors": json.dumps(colours.LIGHT),
    "theme.dark.chartCategoricalColors": json.dumps(colours.DARK),
}

SERVED_OTHERWISE = {
    "server.port": "use --port",
    "server.address": "use --host",
    "server.sslCertFile": "let a proxy in front of the dashboard serve TLS",
    "server.sslKeyFile": "let a proxy in front of the dashboard serve TLS",
}
"""Settings of Streamlit's own server, which does not run here, and what to do instead."""


def load(given: Mapping[str, str]) -> None:
    """Load these settings, and those that the command line gives. Raises ValueError."""
    load_config_options(SETTINGS)
    known = config.get_config_options()
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"Streamlit has no setting {name}")
        if name in SERVED_OTHERWISE:
            raise ValueError(f"--{name} has no effect here; {SERVED_OTHERWISE[name]}")
        config.set_option(name, value.lower() == "true" if known[name].type is bool else known[name].type(value))
