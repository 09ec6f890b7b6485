"""An HTTP proxy in this process that wants a user and a password."""

from __future__ import annotations

import base64
import contextlib
import http.server
import selectors
import socket
import threading
import urllib.request


class Proxy:
    """Tunnels what comes by CONNECT, forwards a GET of a whole URL. `seen`: the method and target of each request."""

    def __init__(self, login: str) -> None:
        self.seen: list[tuple[str, str]] = []
        outer, wanted = self, f"Basic {base64.b64encode(login.encode()).decode()}"

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _may(self) -> bool:
                outer.seen.append((self.command, self.path))
                if self.headers.get("Proxy-Authorization") == wanted:
                    return True
                self.send_response(407)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return False

            def do_CONNECT(self) -> None:
                self.close_connection = True
                if self._may():
                    host, _, port = self.path.rpartition(":")
                    with socket.create_connection((host, int(port))) as far:
                        self.send_response(200)
                        self.end_headers()
                        _carry(self.connection, far)

            def do_GET(self) -> None:
                if self._may():
                    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
                    with direct.open(urllib.request.Request(self.path, headers={"Host": self.headers["Host"]})) as far:
                        body = far.read()
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.port = self._server.server_port

    def close(self) -> None:
        """End it; connections that are open end with their clients."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _carry(near: socket.socket, far: socket.socket) -> None:
    with selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
        selector.register(near, selectors.EVENT_READ, far)
        selector.register(far, selectors.EVENT_READ, near)
        while True:
            for key, _ in selector.select():
                one: socket.socket = key.fileobj  # type: ignore[assignment]
                if not (data := one.recv(1 << 16)):
                    return
                key.data.sendall(data)
