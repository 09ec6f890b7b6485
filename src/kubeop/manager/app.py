"""The manager's application: its parts put together, and what starts and stops with it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from kubeop import BUILD_VERSION
from kubeop.manager import keyrings, problems
from kubeop.manager.api import clusters, health, keys, platform, projects, tenants
from kubeop.manager.middleware import Around
from kubeop.manager.reconciler import Reconciler
from kubeop.manager.services import Connect, Services, connect
from kubeop.manager.storage.database import Database
from kubeop.manager.vault import Vault
from kubeop.settings import Settings

DESCRIPTION = """Registers Kubernetes clusters, bootstraps the platform in them, and keeps their tenants and projects.

Requests carry `Authorization: Bearer <JWT>`. Errors are RFC 9457 problems. `X-Request-Id` is taken over or made, and
returned. Writes that take `dryRun=true` check everything and change nothing.
"""


def create_app(settings: Settings, *, connect: Connect = connect, reconcile: bool = True) -> FastAPI:
    """The ASGI application. Raises InputError or CryptoError for settings that cannot work.

    `connect` makes the clients of clusters. With `reconcile` the loop runs while the application does.
    """
    keyring, signing_keys = keyrings.read(settings)
    wake = threading.Event()
    services = Services(
        settings=settings,
        database=Database(settings.db_url, max_open=settings.db_max_open, timeout_ms=settings.db_timeout_ms),
        vault=Vault(keyring),
        signing_keys=signing_keys,
        poke=wake.set,
        connect=connect,
    )
    reconciler = Reconciler(services, wake)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if reconcile:
            reconciler.start()
        yield
        await anyio.to_thread.run_sync(reconciler.stop)
        services.database.close()

    app = FastAPI(
        title="kubeop manager",
        version=BUILD_VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    app.state.services = services
    app.state.reconciler = reconciler
    for module in (health, clusters, tenants, projects, keys, platform):
        app.include_router(module.router)
    problems.install(app)
    app.add_middleware(Around)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's documented way to extend it
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The document, with the problem schema in it and without FastAPI's own validation answer."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            separate_input_output_schemas=False,
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        problem = problems.ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(problem.pop("$defs", {}))
        schemas["ProblemBody"] = problem
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for operations in document["paths"].values():
            for operation in operations.values():
                if "422" in operation["responses"]:
                    operation["responses"]["422"] = problems.responses(422)[422]
        app.openapi_schema = document
    return app.openapi_schema
