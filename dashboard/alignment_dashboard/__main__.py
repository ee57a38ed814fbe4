"""Serves the dashboard: python -m alignment_dashboard --port 8501."""

import argparse
import os
import sys
from pathlib import Path

from streamlit.web import cli

from alignment_dashboard.data.source import namespaces, source

# Okabe and Ito's palette, which colour-blind people can tell apart, with blue and orange first; lighter on a dark background.
LIGHT = '["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]'
DARK = '["#56B4E9", "#E69F00", "#2FC79C", "#E09CC3", "#F0E442", "#4FA3D9"]'
SETTINGS = {
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": "false",
    # The welcome message asks a server on the internet for this machine's address.
    "logger.hideWelcomeMessage": "true",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "runner.magicEnabled": "false",
    "theme.baseFontSize": "15",
    "theme.headingFontSizes": '["1.75rem", "1.4rem", "1.15rem"]',
    "theme.metricValueFontSize": "1.4rem",
    "theme.paddingTop": "3.5rem",
    "theme.light.primaryColor": "#0072B2",
    "theme.dark.primaryColor": "#56B4E9",
    "theme.light.chartCategoricalColors": LIGHT,
    "theme.dark.chartCategoricalColors": DARK,
}
"""Streamlit's settings, passed as flags since Streamlit reads no config.toml from a package."""

ENVIRONMENT = (
    "ALIGNMENT_SOURCE=kubernetes shows the jobs of a cluster instead of those of a folder: the jobs of the namespaces in "
    'ALIGNMENT_NAMESPACES (such as ["team-a"]; if it is empty, all), read with KUBECONFIG or with the pod\'s service account. '
    "MLFLOW_TRACKING_URI is the address of MLflow. If MLflow needs a login, put the files username and password into a folder, "
    "and set ALIGNMENT_TRACKING_CREDENTIALS_FOLDER to it."
)


def main(arguments: list[str]) -> None:
    """Read the command line, and start Streamlit with the arguments that are left."""
    parser = argparse.ArgumentParser(prog="python -m alignment_dashboard", description="Serve the dashboard.", epilog=ENVIRONMENT)
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 lets other machines in, without a login"
    )
    parser.add_argument("--home", type=Path, help="folder of `alignment run`; the default is ALIGNMENT_HOME or .alignment")
    own, rest = parser.parse_known_args(arguments)
    try:
        source(), namespaces()
    except ValueError as error:
        parser.error(str(error))
    if own.home:
        os.environ["ALIGNMENT_HOME"] = str(own.home.expanduser().absolute())
    print(f"The dashboard is on http://{'localhost' if own.host == '0.0.0.0' else own.host}:{own.port}", flush=True)
    cli.main(["run", str(Path(__file__).with_name("app.py")), *flags(own.host, own.port), *rest])


def flags(host: str, port: int) -> list[str]:
    """Return all settings as flags of `streamlit run`."""
    settings = {"server.address": host, "server.port": str(port), **SETTINGS}
    return [part for name, value in settings.items() for part in (f"--{name}", value)]


if __name__ == "__main__":
    main(sys.argv[1:])
