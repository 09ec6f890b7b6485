"""Runs the webhook: granian with the Application, the feed, metrics on a port of their own, and new certificates.

granian's embedded server is used so that caches and metrics live through a change of certificate: a listener with the
new certificate takes over from the old one, and no connection is refused in between. The files come from a mounted
Secret, whose links kubelet swaps; their real path is therefore looked up at each change.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
from dataclasses import dataclass
from pathlib import Path

from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.server.embed import Server

from kubeop import BUILD_VERSION, names
from kubeop.admission.app import Application
from kubeop.admission.feed import Feed
from kubeop.admission.state import State
from kubeop.errors import InputError
from kubeop.kube.client import Client
from kubeop.telemetry import endpoints
from kubeop.telemetry.logs import get_logger

CERTIFICATE_CHECK_SECONDS = 5.0
_STOP_SECONDS = 10  # for requests that are being answered
_BACKLOG = 1024
_log = get_logger(__name__)


@dataclass(frozen=True)
class Options:
    """Where to listen, and the folder with `tls.crt` and `tls.key`. Metrics port 0 takes a free one."""

    host: str = "0.0.0.0"  # noqa: S104 - a service in a pod listens on every address of the pod
    port: int = names.ADMISSION_PORT
    metrics_port: int = names.ADMISSION_METRICS_PORT
    tls: Path = Path("/tls")
    check_seconds: float = CERTIFICATE_CHECK_SECONDS

    @property
    def certificate(self) -> Path:
        """The certificate, and what vouches for it."""
        return self.tls / "tls.crt"

    @property
    def key(self) -> Path:
        """Its private key."""
        return self.tls / "tls.key"


def run(client: Client, options: Options) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code. Raises InputError for files or ports of no use."""
    check_certificate(options)
    state = State()
    feed = Feed(client, state)
    with endpoints.serve(options.metrics_port, {"caches": feed.problem}, host=options.host):
        feed.start()
        try:
            application = Application(state, not_ready=feed.problem, not_alive=feed.stopped)
            return asyncio.run(_serve(application, options))
        finally:
            feed.stop()


def check_certificate(options: Options) -> None:
    """Raise InputError if the certificate and key cannot be used together."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(options.certificate, options.key)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__
        raise InputError(
            f"The certificate {options.certificate} and its key cannot be used: {reason}.",
            hint=f"Secret {names.ADMISSION_TLS_SECRET} must hold tls.crt and tls.key in PEM, made for each other.",
        ) from error


async def _serve(application: Application, options: Options) -> int:
    server = Server(
        application,
        address=options.host,
        port=options.port,
        interface=Interfaces.RSGI,
        http=HTTPModes.auto,
        websockets=False,
        backlog=_BACKLOG,
        log_enabled=False,
        ssl_cert=options.certificate,
        ssl_key=options.key,
        ssl_protocol_min=SSLProtocols.tls12,
    )
    server.workers_kill_timeout = _STOP_SECONDS
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    watcher = asyncio.create_task(_follow_certificate(server, options))
    _log.info("serving", host=options.host, port=options.port, version=BUILD_VERSION)
    try:
        await server.serve()
    except RuntimeError as error:
        raise InputError(
            f"Port {options.port} cannot be listened on: {error}.", hint="Free it or choose another."
        ) from error
    finally:
        watcher.cancel()
    failed = not server.interrupt_signal
    _log.info("stopped", failed=failed)
    return 1 if failed else 0


async def _follow_certificate(server: Server, options: Options) -> None:
    """Give the server the certificate anew whenever its files change and belong together."""
    seen = _fingerprint(options)
    while True:
        await asyncio.sleep(options.check_seconds)
        found = _fingerprint(options)
        if found in (seen, None):
            continue
        try:
            check_certificate(options)
        except InputError as error:  # half-written, or wrong: the present one stays in use
            _log.warning("new certificate not taken", error=str(error))
            continue
        seen = found
        server.build_ssl_context(options.certificate, options.key, None, SSLProtocols.tls12, None, [], False)
        server.signal_handler_reload()  # type: ignore[no-untyped-call]  # granian annotates no returns
        _log.info("certificate renewed")


def _fingerprint(options: Options) -> tuple[bytes, bytes] | None:
    """The files' contents, None while one of them is missing: a swapped link may keep size and time."""
    try:
        return options.certificate.read_bytes(), options.key.read_bytes()
    except OSError:
        return None
