"""A real manager: the process `kubeop manager serve` over PostgreSQL, asked through its own client."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from waiting import eventually

from kubeop import names
from kubeop.crypto import tokens
from kubeop.crypto.keyring import generate_key
from kubeop.kube.client import Client
from kubeop.manager.client import ManagerClient
from kubeop.settings import Settings
from kubeop.telemetry import logs

PLATFORM_KINDS = (
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
)


def free_port() -> int:
    """A port that nobody listens on, below those that the kernel gives to others."""
    while True:
        port = random.randrange(20000, 30000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


@dataclass
class Manager:
    """One `kubeop manager serve`, and what it was started with."""

    folder: Path
    env: dict[str, str]
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        return self.folder / "manager.log"

    def start(self, **env: str) -> Manager:
        self.port = free_port()
        clean = {key: value for key, value in os.environ.items() if not key.startswith("KUBEOP_")}
        self.env |= env
        settings = clean | self.env | {"KUBEOP_HTTP_ADDR": f"127.0.0.1:{self.port}"}
        with self.log.open("ab") as log:
            command = [sys.executable, "-c", "from kubeop.cli.main import main; main()", "manager", "serve"]
            self.process = subprocess.Popen(command, env=settings, stdout=log, stderr=log, start_new_session=True)
        self.await_listening()
        return self

    def await_listening(self) -> None:
        def listening() -> bool:
            assert self.process is not None and self.process.poll() is None, self.log.read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        eventually(listening, "the manager listens")

    def kill(self) -> None:
        """As the kernel does when memory is short: no goodbye."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)

    def token(self, ttl_seconds: int = 600) -> str:
        keys = tokens.SigningKeys.parse(self.env["KUBEOP_JWT_SIGNING_KEY"])
        return tokens.issue(keys, subject="tests", role="admin", ttl_seconds=ttl_seconds)

    def client(self) -> ManagerClient:
        return ManagerClient(f"http://127.0.0.1:{self.port}", self.token(), timeout_seconds=30)


@pytest.fixture(autouse=True)
def logging() -> None:
    """As in the service: JSON lines, without the values of local variables."""
    logs.configure("manager", "warning")


@pytest.fixture
def env(database_url: str) -> dict[str, str]:
    """The environment of a manager over a migrated, empty database."""
    from kubeop.manager import migrate

    migrate.migrate(database_url, timeout_seconds=10)
    return {
        "KUBEOP_DB_URL": database_url,
        "KUBEOP_KMS_MASTER_KEY": generate_key("kms-1"),
        "KUBEOP_JWT_SIGNING_KEY": generate_key("jwt-1"),
        "KUBEOP_OPERATOR_IMAGE": "localhost/kubeop/controller:absent",
        "KUBEOP_ADMISSION_IMAGE": "localhost/kubeop/webhook:absent",
        "KUBEOP_OPERATOR_IMAGE_PULL_POLICY": "Never",
        "KUBEOP_EGRESS_BASELINE": "10.0.0.0/8",
    }


@pytest.fixture
def settings(env: dict[str, str]) -> Settings:
    return Settings.from_env(env)


@pytest.fixture
def start(tmp_path: Path, env: dict[str, str]) -> Iterator[Callable[..., Manager]]:
    """Starts managers over one database; whatever still runs at the end is killed."""
    started: list[Manager] = []

    def one(**more: str) -> Manager:
        folder = tmp_path / f"manager-{len(started)}"
        folder.mkdir()
        started.append(Manager(folder, dict(env)))
        return started[-1].start(**more)

    yield one
    for manager in started:
        if manager.process is not None and manager.process.poll() is None:
            manager.kill()


@pytest.fixture
def bare(kube: Client) -> Iterator[Client]:
    """The cluster without the platform, before and after the test."""
    _remove_platform(kube)
    yield kube
    _remove_platform(kube)


def _remove_platform(kube: Client) -> None:
    for api_version, kind in PLATFORM_KINDS:
        for obj in kube.list(api_version, kind, label_selector=f"{names.LABEL_PART_OF}={names.PLATFORM}"):
            kube.delete(api_version, kind, obj["metadata"]["name"])
    for kind in ("Project", "Tenant"):
        if kube.find_resource(names.GROUP_VERSION, kind) is not None:
            for obj in kube.list(names.GROUP_VERSION, kind):
                if obj["metadata"].get("finalizers"):
                    kube.patch(names.GROUP_VERSION, kind, obj["metadata"]["name"], {"metadata": {"finalizers": None}})
                kube.delete(names.GROUP_VERSION, kind, obj["metadata"]["name"])
    for name in ("tenants", "projects"):
        kube.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{name}.{names.API_GROUP}")
    kube.delete("v1", "Namespace", names.PLATFORM_NAMESPACE)
    # Long, for an API server that was killed: its controllers and the kubelet come back to it up to 30 s later, each.
    eventually(lambda: kube.get("v1", "Namespace", names.PLATFORM_NAMESPACE) is None, "kubeop-system is gone", 240)
    crd = f"projects.{names.API_GROUP}"
    eventually(
        lambda: kube.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", crd) is None, "the CRDs are gone", 240
    )
    kube.forget_resources()
