"""HTTP to one API server: a pool of kept-alive connections, timeouts, retries, and connection errors in plain words.

It knows nothing of Kubernetes objects. Every request has a connect and a read timeout.
"""

from __future__ import annotations

import contextlib
import email.utils
import json
import os
import random
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import ConnectTimeoutError as ConnectTimeout
from urllib3.exceptions import HTTPError, NewConnectionError

from kubeop import __version__
from kubeop.errors import ClusterUnreachable, KubeconfigError, NoAnswer
from kubeop.kube import connection, reach
from kubeop.kube.credentials import Credentials
from kubeop.kube.kubeconfig import Kubeconfig

__all__ = ["Endpoint", "Response", "RetryPolicy", "Stop", "Transport", "retry_after"]

_CHUNK = 1 << 16  # bytes
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True)
class RetryPolicy:
    """How long to try again, in seconds.

    `connection_seconds`: after a lost or refused connection to a server that has answered before (it restarts).
    `first_seconds`: the same before its first answer. `busy_seconds`: after 429, 503 and, for reads, other 5xx.
    """

    connection_seconds: float = 30.0
    first_seconds: float = 0.0
    busy_seconds: float = 60.0


@dataclass(frozen=True)
class Response:
    """An answer with its body read; the body may hold secrets."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """The body parsed, None when it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True)
class Endpoint:
    """Where and as whom to open a websocket. `server_hostname`: the name to expect in the certificate, if another."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    context: ssl.SSLContext | None
    server_hostname: str = ""
    proxy: reach.Proxy | None = None


class Stop(threading.Event):
    """An event that, when it is set, also ends the streams that are being read in other threads."""

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.Lock()
        self._closers: list[Callable[[], None]] = []

    def set(self) -> None:
        """Set the event and end what is attached."""
        super().set()
        with self._guard:
            for closer in self._closers:
                with contextlib.suppress(OSError, ValueError, RuntimeError):  # it has ended by itself
                    closer()

    def attach(self, closer: Callable[[], None]) -> None:
        """Call `closer` when the event is set, now if it is."""
        with self._guard:
            self._closers.append(closer)
        if self.is_set():
            closer()

    def detach(self, closer: Callable[[], None]) -> None:
        """Forget it."""
        with self._guard, contextlib.suppress(ValueError):
            self._closers.remove(closer)


class Transport:
    """Requests to one API server; thread-safe. `connections` are kept open at most."""

    def __init__(
        self,
        kubeconfig: Kubeconfig,
        *,
        timeout_seconds: float = 30.0,
        connect_seconds: float = 10.0,
        connections: int = 16,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.server = kubeconfig.server
        self._kubeconfig = kubeconfig
        self._credentials = Credentials(kubeconfig)
        self._retry = retry or RetryPolicy()
        self._connections = connections
        self._timeout = urllib3.Timeout(connect=min(connect_seconds, timeout_seconds), read=timeout_seconds)
        parts = urlsplit(kubeconfig.server)
        self._prefix = parts.path.rstrip("/")
        self._headers = {
            "Host": parts.netloc.rpartition("@")[2],
            "User-Agent": f"kubeop/{__version__}",
            "Accept-Encoding": "identity",
            "Accept": "application/json",
        }
        self._lock = threading.Lock()
        self._pool: urllib3.HTTPConnectionPool | None = None
        self._certificate: tuple[bytes, bytes] | None = None
        self._answered = False

    @property
    def host(self) -> str:
        """The server's host and port."""
        parts = urlsplit(self.server)
        name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{name}:{parts.port or (443 if parts.scheme == 'https' else 80)}"

    def close(self) -> None:
        """Close every connection; a later request opens new ones."""
        with self._lock:
            if self._pool is not None:
                self._pool.close()
            self._pool = None

    def endpoint(self, path: str, query: Mapping[str, Any] | None = None) -> Endpoint:
        """What another protocol (a websocket) needs to reach the same server as the same user."""
        secure = self.server.startswith("https://")
        return Endpoint(
            url=f"{'wss' if secure else 'ws'}://{self.host}{self._target(path, query)}",
            headers=self._credentials.headers(),
            context=_tls(self._kubeconfig, self._credentials.certificate()) if secure else None,
            server_hostname=str(self._kubeconfig.cluster.get("tls-server-name") or ""),
            proxy=_proxy(self._kubeconfig),
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        idempotent: bool | None = None,
        read_seconds: float | None = None,
    ) -> Response:
        """Send a request and read the whole answer, whatever its status.

        `idempotent`: whether it may be sent twice, by default what the method says. `read_seconds`: for the answer, in
        the place of the usual time. Raises ClusterUnreachable, NoAnswer.
        """
        target = self._target(path, query)
        own = self._headers if body is None else self._headers | {"Content-Type": content_type}
        repeatable = method in _IDEMPOTENT if idempotent is None else idempotent
        began, attempt, reauthenticated = 0.0, 0, False
        while True:
            sent = self._credentials.headers()
            try:
                raw = self._connected(method, target, own | sent, body, read_seconds)
            except (HTTPError, OSError) as error:
                began, attempt = began or time.monotonic(), attempt + 1
                if not self._again(error, repeatable, began):
                    raise self._unreachable(error) from None
                _pause(attempt)
                continue
            if raw.status == 401 and not reauthenticated and self._credentials.refresh(sent):
                reauthenticated = True
                continue
            wait = self._busy(raw, method, repeatable, began, attempt)
            if wait is None:
                return Response(raw.status, raw.headers, raw.data)
            began, attempt = began or time.monotonic(), attempt + 1
            time.sleep(wait)

    def stream(
        self, path: str, *, query: Mapping[str, Any], read_seconds: float, stop: Stop | None = None
    ) -> tuple[Response, Generator[bytes, None, None]]:
        """A GET whose answer comes in lines, as a watch: the answer with the whole body of an error, and the lines.

        `stop` ends it from another thread, `read_seconds` in any case, both without an error.
        """
        target, deadline = self._target(path, query), time.monotonic() + read_seconds
        reauthenticated = False
        while True:
            sent = self._credentials.headers()
            own = self._headers | sent
            try:
                raw = self._send("GET", target, own, None, read_seconds=read_seconds, preload=False)
                if raw.status == 200:
                    return Response(raw.status, raw.headers, b""), self._lines(raw, deadline, stop or Stop())
                body = raw.read()
                raw.release_conn()
            except (HTTPError, OSError) as error:
                raise self._unreachable(error) from None
            if raw.status != 401 or reauthenticated or not self._credentials.refresh(sent):
                return Response(raw.status, raw.headers, body), _nothing()
            reauthenticated = True

    def _lines(self, raw: urllib3.BaseHTTPResponse, deadline: float, stop: Stop) -> Generator[bytes, None, None]:
        pending = b""
        try:
            stop.attach(raw.shutdown)
            for part in raw.stream(_CHUNK):
                *lines, pending = (pending + part).split(b"\n")
                yield from (line for line in lines if line)
                if time.monotonic() > deadline:
                    return
        except (HTTPError, OSError, ValueError) as error:  # ValueError: read after another thread's shutdown
            if not stop.is_set():
                raise self._unreachable(error) from None
        finally:
            stop.detach(raw.shutdown)
            raw.close()

    def _connected(
        self, method: str, target: str, headers: dict[str, str], body: bytes | None, read_seconds: float | None
    ) -> urllib3.BaseHTTPResponse:
        raw = self._send(method, target, headers, body, read_seconds=read_seconds)
        self._answered = True
        return raw

    def _send(
        self,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes | None,
        *,
        read_seconds: float | None = None,
        preload: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        timeout = self._timeout
        if read_seconds is not None:
            timeout = urllib3.Timeout(connect=timeout.connect_timeout, read=read_seconds)
        pool = self._open_pool()
        if pool.proxy and self.server.startswith("http://"):  # no tunnel: the proxy has to know the server
            target = f"http://{self._headers['Host']}{target}"
        return pool.urlopen(
            method,
            target,
            body=body,
            headers=headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=timeout,
            preload_content=preload,
        )

    def _target(self, path: str, query: Mapping[str, Any] | None) -> str:
        chosen = {key: value for key, value in (query or {}).items() if value not in (None, "")}
        return f"{self._prefix}{path}" + (f"?{urlencode(chosen, quote_via=quote)}" if chosen else "")

    def _open_pool(self) -> urllib3.HTTPConnectionPool:
        certificate = self._credentials.certificate()
        with self._lock:
            if self._pool is not None and certificate != self._certificate:
                self._pool.close()  # an exec plugin has renewed the client certificate
                self._pool = None
            if self._pool is None:
                self._pool = self._new_pool(certificate)
                self._certificate = certificate
            return self._pool

    def _new_pool(self, certificate: tuple[bytes, bytes] | None) -> urllib3.HTTPConnectionPool:
        manager = pool_manager(self._kubeconfig, certificate, self._connections)
        return connection.install(manager.connection_from_url(self.server))

    def _again(self, error: Exception, repeatable: bool, began: float) -> bool:
        """Whether a failed connection is tried again: only what may be over soon, and what is safe to send twice."""
        never_sent = isinstance(error, (NewConnectionError, ConnectTimeout)) and not reach.unresolvable(error)
        if not (never_sent or (repeatable and reach.broken(error))):
            return False
        patience = self._retry.connection_seconds if self._answered else self._retry.first_seconds
        return time.monotonic() - began < patience

    def _busy(
        self, raw: urllib3.BaseHTTPResponse, method: str, repeatable: bool, began: float, attempt: int
    ) -> float | None:
        """Seconds to wait before the request is sent again, None when this answer is the one."""
        # 429: refused before it was looked at, so that even a POST may be sent again.
        if not (raw.status == 429 or (raw.status == 503 and repeatable) or (raw.status >= 500 and method == "GET")):
            return None
        waited = time.monotonic() - began if began else 0.0
        asked, more = retry_after(raw.headers), backoff(attempt + 1)
        # More than was asked for, which may be 0: else all who are told the same time come back together.
        return asked + more if waited + max(asked, more) <= self._retry.busy_seconds else None

    def _unreachable(self, error: Exception) -> ClusterUnreachable:
        reason, hint = reach.explain(error, self.host)
        kind = NoAnswer if reach.late(error) else ClusterUnreachable
        return kind(f"The API server at {self.host} cannot be reached: {reason}.", hint=hint)


def pool_manager(
    kubeconfig: Kubeconfig, certificate: tuple[bytes, bytes] | None, connections: int
) -> urllib3.PoolManager:
    """Connections to the kubeconfig's server with this client certificate; what is lost is not sent again."""
    options: dict[str, Any] = {"maxsize": connections, "block": False, "retries": False}
    if kubeconfig.server.startswith("https://"):
        options["ssl_context"] = _tls(kubeconfig, certificate)
        name = kubeconfig.cluster.get("tls-server-name")
        if name:
            options["server_hostname"] = name
        if kubeconfig.insecure:  # the user's own choice: no warning for each request
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            options |= {"cert_reqs": ssl.CERT_NONE, "assert_hostname": False}
    proxy = _proxy(kubeconfig)
    if proxy is None:
        return urllib3.PoolManager(**options)
    return urllib3.ProxyManager(proxy.url, proxy_headers=proxy.headers(), **options)


def _proxy(kubeconfig: Kubeconfig) -> reach.Proxy | None:
    return reach.proxy_for(kubeconfig.server, kubeconfig.proxy_url, os.environ)


def _nothing() -> Generator[bytes, None, None]:
    yield from ()


def backoff(attempt: int) -> float:
    """Seconds to wait before try number `attempt`: 0.1 doubled each time, 2 at most, spread so that clients differ."""
    return min(2.0, 0.05 * 2.0 ** min(attempt, 8)) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, not a secret


def _pause(attempt: int) -> None:
    time.sleep(backoff(attempt))


def retry_after(headers: Mapping[str, str]) -> float:
    """The seconds that Retry-After asks for, or the time until its date; 0 when it is absent or says neither."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def _tls(kubeconfig: Kubeconfig, certificate: tuple[bytes, bytes] | None) -> ssl.SSLContext:
    authority = kubeconfig.ca_pem
    try:
        if authority:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(cadata=authority.decode())
        else:
            context = ssl.create_default_context()  # not made in vain: it reads the machine's whole list, some 30 ms
        if certificate:
            _load_pair(context, certificate)
    except (ssl.SSLError, UnicodeDecodeError):
        raise KubeconfigError(
            f"A certificate or key of context {kubeconfig.context!r} is not readable PEM, or they do not fit together.",
            hint="Copy the kubeconfig again.",
        ) from None
    if kubeconfig.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_pair(context: ssl.SSLContext, certificate: tuple[bytes, bytes]) -> None:
    """The ssl module reads a key from a file only: a private one (0600), removed as soon as it is read."""
    descriptor, name = tempfile.mkstemp(prefix="kubeop-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(certificate[0].rstrip() + b"\n" + certificate[1])
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()
