"""Whether the manager lives, whether it can serve, and what it is."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Response

from kubeop import BUILD_COMMIT, BUILD_VERSION
from kubeop.errors import KubeopError
from kubeop.manager import migrate
from kubeop.manager.api import Parts
from kubeop.manager.problems import Problem, responses
from kubeop.manager.schemas import Check, Health, Readiness, Version
from kubeop.manager.services import Services
from kubeop.telemetry import metrics

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="The process lives")
async def healthz() -> Health:
    """Answers without touching database or keys, so that a database that is down restarts nothing."""
    return Health()


@router.get("/readyz", summary="The manager can serve", responses=responses(503))
def readyz(services: Parts) -> Readiness:
    """Ready when the database answers with the expected schema and every data key opens."""
    checks = [_check("database", services, _database)]
    if checks[0].ok:  # one wait for a database that does not answer is enough
        checks.append(_check("keyring", services, _keyring))
    failed = [check for check in checks if not check.ok]
    if failed:
        raise Problem(
            503,
            "not-ready",
            " ".join(check.detail for check in failed),
            extra={"checks": [check.model_dump() for check in checks]},
            headers={"Retry-After": "2"},
        )
    return Readiness(checks=checks)


@router.get("/version", summary="What is running")
async def version() -> Version:
    """The release and the commit it was built from."""
    return Version(version=BUILD_VERSION, commit=BUILD_COMMIT)


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
def exposition() -> Response:
    """The text format of Prometheus."""
    content_type, body = metrics.exposition()
    return Response(body, headers={"Content-Type": content_type})


def _check(name: str, services: Services, check: Callable[[Services], str]) -> Check:
    try:
        return Check(name=name, ok=True, detail=check(services))
    except KubeopError as error:
        return Check(name=name, ok=False, detail=str(error))


def _database(services: Services) -> str:
    with services.database.transaction() as session:
        revision = migrate.current(session)
    migrate.expect(revision)
    return f"The schema is at revision {revision}."


def _keyring(services: Services) -> str:
    with services.database.transaction() as session:
        return services.vault.check(session)
