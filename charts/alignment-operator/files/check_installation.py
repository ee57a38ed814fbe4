"""Checks that each part of an installation answers: NAME=URL...; `helm test` runs it in a pod."""

import ssl
import sys
import time
import urllib.request
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PATIENCE_SECONDS = 90


def ask(url: str) -> str | None:
    """Return the problem, or None if the answer is 200."""
    request = urllib.request.Request(url)
    context = None
    if url.startswith("https://kubernetes."):
        request.add_header("Authorization", f"Bearer {(ACCOUNT / 'token').read_text()}")
        context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    try:
        with urllib.request.urlopen(request, timeout=5, context=context):
            return None
    except OSError as error:
        return str(error)


def main(arguments: list[str]) -> int:
    """Ask each part until it answers or the time is over, because a new pod may still be starting."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    failures = 0
    for name, url in (argument.split("=", 1) for argument in arguments):
        while (problem := ask(url)) and time.monotonic() < deadline:
            time.sleep(1)
        print(f"{name}: {problem or 'works'} ({url})", flush=True)
        failures += problem is not None
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
