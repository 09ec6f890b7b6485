"""`/metrics`, `/healthz` and `/readyz` on a port of their own, for services whose main port speaks something else.

Served by a thread of the standard library's server: small, and answering even while the service's own loop is busy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType, TracebackType
from typing import Any, Self

from kubeop.errors import InputError
from kubeop.telemetry import metrics
from kubeop.telemetry.logs import get_logger

Check = Callable[[], str | None]  # None when all is well, else one sentence about what is not

_TEXT = "text/plain; charset=utf-8"
_IDLE_SECONDS = 30


class Endpoints:
    """A running server. `port` is the one it listens on; `stop` ends it, as does leaving a `with` block."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, name="kubeop-endpoints", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.server_port

    def stop(self) -> None:
        """Stop listening and wait for the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def serve(
    port: int,
    checks: Mapping[str, Check],
    *,
    liveness: Mapping[str, Check] | None = None,
    host: str = "0.0.0.0",  # noqa: S104 - a service in a pod listens on every address of the pod
) -> Endpoints:
    """Serve from a thread until stopped. Port 0 takes a free one.

    `/readyz` runs `checks`, `/healthz` runs `liveness` (nothing unless given: that it answers is the answer); both say
    503 and which check failed when one does. A check that raises has failed. Raises InputError for a port that cannot
    be had.
    """
    try:
        server = _Server((host, port), _Handler)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "no such port"
        raise InputError(
            f"Port {port} for metrics and health cannot be listened on: {reason}.", hint="Free it or choose another."
        ) from error
    server.checks = {"/readyz": dict(checks), "/healthz": dict(liveness or {})}
    return Endpoints(server)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    checks: Mapping[str, Mapping[str, Check]] = MappingProxyType({})  # path -> name -> check

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's signature
        """Log what the base class would print: a client that went away is no trouble of ours."""
        get_logger(__name__).debug("connection ended early", client=str(client_address[0]))


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "kubeop"
    sys_version = ""
    timeout = _IDLE_SECONDS

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            content_type, body = metrics.exposition()
            self._answer(200, content_type, body)
        elif path in self.server.checks:
            healthy, report = _run(self.server.checks[path])
            self._answer(200 if healthy else 503, _TEXT, report.encode())
        else:
            self._answer(404, _TEXT, b"not found; there is /metrics, /healthz and /readyz\n")

    do_HEAD = do_GET  # noqa: N815 - the base class's name

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Probes and scrapes come every few seconds: they are not logged."""


def _run(checks: Mapping[str, Check]) -> tuple[bool, str]:
    """Whether every check passed, and a line about each."""
    lines, healthy = [], True
    for name, check in checks.items():
        try:
            problem = check()
        except Exception as error:  # noqa: BLE001 - a check that breaks must not take the endpoint with it
            # The type only: a text from elsewhere could hold a secret, and anyone may read this page.
            problem = f"the check failed with {type(error).__name__}"
            get_logger(__name__).warning("check failed", check=name, exc_info=error)
        lines.append(f"{name}: {problem or 'ok'}")
        healthy = healthy and not problem
    return healthy, "\n".join([*lines, "ok" if healthy else "not ok"]) + "\n"
