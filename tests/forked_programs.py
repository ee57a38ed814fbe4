"""Lets tests start Python programs as forks of the process that has loaded everything, as they start ranks."""

import atexit
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from fork_nursery import Nursery, serve, starting_from
from forked_ranks import start_fork


@contextmanager
def forked_programs() -> Iterator[None]:
    """Fork the programs of our packages and MLflow's server that are started meanwhile; loading them is most of what they do."""
    with starting_from(_nursery()):
        yield


@cache
def _nursery() -> Nursery:
    # A name without a file, which ends with this process.
    address = f"\0alignment-tests-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(address)
        listening.listen(1)
        start_fork(_serve, (address,))
        connection, _ = listening.accept()
    made = Nursery(connection)
    # Before multiprocessing waits for that process.
    atexit.register(made.close)
    return made


def _serve(address: str) -> None:
    requests = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    requests.connect(address)
    serve(requests)
