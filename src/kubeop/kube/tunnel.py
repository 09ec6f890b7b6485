"""A local port that leads to a Service inside a cluster, through the API server's portforward: no ingress is needed.

Each connection to the local port is one websocket to a ready pod of the Service, chosen when the connection is made, so
that the tunnel outlives its pods.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import websocket

from kubeop.errors import ApiError, ClusterError, ClusterUnreachable, KubeconfigError, KubeopError
from kubeop.kube import reach
from kubeop.kube.client import Client, Object
from kubeop.kube.kubeconfig import Kubeconfig

_CHUNK = 1 << 15
_PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1  # the channels of the only port that is forwarded


@contextlib.contextmanager
def open_tunnel(
    target: Client | Kubeconfig, namespace: str, service: str, port: int, *, scheme: str = "http"
) -> Iterator[str]:
    """Give a URL such as http://127.0.0.1:40123 that leads to a port of a Service, as long as the context lasts.

    Raises ClusterError when the Service is not there or has no ready pod, ApiError when port forwarding is forbidden.
    """
    with contextlib.ExitStack() as stack:
        client = target if isinstance(target, Client) else stack.enter_context(Client(target))
        forwarder = _Forwarder(client, namespace, service, port)
        forwarder.connect().close()  # what is wrong is said here, not in a broken connection later
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        stack.callback(forwarder.close, listener)
        threading.Thread(target=forwarder.serve, args=(listener,), daemon=True).start()
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"


class _Forwarder:
    """The connections of one tunnel."""

    def __init__(self, client: Client, namespace: str, service: str, port: int) -> None:
        self._client = client
        self._namespace = namespace
        self._service = service
        self._port = port
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the listener is closed."""
        while not self._closed:
            try:
                local, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._forward, args=(local,), daemon=True)
            with self._lock:
                self._threads.append(thread)
                self._open.add(local)
            thread.start()

    def close(self, listener: socket.socket) -> None:
        """End the listener and every connection."""
        self._closed = True
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        with self._lock:
            threads, connections = list(self._threads), list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(timeout=5)

    def connect(self) -> websocket.WebSocket:
        """A websocket to a ready pod."""
        service = self._client.get("v1", "Service", self._service, self._namespace)
        if service is None:
            raise ClusterError(f"There is no Service {self._namespace}/{self._service}.", hint="Check its name.")
        pod, number = self._pod(service)
        path = self._client.resource("v1", "Pod").path(self._namespace, pod["metadata"]["name"], "portforward")
        return _connected(self._client, path, {"ports": number})

    def _pod(self, service: Object) -> tuple[Object, int]:
        """A ready pod and the number of its port."""
        spec = service["spec"]
        target = next((one.get("targetPort", one["port"]) for one in spec["ports"] if one["port"] == self._port), None)
        if target is None:
            ports = ", ".join(str(one["port"]) for one in spec["ports"])
            raise ClusterError(
                f"Service {self._namespace}/{self._service} has no port {self._port}.", hint=f"It has {ports}."
            )
        selector = ",".join(f"{key}={value}" for key, value in sorted((spec.get("selector") or {}).items()))
        pods = self._client.list("v1", "Pod", self._namespace, label_selector=selector) if selector else []
        for pod in pods:
            number = _port_number(pod, target)
            if _is_ready(pod) and number:
                return pod, number
        raise ClusterError(
            f"Service {self._namespace}/{self._service} has no ready pod.",
            hint=f"See `kubectl get pods -n {self._namespace}`.",
        )

    def _forward(self, local: socket.socket) -> None:
        # A failure here ends the local connection, which its user sees as a lost one and tries again.
        try:
            with contextlib.suppress(KubeopError, OSError, websocket.WebSocketException), local:
                remote = self.connect()
                try:
                    _pump(local, remote)
                finally:
                    remote.close()
                    if remote.sock is not None:  # close() leaves it where the other side has closed first
                        remote.sock.close()
        finally:
            with self._lock:
                self._open.discard(local)


def _connected(client: Client, path: str, query: dict[str, Any]) -> websocket.WebSocket:
    endpoint = client.endpoint(path, query)
    options = _proxy_options(endpoint.proxy)
    tls: dict[str, Any] = {"context": endpoint.context} if endpoint.context else {}
    if endpoint.server_hostname:
        tls["server_hostname"] = endpoint.server_hostname
    try:
        return websocket.create_connection(
            endpoint.url,
            timeout=client.timeout_seconds,
            header=[f"{name}: {value}" for name, value in endpoint.headers.items()],
            subprotocols=[_PROTOCOL],
            sslopt=tls,
            suppress_origin=True,
            **options,
        )
    except websocket.WebSocketBadStatusException as error:
        raise ApiError(
            f"Port forwarding to {path.rpartition('/')[0]} is refused at {client.host} (HTTP {error.status_code}).",
            status=error.status_code,
            hint="The user of the kubeconfig needs `create` and `get` on pods/portforward.",
        ) from None
    except (OSError, websocket.WebSocketException) as error:
        refused = isinstance(error, websocket.WebSocketProxyException)
        reason, hint = reach.PROXY_REFUSED if refused else reach.explain(error, client.host)
        raise ClusterUnreachable(f"The API server at {client.host} cannot be reached: {reason}.", hint=hint) from None


def _proxy_options(proxy: reach.Proxy | None) -> dict[str, Any]:
    """What the websocket is told, so that it does not look into the environment itself."""
    if proxy is None:
        return {"http_no_proxy": ["*"]}
    if proxy.scheme != "http":
        raise KubeconfigError(
            "Port forwarding cannot go through a proxy that is itself reached by https.",
            hint="Give the kubeconfig a proxy-url with http://.",
        )
    return {
        "http_proxy_host": proxy.host,
        "http_proxy_port": proxy.port,
        "http_proxy_auth": proxy.login,
        "http_no_proxy": ["none.invalid"],
        "proxy_type": "http",
    }


def _pump(local: socket.socket, remote: websocket.WebSocket) -> None:
    """Carry bytes both ways until one side ends. One thread does both, for a TLS socket is no place for two."""
    seen = {_DATA: False, _ERROR: False}  # each channel's first frame holds the port's number only
    while (far := remote.sock) is not None:
        pending = isinstance(far, ssl.SSLSocket) and far.pending() > 0
        readable = [far] if pending else select.select([local, far], [], [])[0]
        if far in readable:
            opcode, data = remote.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return
            if opcode == websocket.ABNF.OPCODE_BINARY and data:
                channel, content = data[0], data[1:]
                if not seen.get(channel, True):
                    seen[channel] = True
                elif channel == _ERROR:
                    return
                elif content:
                    local.sendall(content)
        if local in readable:
            content = local.recv(_CHUNK)
            if not content:
                return
            remote.send_binary(bytes((_DATA,)) + content)


def _port_number(pod: Object, target: int | str) -> int:
    if isinstance(target, int):
        return target
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or []:
            if port.get("name") == target:
                return int(port["containerPort"])
    return 0


def _is_ready(pod: Object) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
