"""Where a cluster reaches what a test serves on this machine."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit


def own_address(server: str) -> str:
    """This machine's address as the cluster of the API server at `server` (a URL) sees it."""
    url = urlsplit(server)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((url.hostname, url.port))
        return str(probe.getsockname()[0])
