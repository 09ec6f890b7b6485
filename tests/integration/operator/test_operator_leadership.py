"""One leader among replicas, and an API server that goes away: who works, who takes over, what is not lost."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from operator_helpers import await_reason, project_object, ready
from waiting import eventually

from kubeop import devcluster, names
from kubeop.kube.client import Client

TAKEOVER = 90.0  # a Lease runs out 15 s after its last renewal


def holder(kube: Client, operator: Any) -> str:
    lease = kube.get("coordination.k8s.io/v1", "Lease", operator.lease, names.PLATFORM_NAMESPACE)
    return lease["spec"]["holderIdentity"] if lease else ""


@pytest.fixture
def pair(start: Any) -> tuple[Any, Any]:
    """A leader and its follower."""
    return start(), start(wait=False)


def test_only_one_of_two_replicas_works_and_both_are_ready(kube: Client, tenant: str, pair: Any) -> None:
    leader, follower = pair
    kube.create(project_object(tenant, "web"))
    await_reason(kube, "Project", f"{tenant}-web", "BaselineApplied")
    assert [leader.leads(), follower.leads()] == [True, False]
    assert follower.metric("controller_runtime_reconcile_total{") == 0
    assert [operator.fetch(path)[0] for operator in pair for path in ("/healthz", "/readyz")] == [200] * 4


def test_a_follower_takes_over_when_the_leader_stops(kube: Client, tenant: str, pair: Any) -> None:
    leader, follower = pair
    assert leader.terminate() == 0
    eventually(follower.leads, "the follower led", TAKEOVER)
    kube.create(project_object(tenant, "web"))
    await_reason(kube, "Project", f"{tenant}-web", "BaselineApplied")
    lease = kube.get("coordination.k8s.io/v1", "Lease", leader.lease, names.PLATFORM_NAMESPACE)
    assert lease is not None
    # Released, not run out: the spec that was given up says so.
    assert lease["spec"]["leaseTransitions"] == 1


def test_a_follower_takes_over_from_a_leader_that_was_killed(kube: Client, tenant: str, pair: Any) -> None:
    leader, follower = pair
    kube.create(project_object(tenant, "web"))
    await_reason(kube, "Project", f"{tenant}-web", "BaselineApplied")
    leader.kill()
    kube.delete("networking.k8s.io/v1", "NetworkPolicy", names.NETWORK_POLICY_EGRESS, f"kubeop-{tenant}-web")
    eventually(follower.leads, "the follower led", TAKEOVER)
    eventually(
        lambda: kube.get("networking.k8s.io/v1", "NetworkPolicy", names.NETWORK_POLICY_EGRESS, f"kubeop-{tenant}-web"),
        "what was deleted while nobody led put back",
    )


def test_a_follower_that_is_stopped_ends_well(pair: Any) -> None:
    leader, follower = pair
    assert follower.terminate() == 0
    assert leader.leads()


def test_a_leader_that_loses_its_lease_ends_with_an_error(kube: Client, start: Any) -> None:
    leader = start()
    lease = kube.get("coordination.k8s.io/v1", "Lease", leader.lease, names.PLATFORM_NAMESPACE)
    assert lease is not None
    spec = {"spec": {"holderIdentity": "an-intruder"}}
    kube.patch("coordination.k8s.io/v1", "Lease", leader.lease, spec, names.PLATFORM_NAMESPACE)
    assert leader.process.wait(TAKEOVER) == 1
    assert holder(kube, leader) == "an-intruder"


class Wire:
    """A TCP forwarder to the API server that can be cut, as when the server restarts, and mended."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.port = 0
        self.mend()

    def mend(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port))
        self._listener, self.port = listener, listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self._target)
                with self._lock:
                    self._open |= {client, server}
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
            with self._lock:
                self._open.discard(end)


@pytest.fixture
def wire(cluster: devcluster.Cluster) -> Iterator[Wire]:
    document = yaml.safe_load(cluster.kubeconfig.read_text())
    server = urlsplit(document["clusters"][0]["cluster"]["server"])
    made = Wire((server.hostname or "", server.port or 443))
    yield made
    made.cut()


@pytest.fixture
def wired(cluster: devcluster.Cluster, wire: Wire, tmp_path: Path) -> Path:
    """The cluster's kubeconfig, through the wire."""
    document = yaml.safe_load(cluster.kubeconfig.read_text())
    entry = document["clusters"][0]["cluster"]
    entry["tls-server-name"] = urlsplit(entry["server"]).hostname
    entry["server"] = f"https://127.0.0.1:{wire.port}"
    path = tmp_path / "wired"
    path.write_text(yaml.safe_dump(document))
    return path


def test_an_api_server_that_goes_away_for_a_moment_does_no_harm(
    kube: Client, tenant: str, start: Any, wire: Wire, wired: Path
) -> None:
    leader = start(wired)
    kube.create(project_object(tenant, "web"))
    await_reason(kube, "Project", f"{tenant}-web", "BaselineApplied")
    wire.cut()
    kube.create(project_object(tenant, "later"))
    kube.delete("v1", "LimitRange", names.LIMIT_RANGE, f"kubeop-{tenant}-web")
    assert leader.fetch("/healthz")[0] == 200
    wire.mend()
    await_reason(kube, "Project", f"{tenant}-later", "BaselineApplied")
    eventually(lambda: kube.get("v1", "LimitRange", names.LIMIT_RANGE, f"kubeop-{tenant}-web"), "the LimitRange back")
    assert leader.process.poll() is None


def test_an_api_server_that_is_away_for_long_does_no_harm(
    kube: Client, tenant: str, start: Any, wire: Wire, wired: Path
) -> None:
    leader = start(wired)
    wire.cut()
    eventually(lambda: not leader.leads(), "the leader stopped working", TAKEOVER)
    kube.create(project_object(tenant, "web"))
    wire.mend()
    await_reason(kube, "Project", f"{tenant}-web", "BaselineApplied")
    assert leader.leads()
    assert leader.process.poll() is None


def test_a_leader_cut_off_gives_way_to_the_follower_and_ends(
    kube: Client, tenant: str, start: Any, wire: Wire, wired: Path
) -> None:
    leader, follower = start(wired), start(wait=False)
    wire.cut()
    eventually(follower.leads, "the follower led", TAKEOVER)
    assert not leader.leads()
    kube.create(project_object(tenant, "web"))
    await_reason(kube, "Project", f"{tenant}-web", "BaselineApplied")
    wire.mend()
    assert leader.process.wait(TAKEOVER) == 1


def test_a_replica_started_while_the_api_server_is_away_waits(start: Any, wire: Wire, wired: Path) -> None:
    wire.cut()
    operator = start(wired, wait=False)
    assert operator.fetch("/readyz")[0] == 200
    eventually(lambda: "the Lease cannot be read" in operator.log.read_text(), "the trouble logged")
    wire.mend()
    eventually(operator.leads, "the operator led", TAKEOVER)


def test_a_tenant_goes_after_its_projects(kube: Client, tenant: str, start: Any) -> None:
    start()
    kube.create(project_object(tenant, "web", {"cpu": "2", "memory": "1Gi"}))
    kube.create(project_object(tenant, "api"))
    eventually(
        lambda: (kube.get(names.GROUP_VERSION, "Tenant", tenant) or {}).get("status", {}).get("projects") == 2,
        "two projects counted",
    )
    found = kube.get(names.GROUP_VERSION, "Tenant", tenant)
    assert found is not None
    assert found["status"]["used"] == {"cpu": "3", "memory": "2Gi", "pods": 20}
    assert ready(kube, "Tenant", tenant)["status"] == "True"
    kube.delete(names.GROUP_VERSION, "Tenant", tenant)
    condition = await_reason(kube, "Tenant", tenant, "HasProjects")
    assert f"{tenant}-api, {tenant}-web" in condition["message"]
    kube.delete(names.GROUP_VERSION, "Project", f"{tenant}-web")
    kube.delete(names.GROUP_VERSION, "Project", f"{tenant}-api")
    eventually(lambda: kube.get(names.GROUP_VERSION, "Tenant", tenant) is None, "the Tenant gone")
    assert [kube.get("v1", "Namespace", f"kubeop-{tenant}-{name}") for name in ("web", "api")] == [None, None]


def test_projects_that_ask_for_more_than_the_tenant_has(kube: Client, tenant: str, start: Any) -> None:
    start()
    kube.patch(names.GROUP_VERSION, "Tenant", tenant, {"spec": {"quotas": {"cpu": "1500m"}}})
    kube.create(project_object(tenant, "web"))
    kube.create(project_object(tenant, "api"))
    condition = await_reason(kube, "Tenant", tenant, "QuotaExceeded")
    assert "cpu 2 is more than 1500m" in condition["message"]


def test_a_changed_policy_reaches_every_project(kube: Client, tenant: str, start: Any) -> None:
    start()
    for name in ("web", "api"):
        kube.create(project_object(tenant, name))
        await_reason(kube, "Project", f"{tenant}-{name}", "BaselineApplied")
    before = kube.get("v1", "ConfigMap", names.POLICY_CONFIGMAP, names.PLATFORM_NAMESPACE)
    try:
        apply_policy(kube, "10.77.0.0/16\n192.0.2.0/24")
        eventually(lambda: all("10.77.0.0/16" in egress(kube, tenant, name) for name in ("web", "api")), "the new CIDR")
        # A policy that cannot be used leaves the last good one in force.
        apply_policy(kube, "not-a-cidr")
        kube.delete("networking.k8s.io/v1", "NetworkPolicy", names.NETWORK_POLICY_EGRESS, f"kubeop-{tenant}-web")
        eventually(lambda: "10.77.0.0/16" in egress(kube, tenant, "web"), "the last good policy in force")
    finally:
        if before is None:
            kube.delete("v1", "ConfigMap", names.POLICY_CONFIGMAP, names.PLATFORM_NAMESPACE)
        else:
            apply_policy(kube, before["data"].get(names.POLICY_EGRESS, ""))


def apply_policy(kube: Client, egress_baseline: str) -> None:
    kube.server_side_apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": names.POLICY_CONFIGMAP, "namespace": names.PLATFORM_NAMESPACE},
            "data": {names.POLICY_EGRESS: egress_baseline},
        },
        field_manager="test",
        force=True,
    )


def egress(kube: Client, tenant: str, name: str) -> str:
    found = kube.get("networking.k8s.io/v1", "NetworkPolicy", names.NETWORK_POLICY_EGRESS, f"kubeop-{tenant}-{name}")
    return str(found["spec"]) if found else ""
