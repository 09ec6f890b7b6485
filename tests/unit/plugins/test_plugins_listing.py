"""Listing modules and the inventory plugin against a manager that runs as a process; apply's manifests from files."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from plugin_docs import module

from kubeop.crypto.keyring import Keyring, generate_key
from kubeop.crypto.tokens import SigningKeys, issue
from kubeop.kube import kubeconfig as kubeconfigs
from kubeop.manager import migrate, registry
from kubeop.manager.app import create_app
from kubeop.manager.client import ManagerClient
from kubeop.settings import Settings

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: west
clusters: [{name: west, cluster: {server: "https://127.0.0.1:9"}}]
users: [{name: admin, user: {token: hunter2}}]
contexts: [{name: west, context: {cluster: west, user: admin}}]
"""


def run(which: str, capsys: pytest.CaptureFixture[str], /, **arguments: Any) -> dict[str, Any]:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module(which).main()
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[dict[str, str]]:
    """`kubeop manager serve` with two clusters, whose API servers nobody answers for; how modules reach it."""
    url, kms, jwt = f"sqlite:///{tmp_path}/m.db", generate_key("k1"), generate_key("j1")
    assert Keyring.parse(kms).active_id == "k1"
    migrate.migrate(url)
    app = create_app(Settings(db_url=url, kms_master_key=kms, jwt_signing_key=jwt), reconcile=False)
    services = app.state.services
    with services.database.transaction() as session:
        for name in ("east", "west"):
            registry.create(session, services, registry.Wish(name, kubeconfigs.load(KUBECONFIG), False, False))
    services.database.close()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("KUBEOP_", "XDG_"))}
    own = {"KUBEOP_DB_URL": url, "KUBEOP_KMS_MASTER_KEY": kms, "KUBEOP_JWT_SIGNING_KEY": jwt}
    process = subprocess.Popen(
        [sys.executable, "-c", "from kubeop.cli.main import main; main()", "manager", "serve"],
        env={**clean, **own, "HOME": str(tmp_path), "KUBEOP_HTTP_ADDR": f"127.0.0.1:{port}"},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    token = issue(SigningKeys.parse(jwt), subject="tester", role="admin", ttl_seconds=600)
    address = f"http://127.0.0.1:{port}"
    try:
        with ManagerClient(address, token) as client:
            deadline = time.monotonic() + 60
            while not client.healthy() and time.monotonic() < deadline:
                time.sleep(0.1)
            for cluster in ("east", "west"):
                acme, _ = client.ensure_tenant(cluster, "acme", {"cpu": "4"})
                client.ensure_project(acme["id"], "shop", {"cpu": "1"})
            other, _ = client.ensure_tenant("west", "other", {"cpu": "4"})
            client.ensure_project(other["id"], "blog", {"cpu": "1"})
        yield {"manager_url": address, "manager_token": token}
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_tenants_and_projects_are_listed_by_every_filter(
    manager: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    def listed(which: str, **filters: str) -> list[str]:
        result = run(f"{which}_info", capsys, **manager, **filters)
        assert not result["changed"]
        return [record["name"] for record in result[f"{which}s"]]

    assert listed("tenant") == ["acme", "acme", "other"]
    assert listed("tenant", cluster="east") == ["acme"]
    assert listed("tenant", cluster="west", name="other") == ["other"]
    assert listed("project") == ["blog", "shop", "shop"]
    assert listed("project", tenant="acme") == ["shop", "shop"]
    assert listed("project", cluster="west", tenant="other") == ["blog"]
    assert listed("project", tenant="nobody") == []
    unknown = run("project_info", capsys, **manager, cluster="north")
    assert unknown["failed"]
    assert "north" in unknown["msg"]


@pytest.mark.parametrize(
    ("text", "told"), [("a: 1\n---\n- 1\n", "Document 2 of "), ("a: 1\nb: [1\nc: 2\n", "bad.yaml, line 3 is not YAML")]
)
def test_a_manifest_of_no_use_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    result = run("apply", capsys, src=[str(tmp_path)], kubeconfig_content=KUBECONFIG)
    assert result["failed"]
    assert told in result["msg"]
    assert "bad.yaml" in result["msg"]


def test_labels_of_a_cluster_are_checked_set_kept_and_removed(
    manager: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    def cluster(*, check: bool = False, **options: Any) -> dict[str, Any]:
        own = {"name": "east", "auto_bootstrap": False, "install_admission": False, "wait_seconds": 0}
        how = {"kubeconfig_content": KUBECONFIG, "_ansible_check_mode": check, "_ansible_diff": True}
        return run("cluster", capsys, **manager, **own, **how, **options)

    wanted = {"region": "eu", "ring": "1_dev"}
    checked, done, again = cluster(check=True, labels=wanted), cluster(labels=wanted), cluster(labels=wanted)
    assert [result["changed"] for result in (checked, done, again)] == [True, True, False], (checked, done, again)
    assert checked["diff"] == done["diff"]
    assert (done["diff"]["before"]["labels"], done["diff"]["after"]["labels"]) == ({}, wanted)
    assert "kubeconfig" not in done["diff"]["after"]
    kept = cluster()
    assert not kept["changed"]
    assert kept["cluster"]["labels"] == wanted
    found = run("cluster_info", capsys, **manager)["clusters"]
    assert [(record["name"], record["labels"]) for record in found] == [("east", wanted), ("west", {})]
    refused = cluster(labels={"ring": "very secret?"})
    assert refused["failed"]
    assert "The value of the label ring cannot be used" in refused["msg"]
    assert "very secret" not in refused["msg"]
    gone = cluster(labels={})
    assert gone["changed"]
    assert gone["cluster"]["labels"] == {}


def test_the_role_sets_keeps_and_removes_labels(manager: dict[str, str], tmp_path: Path) -> None:
    role = {"ansible.builtin.include_role": {"name": "kubeop.platform.cluster_registration"}}
    info = {"kubeop.platform.cluster_info": {**manager, "name": "east"}, "register": "found"}
    tasks: list[dict[str, Any]] = []
    for given, labels in (({"kubeop_labels": {"ring": "1_dev"}}, {"ring": "1_dev"}), ({}, {"ring": "1_dev"})):
        tasks += [
            {**role, "vars": given},
            info,
            {"ansible.builtin.assert": {"that": f"found.clusters[0].labels == {labels}"}},
        ]
    tasks += [{**role, "vars": {"kubeop_labels": {}}}, info]
    tasks += [{"ansible.builtin.assert": {"that": "found.clusters[0].labels == {}"}}]
    variables = {
        "ansible_python_interpreter": sys.executable,
        "kubeop_kubeconfig_content": KUBECONFIG,
        "cluster_registration_manager_url": manager["manager_url"],
        "cluster_registration_manager_token": manager["manager_token"],
        "cluster_registration_auto_bootstrap": False,
        "cluster_registration_install_admission": False,
        "cluster_registration_wait_seconds": 0,
    }
    play = {"hosts": "east", "connection": "local", "gather_facts": False, "vars": variables, "tasks": tasks}
    (tmp_path / "play.json").write_text(json.dumps([play]))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "east,", str(tmp_path / "play.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def inventory(tmp_path: Path, manager: dict[str, str], **config: Any) -> subprocess.CompletedProcess[str]:
    """`ansible-inventory --list` of a source with these options, and facts cached in a folder."""
    source = tmp_path / "x.clusters.yml"
    source.write_text(
        json.dumps({"plugin": "kubeop.platform.clusters", "manager_url": manager["manager_url"]} | config)
    )
    return subprocess.run(
        [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(source), "--list"],
        env={
            **os.environ,
            "KUBEOP_MANAGER_TOKEN": manager["manager_token"],
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def label(manager: dict[str, str], cluster: str, **labels: str) -> None:
    kubeconfig = kubeconfigs.load(KUBECONFIG).as_bytes()
    with ManagerClient(manager["manager_url"], manager["manager_token"]) as client:
        client.register_cluster(cluster, kubeconfig, False, False, labels=labels)


def test_labels_are_groups_and_variables_also_from_the_cache(manager: dict[str, str], tmp_path: Path) -> None:
    label(manager, "east", **{"region": "eu-central", "ring": "1_dev", "example.com/tier": "gold", "spare": ""})
    label(manager, "west", region="us", ring="1_dev")
    options: dict[str, Any] = {
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(tmp_path / "cache"),
        "keyed_groups": [{"key": "kubeop_cluster_labels.region", "prefix": "in", "separator": "_"}],
        "groups": {"golden": "kubeop_cluster_labels['example.com/tier'] | default('') == 'gold'"},
        "compose": {"american": "kubeop_cluster_labels.region == 'us'"},
        "strict": True,
    }
    for source in (manager, {**manager, "manager_url": "http://127.0.0.1:9"}):  # the second is the cache alone
        done = inventory(tmp_path, source, **options)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        groups = {name: sorted(group["hosts"]) for name, group in found.items() if group.get("hosts")}
        assert groups["ring_1_dev"] == groups["clusters"] == ["east", "west"]
        assert (groups["region_eu_central"], groups["region_us"]) == (["east"], ["west"])
        assert groups["label_example_com_tier_gold"] == groups["label_spare"] == groups["golden"] == ["east"]
        assert groups["in_us"] == ["west"]
        hosts = found["_meta"]["hostvars"]
        assert [hosts[name]["american"] for name in ("east", "west")] == [False, True]
        # Ansible's own mark: a label is no template.
        assert hosts["west"]["kubeop_cluster_labels"] == {
            "region": {"__ansible_unsafe": "us"},
            "ring": {"__ansible_unsafe": "1_dev"},
        }


def test_clusters_are_hosts_grouped_and_cached_without_secrets(manager: dict[str, str], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    options: dict[str, Any] = {
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(cache),
        "keyed_groups": [{"key": "kubeop_cluster_state", "prefix": "state"}],
        "groups": {"waiting": "not kubeop_cluster_ready"},
        "compose": {"eastern": "inventory_hostname == 'east'"},
        "strict": True,
    }
    done = inventory(tmp_path, manager, **options)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    hosts = found["_meta"]["hostvars"]
    assert sorted(found["clusters"]["hosts"]) == sorted(found["waiting"]["hosts"]) == ["east", "west"]
    assert any(group.startswith("state_") for group in found)
    assert [hosts[name]["eastern"] for name in ("east", "west")] == [True, False]
    assert hosts["east"]["kubeop_cluster_id"] != hosts["west"]["kubeop_cluster_id"]
    kept = "".join(path.read_text() for path in cache.iterdir())
    assert "kubeop_cluster_id" in kept
    for secret in (manager["manager_token"], "hunter2"):
        assert secret not in done.stdout + done.stderr + kept
    gone = {**manager, "manager_url": "http://127.0.0.1:9"}
    assert json.loads(inventory(tmp_path, gone, **options).stdout)["_meta"]["hostvars"] == hosts
    failed = inventory(tmp_path, gone, **options | {"cache": False})
    assert failed.returncode != 0
    assert "127.0.0.1:9 does not answer" in failed.stderr
    assert manager["manager_token"] not in failed.stderr
