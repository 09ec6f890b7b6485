"""Around every request: an id in and out, a limit on the body, one metric and one log line."""

from __future__ import annotations

import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kubeop.manager.problems import Problem, answer
from kubeop.telemetry import logs, metrics

MAX_BODY_BYTES = 2 * 1024 * 1024
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_QUIET = ("/healthz", "/readyz", "/metrics")

log = logs.get_logger("manager.http")


class Around:
    """The outermost layer, in plain ASGI: it costs no task and no copy of the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        exchange = _Exchange(scope, receive, send, request_id)
        began = time.perf_counter()
        with logs.bound(request_id=request_id):
            try:
                await self._respond(scope, exchange)
            finally:
                self._report(scope, exchange.status, time.perf_counter() - began)

    async def _respond(self, scope: Scope, exchange: _Exchange) -> None:
        try:
            if not await exchange.read_body():
                problem = Problem(413, "too-large", f"The request's body is larger than {MAX_BODY_BYTES} bytes.")
                await answer(Request(scope), problem)(scope, exchange.receive, exchange.send)
                return
            await self.app(scope, exchange.receive, exchange.send)
        except Exception:
            # The framework has answered with a problem, and raises the error again for the server's log: this is it.
            log.exception("a request failed")
            if not exchange.status:
                raise

    def _report(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or "unmatched"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        metrics.observe_request(method=method, route=route, status=status or 500, seconds=seconds)
        if scope["path"] not in _QUIET:
            log.info("request", method=method, route=route, status=status, milliseconds=round(seconds * 1000, 1))


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class _Exchange:
    """One request's messages: the body is read before anything else, so that its limit holds; the status is noted."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        self._receive, self._send, self._request_id = receive, send, request_id
        self._headers = Headers(scope=scope)
        self._first: list[Message] = []
        self.status = 0

    async def read_body(self) -> bool:
        """Read the whole body; False, and no more of it read, when it is larger than the limit."""
        length = self._headers.get("content-length", "")
        if length.isdigit() and int(length) > MAX_BODY_BYTES:
            return False
        body = bytearray()
        while True:
            message = await self._receive()
            body += message.get("body", b"")
            if len(body) > MAX_BODY_BYTES:
                return False
            if message["type"] != "http.request":
                self._first = [message]
                return True
            if not message.get("more_body", False):
                self._first = [{"type": "http.request", "body": bytes(body), "more_body": False}]
                return True

    async def receive(self) -> Message:
        """The next message from the client."""
        return self._first.pop() if self._first else await self._receive()

    async def send(self, message: Message) -> None:
        """A message to the client."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["X-Request-Id"] = self._request_id
        await self._send(message)
