"""How a whole fleet is asked about: all at once, for the manager waits for each cluster that is down."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kubeop.manager import fleet
from kubeop.manager.client import ManagerClient

NAMES = ("west", "east", "north")


@pytest.fixture
def address() -> Iterator[str]:
    """A server that answers as the manager does, and to `/ready` only once every cluster is asked about."""
    together = threading.Barrier(len(NAMES))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if not self.path.endswith("/ready"):
                self.answer(200, {"items": [{"id": name, "name": name} for name in NAMES], "next_offset": None})
                return
            try:
                together.wait(timeout=5)
            except threading.BrokenBarrierError:
                self.answer(500, {"detail": "The clusters were asked about one by one."})
                return
            self.answer(503, {"detail": f"{self.path.split('/')[3]} does not answer."})

        def answer(self, status: int, body: dict[str, object]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_words: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_every_cluster_is_asked_at_once_and_told_in_order(address: str) -> None:
    with ManagerClient(address, "token") as manager:
        described = fleet.describe(manager)
    assert [(record["name"], record["ready"]) for record in described] == [(name, False) for name in sorted(NAMES)]
    assert [record["detail"] for record in described] == [f"{name} does not answer." for name in sorted(NAMES)]
