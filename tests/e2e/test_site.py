"""What a user has after `site.yml`: components ready, projects governed, wrong things refused, nothing to change."""

from __future__ import annotations

import gc
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from installed import BIN, ROOT, Platform, changed
from waiting import eventually

from kubeop import names
from kubeop.crypto import tokens
from kubeop.errors import ApiError, ManagerError
from kubeop.kube.client import Client
from kubeop.kube.tunnel import open_tunnel
from kubeop.manager.client import ManagerClient

DEPLOYMENTS = (names.MANAGER, names.OPERATOR, names.ADMISSION)
NAMESPACE = names.project_namespace("acme", "shop")
PIECES = (
    ("v1", "LimitRange", names.LIMIT_RANGE),
    ("v1", "ResourceQuota", names.RESOURCE_QUOTA),
    ("networking.k8s.io/v1", "NetworkPolicy", names.NETWORK_POLICY_EGRESS),
    ("networking.k8s.io/v1", "NetworkPolicy", names.NETWORK_POLICY_INGRESS),
)


def signing_keys(platform: Platform) -> tokens.SigningKeys:
    return tokens.SigningKeys.parse((Path(platform.environment["KUBEOP_STATE_DIR"]) / "jwt_signing_key").read_text())


def pod(image: str, **container: Any) -> dict[str, Any]:
    """A pod that Pod Security's `restricted` accepts."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "e2e", "namespace": NAMESPACE},
        "spec": {
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "e2e", "image": image, "securityContext": security, **container}],
        },
    }


def test_a_second_run_changes_nothing_and_needs_no_clone(platform: Platform, tmp_path: Path) -> None:
    install = [BIN / "ansible-galaxy", "collection", "install", str(ROOT), "--collections-path", str(tmp_path)]
    # By force: it is there already where an earlier test has made the clone known to Ansible.
    subprocess.run([*install, "--no-deps", "--force"], check=True, capture_output=True, text=True, cwd=tmp_path)
    run = platform.playbook_of_collection("site", tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert changed(run) == 0, run.stdout


def test_check_mode_changes_nothing_and_says_so(platform: Platform) -> None:
    run = platform.playbook("site", "--check", "--diff")
    assert run.returncode == 0, run.stdout + run.stderr
    assert changed(run) == 0, run.stdout


def test_no_secret_in_what_a_run_prints(platform: Platform) -> None:
    run = platform.playbook("site", "-vvv", "--diff")
    printed = run.stdout + run.stderr
    state = Path(platform.environment["KUBEOP_STATE_DIR"])
    keys = [key.read_text().strip().partition(":")[2] for key in state.iterdir()]
    password = platform.environment["KUBEOP_DB_URL"].split("@")[0].rpartition(":")[2]
    certificate = Path(platform.environment["KUBECONFIG"]).read_text().partition("client-key-data: ")[2].split()[0]
    assert run.returncode == 0
    for secret in (*keys, password, certificate):
        assert len(secret) > 8
        assert secret not in printed


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_components_run_twice_unprivileged(governed: Client, platform: Platform, name: str) -> None:
    pods = governed.list("v1", "Pod", names.PLATFORM_NAMESPACE, label_selector=f"{names.LABEL_NAME}={name}")
    running = [
        pod for pod in pods if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
    ]
    assert len(running) == 2
    for found in running:
        container = found["spec"]["containers"][0]
        assert container["image"] in platform.images.values()
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert found["spec"]["securityContext"]["runAsUser"] == 1000
        assert found["status"]["containerStatuses"][0]["ready"]
    assert governed.get("policy/v1", "PodDisruptionBudget", name, names.PLATFORM_NAMESPACE) is not None


def test_one_operator_leads(governed: Client) -> None:
    lease = governed.get("coordination.k8s.io/v1", "Lease", names.OPERATOR_LEASE, names.PLATFORM_NAMESPACE)
    assert lease is not None
    assert lease["spec"]["holderIdentity"].startswith(names.OPERATOR)


@pytest.mark.parametrize(("api_version", "kind", "name"), PIECES, ids=lambda value: str(value))
def test_a_deleted_piece_of_the_baseline_comes_back(governed: Client, api_version: str, kind: str, name: str) -> None:
    before = governed.get(api_version, kind, name, NAMESPACE)
    assert before is not None
    governed.delete(api_version, kind, name, NAMESPACE)
    after = eventually(
        lambda: (
            (found := governed.get(api_version, kind, name, NAMESPACE))
            and found["metadata"]["uid"] != before["metadata"]["uid"]
            and found
        ),
        f"{kind} {name} made anew",
    )
    assert after["spec"] == before["spec"]


def test_a_forbidden_image_is_refused_with_what_to_change(governed: Client) -> None:
    with pytest.raises(ApiError, match=r"docker\.io/library/nginx:1\.27.*allow") as refusal:
        governed.create(pod("docker.io/library/nginx:1.27"), dry_run=True)
    assert refusal.value.status == 403


def test_a_pod_with_an_allowed_image_runs(governed: Client, platform: Platform) -> None:
    governed.create(pod(platform.images["controller"], args=["--version"]))
    try:
        done = eventually(
            lambda: (
                (found := governed.get("v1", "Pod", "e2e", NAMESPACE))
                and found["status"].get("containerStatuses", [{}])[0].get("state", {}).get("terminated")
            ),
            "the pod's end",
        )
        assert done["exitCode"] == 0
    finally:
        governed.delete("v1", "Pod", "e2e", NAMESPACE)


def test_a_wrong_and_an_expired_token_are_refused(governed: Client, platform: Platform) -> None:
    right = signing_keys(platform)
    other = tokens.SigningKeys.parse("other:" + "b3RoZXIta2V5LW90aGVyLWtleS1vdGhlci1rZXktMTI=")
    with open_tunnel(governed, names.PLATFORM_NAMESPACE, names.MANAGER, names.MANAGER_PORT) as url:
        with pytest.raises(ManagerError) as wrong:
            ManagerClient(url, tokens.issue(other, subject="e2e", role="admin", ttl_seconds=60)).clusters()
        short = tokens.issue(right, subject="e2e", role="admin", ttl_seconds=1)
        time.sleep(2)
        with pytest.raises(ManagerError, match="expired") as expired:
            ManagerClient(url, short).clusters()
    assert (wrong.value.status, expired.value.status) == (401, 401)


def test_a_tunnel_leaves_no_socket_open_when_the_other_side_ends_first(governed: Client) -> None:
    left: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", lambda raised: left.append(raised.exc_value))
        with open_tunnel(governed, names.PLATFORM_NAMESPACE, names.MANAGER, names.MANAGER_PORT) as url:
            host, port = url.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port))) as ours:
                ours.sendall(b"GET /healthz HTTP/1.1\r\nHost: manager\r\nConnection: close\r\n\r\n")
                assert ours.recv(4096).startswith(b"HTTP/1.1 200")
                while ours.recv(4096):  # until the other side has ended
                    pass
        gc.collect()
    assert left == []


def test_the_manager_tells_its_version_and_its_clusters(governed: Client, platform: Platform) -> None:
    token = tokens.issue(signing_keys(platform), subject="e2e", role="admin", ttl_seconds=60)
    with open_tunnel(governed, names.PLATFORM_NAMESPACE, names.MANAGER, names.MANAGER_PORT) as url:
        client = ManagerClient(url, token)
        assert client.version() == platform.images["controller"].rpartition(":")[2]
        clusters = client.clusters()
        assert [cluster["state"] for cluster in clusters] == ["ready"]
        assert "kubeconfig" not in clusters[0]
