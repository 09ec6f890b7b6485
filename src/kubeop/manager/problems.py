"""Errors as answers: RFC 9457 `application/problem+json`, for every status, from one place.

An answer says what is wrong and what to do. It never repeats the request's body: that may hold a kubeconfig.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from kubeop.errors import CryptoError, DatabaseError, InputError
from kubeop.telemetry import logs

MEDIA_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:kubeop:problem:"


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    field: str = Field(description="Where: the path of the field, such as `quotas.cpu`.", examples=["quotas.cpu"])
    detail: str = Field(description="What is wrong with it.")


class ProblemBody(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = Field(description="Names the kind of problem.", examples=["urn:kubeop:problem:name-taken"])
    title: str = Field(description="The kind of problem in words.", examples=["Conflict"])
    status: int = Field(description="The HTTP status.", examples=[409])
    detail: str = Field(description="What is wrong here.")
    hint: str = Field(default="", description="What to do next.")
    instance: str = Field(description="The path that was asked for.")
    request_id: str = Field(description="The request's id, as in `X-Request-Id` and the log.")
    errors: list[FieldProblem] = Field(default_factory=list, description="The fields that are wrong, if any.")


class Problem(Exception):
    """An error that a handler answers with. `kind` names it for programs, `extra` adds members to the body."""

    def __init__(  # each part of the answer by its name
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        hint: str = "",
        errors: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail, self.hint = status, kind, detail, hint
        self.errors, self.headers, self.extra = tuple(errors), dict(headers or {}), dict(extra or {})


def not_found(what: str, reference: str) -> Problem:
    """There is no such record."""
    return Problem(404, "not-found", f"There is no {what} {reference[:100]!r}.", hint=f"GET /v1/{what}s lists them.")


def invalid(field: str, error: InputError) -> Problem:
    """A field's value cannot be used; the error names it."""
    return Problem(422, "invalid", error.message, hint=error.hint, errors=[(field, error.message)])


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem answers of an operation, for the OpenAPI document."""
    schema = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": schema} for status in sorted(statuses)}


def answer(request: Request, problem: Problem) -> JSONResponse:
    """The response that says it."""
    body = ProblemBody(
        type=_TYPE_PREFIX + problem.kind,
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.detail,
        hint=problem.hint,
        instance=request.url.path,
        request_id=request.scope.get("state", {}).get("request_id", ""),
        errors=[FieldProblem(field=field, detail=detail) for field, detail in problem.errors],
    )
    content = {**body.model_dump(exclude_defaults=True), **problem.extra}
    return JSONResponse(content, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every error of the application a problem."""

    def on(error: type[Exception], convert: Callable[[Any], Problem]) -> None:
        async def handle(request: Request, raised: Exception) -> JSONResponse:
            return answer(request, convert(raised))

        handler: Callable[[Request, Exception], Awaitable[JSONResponse]] = handle
        app.add_exception_handler(error, handler)

    on(Problem, lambda problem: problem)
    on(RequestValidationError, _from_validation)
    on(HTTPException, _from_http)
    on(DatabaseError, _from_database)
    on(CryptoError, _from_crypto)
    on(SQLAlchemyError, _from_unexpected)
    on(Exception, _from_unexpected)


def _from_validation(error: RequestValidationError) -> Problem:
    # Only the place and the kind of mistake: pydantic's own records carry the input.
    found = [(_field(item["loc"]), str(item["msg"])) for item in error.errors()]
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return Problem(400, "not-json", "The request's body is not JSON.", hint="Send one JSON object.")
    detail = "; ".join(f"{field}: {message}" for field, message in found[:5])
    return Problem(422, "invalid", detail, hint="/openapi.json describes every field.", errors=found)


def _field(location: Sequence[Any]) -> str:
    parts = [str(part)[:64] for part in location]
    return ".".join(parts[1:]) or "body" if parts and parts[0] == "body" else ".".join(parts[1:] or parts)


def _from_http(error: HTTPException) -> Problem:
    kinds = {404: ("no-such-path", "There is nothing at this path."), 405: ("no-such-method", "Not with this method.")}
    kind, detail = kinds.get(error.status_code, ("http", str(error.detail)))
    return Problem(error.status_code, kind, detail, hint="/openapi.json lists every path.", headers=error.headers)


def _from_database(error: DatabaseError) -> Problem:
    return Problem(503, "database", error.message, hint=error.hint, headers={"Retry-After": "2"})


def _from_crypto(error: CryptoError) -> Problem:
    return Problem(503, "keys", error.message, hint=error.hint or "Look at /readyz.", headers={"Retry-After": "30"})


def _from_unexpected(error: Exception) -> Problem:
    logs.get_logger("manager").error("request failed", error_type=type(error).__name__)
    return Problem(500, "internal", "Something went wrong in the manager.", hint="The log has it, by the request id.")
