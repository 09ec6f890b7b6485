"""The webhook's server side: `/validate`, `/mutate`, `/healthz` and `/readyz`, as one RSGI application.

Answers come from memory; nothing is called while a request waits. The one thing that is waited for is news that is
already on its way: a Project that follows its Tenant within milliseconds would else be refused.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from kubeop.admission import labels, reviews
from kubeop.admission.refusals import Refusal
from kubeop.admission.reviews import Request, Response, Status
from kubeop.admission.rules import judge
from kubeop.admission.state import State
from kubeop.telemetry import metrics
from kubeop.telemetry.logs import get_logger

NEWS_SECONDS = 1.0  # how long something unseen may still be on its way
_NEWS_STEP_SECONDS = 0.01
_JSON = [("content-type", "application/json")]
_TEXT = [("content-type", "text/plain; charset=utf-8")]
_log = get_logger(__name__)

Problem = Callable[[], str | None]


class Application:
    """The application. `not_ready` and `not_alive` say what is wrong, None when nothing is."""

    def __init__(self, state: State, *, not_ready: Problem, not_alive: Problem) -> None:
        self._state, self._not_ready, self._not_alive = state, not_ready, not_alive

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        path = scope.path
        if path in ("/validate", "/mutate"):
            if scope.method != "POST":
                protocol.response_str(405, [*_TEXT, ("allow", "POST")], "POST an AdmissionReview\n")
                return
            status, body = await self.answer(path[1:], await protocol())
            protocol.response_bytes(status, _JSON if status == 200 else _TEXT, body)
        elif path in ("/healthz", "/readyz"):
            problem = self._not_alive() if path == "/healthz" else self._not_ready() or self._not_alive()
            protocol.response_str(503 if problem else 200, _TEXT, f"{problem or 'ok'}\n")
        else:
            protocol.response_str(404, _TEXT, "not found; there is /validate, /mutate, /healthz and /readyz\n")

    async def answer(self, webhook: str, body: bytes) -> tuple[int, bytes]:
        """The HTTP status and body for a review. `webhook` is "validate" or "mutate"."""
        started = time.perf_counter()
        try:
            request = reviews.decode(body)
        except ValueError as error:
            return 400, f"{error}\n".encode()
        try:
            response = await self._validate(request) if webhook == "validate" else _mutate(request)
            decision = "allowed" if response.allowed else "denied"
        except Exception as error:  # noqa: BLE001 - the API server must get an answer that says what happened
            decision = "error"
            _log.error(
                "review failed", webhook=webhook, resource=request.resource_path, name=request.name, exc_info=error
            )
            message = f"the webhook failed on this object ({type(error).__name__}); its log has the details"
            # `/mutate` only adds labels: without them the change is still judged by `/validate`.
            allowed = webhook == "mutate"
            status = None if allowed else Status(code=500, message=message, reason="InternalError")
            response = Response(uid=request.uid, allowed=allowed, status=status)
        metrics.observe_admission(
            webhook=webhook,
            operation=request.operation,
            kind=request.resource_path,
            decision=decision,
            seconds=time.perf_counter() - started,
        )
        return 200, reviews.encode(response)

    async def _validate(self, request: Request) -> Response:
        problem = self._not_ready()
        if problem:
            message = f"the webhook has only just started ({problem}); try again in a few seconds"
            return Response(request.uid, allowed=False, status=Status(503, message, reason="ServiceUnavailable"))
        refusals = judge(request, self._state)
        deadline = time.monotonic() + NEWS_SECONDS
        while _may_change(refusals) and time.monotonic() < deadline:
            await asyncio.sleep(_NEWS_STEP_SECONDS)
            refusals = judge(request, self._state)
        if not refusals:
            return Response(request.uid, allowed=True)
        message = "; ".join(dict.fromkeys(refusal.message for refusal in refusals))
        _log.info(
            "refused",
            resource=request.resource_path,
            operation=request.operation,
            namespace=request.namespace,
            name=request.name,
            user=request.user_info.username,
            message=message,
        )
        return Response(request.uid, allowed=False, status=Status(403, message))


def _may_change(refusals: list[Refusal]) -> bool:
    """True if nothing but what was not seen yet stands in the way."""
    return bool(refusals) and all(refusal.unseen for refusal in refusals)


def _mutate(request: Request) -> Response:
    operations = labels.patch(request)
    if not operations:
        return Response(request.uid, allowed=True)
    return Response(request.uid, allowed=True, patch=reviews.encode_patch(operations), patch_type="JSONPatch")
