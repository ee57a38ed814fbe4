"""Ports for servers that tests start in other processes."""

import random
import socket


def free_port() -> int:
    """Return a port that no process listens on, and that the kernel gives to none before the server has started."""
    # The kernel gives away ports above these (net.ipv4.ip_local_port_range), also to tests that run beside this one.
    for port in random.SystemRandom().sample(range(20_000, 30_000), 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError("100 ports in a row are in use")
