"""Serves the dashboard: python -m alignment_dashboard --port 8501."""

import argparse
import os
import socket
import sys
from pathlib import Path

import uvicorn
from streamlit import config

from alignment_dashboard import settings
from alignment_dashboard.data.source import namespaces, source

ENVIRONMENT = (
    "ALIGNMENT_SOURCE=kubernetes shows the jobs of a cluster instead of those of a folder: the jobs of the namespaces in "
    'ALIGNMENT_NAMESPACES (such as ["team-a"]; if it is empty, all), read with KUBECONFIG or with the pod\'s service account. '
    "MLFLOW_TRACKING_URI is the address of MLflow. If MLflow needs a login, put the files username and password into a folder, "
    "and set ALIGNMENT_TRACKING_CREDENTIALS_FOLDER to it. Settings of Streamlit are flags too, such as --server.baseUrlPath NAME."
)
STOP_SECONDS = 2
"""How long open pages may delay the end of the process."""


def main(arguments: list[str]) -> None:
    """Read the command line, and serve until a signal ends this process."""
    parser = argparse.ArgumentParser(prog="python -m alignment_dashboard", description="Serve the dashboard.", epilog=ENVIRONMENT)
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 lets other machines in, without a login"
    )
    parser.add_argument("--home", type=Path, help="folder of `alignment run`; the default is ALIGNMENT_HOME or .alignment")
    own, rest = parser.parse_known_args(arguments)
    try:
        source(), namespaces()
        settings.load(read_flags(rest))
    except ValueError as error:
        parser.error(str(error))
    if own.home:
        os.environ["ALIGNMENT_HOME"] = str(own.home.expanduser().absolute())
    try:
        listening = listen(own.host, own.port)
    except (OSError, OverflowError) as error:
        parser.exit(
            1, f"The dashboard cannot listen on {own.host}:{own.port} ({error}); choose another address with --host and --port.\n"
        )
    base = config.get_option("server.baseUrlPath").strip("/")
    host, port = "localhost" if own.host in ("0.0.0.0", "::") else own.host, listening.getsockname()[1]
    print(f"The dashboard is on http://{host}:{port}{'/' * bool(base)}{base}", flush=True)
    serve(listening)


def read_flags(arguments: list[str]) -> dict[str, str]:
    """Read flags such as --server.baseUrlPath=team as settings of Streamlit. Raises ValueError."""
    given, left = dict[str, str](), iter(arguments)
    for flag in left:
        name, has_value, value = flag.partition("=")
        if not name.startswith("--"):
            raise ValueError(f"unrecognized argument: {flag}")
        given[name.removeprefix("--")] = value if has_value else next(left, "")
    return given


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that browsers can connect to. Raises OSError, or OverflowError for a number that is no port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, dualstack_ipv6=host == "::", backlog=2048)


def serve(listening: socket.socket) -> None:
    """Serve until a signal ends this process."""
    # The application reads Streamlit's settings while it is imported.
    from alignment_dashboard.server import application

    server = uvicorn.Config(
        application(), log_level="warning", access_log=False, ws="websockets-sansio", timeout_graceful_shutdown=STOP_SECONDS
    )
    uvicorn.Server(server).run(sockets=[listening])


if __name__ == "__main__":
    main(sys.argv[1:])
