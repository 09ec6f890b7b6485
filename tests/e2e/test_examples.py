"""The EXAMPLES of every module, run as they stand on the governed cluster; only names and paths are put in.

What writes is run three times in a row: in check mode, for real, and again. The first two must agree, the third must
change nothing.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from installed import BIN, ROOT, Platform

from kubeop import names
from kubeop.crypto import certificates, tokens
from kubeop.crypto.keyring import generate_key
from kubeop.kube.client import Client
from kubeop.kube.tunnel import open_tunnel
from kubeop.manager.client import ManagerClient
from kubeop.manifests.common import restricted_container, restricted_pod

MODULES = tuple(sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")))
# Run in check mode only, and why.
CHECK_ONLY = {"manager": "it would take settings from the manager that the other tests use"}
# What is random, so that the diffs of a check and of the run after it cannot be the same.
RANDOM_DIFF = {"seal": "a token is new each time"}
WEBHOOKS = "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"
NAMESPACES = ("team-a", "team-b", "ingress", "staging")
REGISTERED, LEAVING, COMING, TENANT = "local", "leaving", "coming", "examples"
ROLLING = "examples-rolling"
OVERLAY = "configMapGenerator: [{name: overlay, namespace: default, literals: [a=b]}]\n"
MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-file, namespace: default}\n"
STAGED = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: staged, namespace: staging, labels: {app: web}}\n"
FILES = (
    ("manifests", "a.yaml", MANIFEST),
    ("overlay", "kustomization.yaml", OVERLAY),
    ("staging", "a.yaml", STAGED),
)


def examples(name: str) -> list[dict[str, Any]]:
    """The tasks of a module's EXAMPLES."""
    code = ast.parse((ROOT / "plugins" / "modules" / f"{name}.py").read_text())
    texts = {
        node.targets[0].id: node.value.value
        for node in code.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    found = yaml.safe_load(texts["EXAMPLES"])
    assert found
    return found


def put_in(value: Any, words: dict[str, str]) -> Any:
    """The same with other words in the place of those that stand for something of the reader's."""
    if isinstance(value, dict):
        return {key: put_in(one, words) for key, one in value.items()}
    if isinstance(value, list):
        return [put_in(one, words) for one in value]
    return words.get(value, value) if isinstance(value, str) else value


@pytest.fixture
def words(platform: Platform, governed: Client, tmp_path: Path) -> Iterator[dict[str, str]]:
    """What the examples' names stand for here; files, namespaces and registrations that they begin with are there."""
    kubeconfig = platform.environment["KUBECONFIG"]
    for folder, file, text in FILES:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).write_text(text)
    (tmp_path / "sealed.yml").write_text("---\n")
    for name in NAMESPACES:
        labels = {"stage": "prod"}
        governed.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    hook = {
        "name": "policy.example.kubeop.io",
        "clientConfig": {"service": {"name": "policy-webhook", "namespace": "team-a"}},
        "rules": [
            {"apiGroups": ["none.kubeop.io"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["a"]}
        ],
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
    }
    api_version, kind = WEBHOOKS
    governed.create(
        {"apiVersion": api_version, "kind": kind, "metadata": {"name": "policy-webhook"}, "webhooks": [hook]}
    )
    governed.create(rolling(platform.images["webhook"]))
    try:
        with open_tunnel(governed, names.PLATFORM_NAMESPACE, names.MANAGER, names.MANAGER_PORT) as url:
            key = tokens.SigningKeys.parse(state(platform, "jwt_signing_key"))
            token = tokens.issue(key, subject="e2e", role="admin", ttl_seconds=600)
            manager = ManagerClient(url, token)
            manager.register_cluster(LEAVING, Path(kubeconfig).read_bytes(), auto_bootstrap=False)
            yield {
                "/etc/kubeop/eu-1.kubeconfig": kubeconfig,
                "/etc/kubeop/control.kubeconfig": kubeconfig,
                "https://kubeop.example.com": url,
                "registry.example.com/kubeop/controller:0.1.0": platform.images["controller"],
                "registry.example.com/kubeop/controller:0.2.0": platform.images["controller"],
                "registry.example.com/kubeop/webhook:0.2.0": platform.images["webhook"],
                "eu-1": REGISTERED,
                "kubeop-operator": ROLLING,
                "acme": TENANT,
                "manifests": str(tmp_path / "manifests"),
                "manifests/staging": str(tmp_path / "staging"),
                "overlays/eu": str(tmp_path / "overlay"),
                "inventories/example/group_vars/all/sealed.yml": str(tmp_path / "sealed.yml"),
            }
            manager = ManagerClient(url, token)  # anew, for the manager has hung up the idle connection by now
            for name in (LEAVING, COMING):
                manager.delete_cluster(name)
            for tenant in manager.tenants(REGISTERED, TENANT):
                for project in manager.projects(tenant_id=tenant["id"]):
                    manager.delete_project(project["id"])
    finally:
        governed.delete(api_version, kind, "policy-webhook")
        governed.delete("apps/v1", "Deployment", ROLLING, names.PLATFORM_NAMESPACE)
        for name in NAMESPACES:
            governed.delete("v1", "Namespace", name)
        for found in governed.list("v1", "ConfigMap", "default"):
            if found["metadata"]["name"].startswith(("motd", "overlay", "from-file")):
                governed.delete("v1", "ConfigMap", found["metadata"]["name"], "default")


def rolling(image: str) -> dict[str, Any]:
    """A Deployment in the operator's place, which runs another image than the example wants."""
    labels = {"app": ROLLING}
    container = {"name": "operator", "image": image, "command": ["sleep", "infinity"], "imagePullPolicy": "Never"}
    pod = {
        "securityContext": restricted_pod(),
        "terminationGracePeriodSeconds": 1,
        "containers": [container | {"securityContext": restricted_container()}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": ROLLING, "namespace": names.PLATFORM_NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def state(platform: Platform, name: str) -> str:
    return (Path(platform.environment["KUBEOP_STATE_DIR"]) / name).read_text().strip()


def tasks(words: dict[str, str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Module, the way it is run, and the task."""
    # A project needs its tenant; all of them in one task would leave nothing to change for the others.
    for module in sorted(MODULES, key=lambda name: (name == "tenancy", name.startswith("project"), name)):
        for example in examples(module):
            task = put_in(example, words) | {"ignore_errors": True}
            arguments = task.get(f"kubeop.platform.{module}")
            if arguments is None or module.endswith("_info") or task.get("check_mode"):
                yield module, "once", task
                continue
            if arguments.get("state") == "absent":
                arguments["name"] = LEAVING
            elif module == "cluster":  # a new one, for that under test is registered already
                arguments |= {"name": COMING, "auto_bootstrap": False, "wait_seconds": 0}
            yield module, "check", task | {"check_mode": True, "diff": True}
            if module not in CHECK_ONLY:
                yield module, "run", task | {"diff": True}
                yield module, "again", task


def test_the_examples_of_every_module_run(platform: Platform, words: dict[str, str], tmp_path: Path) -> None:
    authority = certificates.issue_ca("an authority of one's own")
    variables = {
        "ansible_python_interpreter": str(BIN / "python"),
        "kubeop_jwt_signing_key": state(platform, "jwt_signing_key"),
        "kubeop_kms_master_key": state(platform, "kms_master_key"),
        "kubeop_db_url": platform.environment["KUBEOP_DB_URL"],
        "kubeop_seal_key": generate_key("seal-1"),
        "database_password": "hunter2",
        "webhook_ca_certificate": authority.cert_pem.decode(),
        "webhook_ca_private_key": authority.key_pem.decode(),
    }
    every = list(tasks(words))
    play = {"vars": variables, "tasks": [task for _, _, task in every]}
    results = platform.results(play, tmp_path / "examples.yml")
    assert len(results) == len(every)
    assert {module for module, _, _ in every} == set(MODULES)

    wrong, checked, changing = [], {}, set()
    for (module, way, task), result in zip(every, results, strict=True):
        what = f"{module}, {task['name']!r}, {way}"
        if result.get("failed"):
            wrong.append(f"{what}: {result['msg']}")
        elif way == "check":
            checked = result
        elif way == "again" and result["changed"]:
            wrong.append(f"{what}: changed again: {result.get('changes', result)}")
        elif way == "run" and result["changed"] != checked["changed"]:
            wrong.append(f"{what}: changed is {result['changed']}, and was not in check mode")
        elif way == "run" and module not in RANDOM_DIFF and result["diff"] != checked["diff"]:
            wrong.append(f"{what}: the diff was another in check mode: {checked['diff']} and {result['diff']}")
        if way == "run" and result.get("changed"):
            changing.add(module)
    assert not wrong, "\n".join(wrong)
    # Or nothing is compared with nothing. The tenant is there on a cluster that an earlier session has left running.
    assert changing | {"tenant"} == {module for module, way, _ in every if way == "run"}
    keys = [state(platform, name).partition(":")[2] for name in ("jwt_signing_key", "kms_master_key")]
    assert not [secret for secret in (*keys, "hunter2", "PRIVATE KEY") if secret in json.dumps(results)]
