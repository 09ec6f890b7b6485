"""The real `kubeop operator` as a process of its own, on the test cluster."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from operator_helpers import Operator, Start, ports, projects_of, tenant_object
from waiting import eventually

from kubeop import devcluster, names
from kubeop.errors import ApiError
from kubeop.kube.client import Client
from kubeop.manifests.crds import crds
from kubeop.manifests.operator import operator

RBAC = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")


@contextmanager
def replicas(cluster: devcluster.Cluster, folder: Path) -> Iterator[Start]:
    """Start replicas that share a Lease; what is left in the end is stopped."""
    shared = f"test-{secrets.token_hex(4)}"
    running: list[Operator] = []

    def launch(kubeconfig: Path | None = None, *, wait: bool = True, lease: str = shared) -> Operator:
        log = folder / f"operator-{len(running)}.log"
        command = [str(Path(sys.executable).parent / "kubeop"), "operator", "--lease", lease]
        command += ["--kubeconfig", str(kubeconfig or cluster.kubeconfig), "--health-port", "0", "--metrics-port", "0"]
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        operator = Operator(process, log, *eventually(lambda: ports(log), "the operator started"), lease)
        running.append(operator)
        if wait:
            eventually(operator.leads, "the operator led")
        return operator

    try:
        yield launch
    finally:
        for operator in running:
            if operator.process.poll() is None:
                operator.kill()
        with Client.from_kubeconfig(cluster.kubeconfig) as client:
            for lease in {operator.lease for operator in running}:
                client.delete("coordination.k8s.io/v1", "Lease", lease, names.PLATFORM_NAMESPACE)


@pytest.fixture
def start(cluster: devcluster.Cluster, platform: None, tmp_path: Path) -> Iterator[Start]:
    """Start replicas for this test alone: `start()`, `start(kubeconfig=…)`, `start(wait=False)` for a follower."""
    with replicas(cluster, tmp_path) as launch:
        yield launch


@pytest.fixture(scope="module")
def running(
    cluster: devcluster.Cluster, platform: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    """One replica for all tests of a module."""
    with replicas(cluster, tmp_path_factory.mktemp("operator")) as launch:
        yield launch()


def _platform_namespace(kube: Client) -> bool:
    found = kube.get("v1", "Namespace", names.PLATFORM_NAMESPACE)
    if found is None:
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names.PLATFORM_NAMESPACE}})
    return found is not None and not found["metadata"].get("deletionTimestamp")


@pytest.fixture(scope="module")
def platform(cluster: devcluster.Cluster) -> None:
    """The CRDs and the platform's namespace."""
    with Client.from_kubeconfig(cluster.kubeconfig) as kube:
        for crd in crds():
            kube.server_side_apply(crd, field_manager="test", force=True)
        for kind in ("Tenant", "Project"):
            eventually(lambda kind=kind: kube.find_resource(names.GROUP_VERSION, kind), f"the API server served {kind}")
        eventually(lambda: _platform_namespace(kube), "kubeop-system was there, and not about to go")


@pytest.fixture
def tenant(kube: Client, platform: None) -> Iterator[str]:
    """A fresh tenant; it, its projects and their namespaces are gone afterwards, whether an operator runs or not."""
    name = f"t{secrets.token_hex(3)}"
    kube.create(tenant_object(name))
    yield name
    for kind, found in (
        ("Project", [item["metadata"]["name"] for item in projects_of(kube, name)]),
        ("Tenant", [name]),
    ):
        for item in found:
            kube.delete(names.GROUP_VERSION, kind, item)
            if kube.get(names.GROUP_VERSION, kind, item) is not None:
                release(kube, kind, item)
    for namespace in kube.list("v1", "Namespace"):
        if namespace["metadata"]["name"].startswith(f"kubeop-{name}-"):
            kube.delete("v1", "Namespace", namespace["metadata"]["name"])


def release(kube: Client, kind: str, name: str) -> None:
    """Take the finalizer off; the operator may have done so in between."""
    try:
        kube.patch(names.GROUP_VERSION, kind, name, {"metadata": {"finalizers": None}})
    except ApiError as error:
        if error.status != 404:
            raise


@pytest.fixture
def account(kube: Client, platform: None) -> Iterator[str]:
    """A ServiceAccount with just the manifests' rights, under a name of its own."""
    name = f"{names.OPERATOR}-{secrets.token_hex(3)}"
    text = json.dumps(operator(image="unused", pull_policy="Never", version="test"))
    objects = [item for item in json.loads(text.replace(names.OPERATOR, name)) if item["kind"] in RBAC]
    for item in objects:
        kube.create(item)
    yield name
    for item in objects:
        metadata = item["metadata"]
        kube.delete(item["apiVersion"], item["kind"], metadata["name"], metadata.get("namespace"))


@pytest.fixture
def limited(kube: Client, cluster: devcluster.Cluster, account: str, tmp_path: Path) -> Path:
    """A kubeconfig with a token of that ServiceAccount."""
    token = kube.request(
        "POST",
        f"/api/v1/namespaces/{names.PLATFORM_NAMESPACE}/serviceaccounts/{account}/token",
        body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}},
    )["status"]["token"]
    document = yaml.safe_load(cluster.kubeconfig.read_text())
    document["users"][0]["user"] = {"token": token}
    path = tmp_path / "limited"
    path.write_text(yaml.safe_dump(document))
    return path
