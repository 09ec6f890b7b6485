"""Who asks, and what they may do: a Bearer JWT with a role and a scope.

`admin` reads and writes everything. `tenant` with scope `tenant:<id>` reads that tenant and its projects, `project`
with scope `project:<id>` reads that project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from kubeop.crypto import tokens
from kubeop.errors import TokenError
from kubeop.manager.problems import Problem

ROLES = ("admin", "tenant", "project")
_bearer = HTTPBearer(
    auto_error=False,
    bearerFormat="JWT",
    description="A JWT signed with the manager's signing key; `kubeop keys token` makes one.",
)


@dataclass(frozen=True)
class Caller:
    """Who makes a request. `scope` is `<role>:<id>`, empty for an admin."""

    subject: str
    role: str
    scope: str
    request_id: str

    @property
    def scope_id(self) -> str:
        """The id of the tenant or project that the caller is bound to; empty for an admin."""
        return self.scope.partition(":")[2]


def authenticate(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
) -> Caller:
    """The caller of a request; a 401 problem that says whether the token is missing, expired or not ours."""
    if credentials is None:
        raise _unauthorized("The request carries no Bearer token.", "invalid_request")
    try:
        claims = tokens.verify(request.app.state.services.signing_keys, credentials.credentials)
    except TokenError as error:
        raise _unauthorized(error.message, "invalid_token") from error
    if claims.role not in ROLES:
        raise Problem(403, "role", f"The role {claims.role[:32]!r} is unknown.", hint=f"Roles: {', '.join(ROLES)}.")
    kind, _, reference = claims.scope.partition(":")
    if claims.role != "admin" and (kind != claims.role or not reference):
        raise Problem(403, "scope", f"A token with role {claims.role} needs the scope {claims.role}:<id>.")
    return Caller(claims.subject, claims.role, claims.scope, request.state.request_id)


def require_admin(caller: Annotated[Caller, Depends(authenticate)]) -> Caller:
    """The caller, if an admin; else a 403 problem."""
    if caller.role != "admin":
        raise Problem(
            403, "role", f"This needs role=admin; the token has role={caller.role}.", hint="Use an admin's token."
        )
    return caller


Authenticated = Annotated[Caller, Depends(authenticate)]
Admin = Annotated[Caller, Depends(require_admin)]


def _unauthorized(detail: str, error: str) -> Problem:
    challenge = f'Bearer realm="kubeop", error="{error}"'
    hint = "Send `Authorization: Bearer <token>`; `kubeop keys token` makes one."
    return Problem(401, error.replace("_", "-"), detail, hint=hint, headers={"WWW-Authenticate": challenge})
