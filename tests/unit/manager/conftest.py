"""The manager's application over an SQLite database of its own, asked in process, without a cluster or its loop."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from kubeop.crypto import tokens
from kubeop.crypto.keyring import generate_key
from kubeop.kube import kubeconfig as kubeconfigs
from kubeop.manager import migrate, registry
from kubeop.manager.app import create_app
from kubeop.settings import Settings
from kubeop.telemetry import logs

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: west
clusters: [{name: west, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: admin, user: {token: very-secret-token-of-the-admin}}]
contexts: [{name: west, context: {cluster: west, user: admin}}]
"""


class Api:
    """One manager, asked as an admin unless told otherwise. `kubeconfig`: that of `cluster`, as a request has it."""

    kubeconfig = base64.b64encode(kubeconfigs.load(KUBECONFIG).as_bytes()).decode()

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.services = app.state.services
        self.admin = self.token("admin")

    def token(self, role: str, scope: str = "", ttl_seconds: int = 600) -> str:
        return tokens.issue(
            self.services.signing_keys, subject="tester", role=role, scope=scope, ttl_seconds=ttl_seconds
        )

    def __call__(self, method: str, path: str, *, token: str | None = None, **options: Any) -> httpx.Response:
        bearer = self.admin if token is None else token
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        headers |= options.pop("headers", {})

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://manager") as client:
                return await client.request(method, path, headers=headers, **options)

        return asyncio.run(ask())

    def cluster(self, name: str = "west") -> str:
        """Register a cluster past the API, which would want to contact it; its id."""
        wish = registry.Wish(name, kubeconfigs.load(KUBECONFIG), True, True)
        with self.services.database.transaction() as session:
            return registry.create(session, self.services, wish).id

    def tenant(self, cluster: str, name: str = "acme", **quotas: Any) -> str:
        body = {"name": name, "cluster_id": cluster, "quotas": quotas}
        return str(self("POST", "/v1/tenants", json=body).json()["id"])


@pytest.fixture(autouse=True)
def logging() -> None:
    """As in the service: JSON lines, without the values of local variables."""
    logs.configure("manager", "warning")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    url = f"sqlite:///{tmp_path}/manager.db"
    migrate.migrate(url)
    return Settings(db_url=url, kms_master_key=generate_key("k1"), jwt_signing_key=generate_key("j1"))


@pytest.fixture
def api(settings: Settings) -> Iterator[Api]:
    app = create_app(settings, reconcile=False)
    yield Api(app)
    app.state.services.database.close()
