"""Registering a real cluster: what reaches it, what is stored, what is refused, and what outlives a killed manager."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
from urllib.parse import urlsplit

import psycopg
import pytest
import yaml
from waiting import eventually

from kubeop import devcluster, names
from kubeop.errors import ManagerError
from kubeop.kube import kubeconfig as kubeconfigs

WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")


def test_registering_installs_the_platform_and_stores_no_byte_of_the_kubeconfig(start, bare, cluster, env, tmp_path):
    manager = start()
    client = manager.client()
    kubeconfig = cluster.kubeconfig.read_bytes()
    record, changed = client.register_cluster("west", kubeconfig)
    assert changed and record["name"] == "west" and record["state"] == "pending"

    eventually(lambda: bare.get("apps/v1", "Deployment", names.ADMISSION, names.PLATFORM_NAMESPACE), "Deployments")
    eventually(lambda: client.cluster("west")["state"] == "bootstrapping", "bootstrapping")
    ready, why = client.cluster_ready("west")
    assert not ready and "operator" in why and "admission" in why and "caBundle" in why

    # The webhooks come last: while admission does not run they would block the cluster.
    assert bare.get("admissionregistration.k8s.io/v1", WEBHOOKS[0], names.ADMISSION) is None
    secret = bare.get("v1", "Secret", names.ADMISSION_TLS_SECRET, names.PLATFORM_NAMESPACE)
    policy = bare.get("v1", "ConfigMap", names.POLICY_CONFIGMAP, names.PLATFORM_NAMESPACE)
    assert policy["data"][names.POLICY_EGRESS] == "10.0.0.0/8"
    assert policy["data"][names.POLICY_CLUSTER] == "west"

    # What tenants and projects need is there, although no pod runs yet.
    tenant, _ = client.ensure_tenant("west", "acme", {"cpu": "4", "memory": "8Gi"})
    client.ensure_project(tenant["id"], "shop", {"cpu": "1"})
    found = eventually(lambda: bare.get(names.GROUP_VERSION, "Project", "acme-shop"), "the Project object")
    assert found["spec"] == {"tenantRef": "acme", "name": "shop", "quotas": {"cpu": "1"}}
    assert found["metadata"]["labels"][names.LABEL_CLUSTER] == "west"
    eventually(lambda: client.projects(name="shop")[0]["state"] == "ready", "the project's record")

    # The same again changes nothing; a certificate that is still good is kept.
    again, changed = client.register_cluster("west", kubeconfig)
    assert not changed and again["id"] == record["id"]
    time.sleep(3)
    kept = bare.get("v1", "Secret", names.ADMISSION_TLS_SECRET, names.PLATFORM_NAMESPACE)
    assert kept["data"] == secret["data"]

    assert_nothing_leaks(env["KUBEOP_DB_URL"], kubeconfig, manager.log.read_bytes(), tmp_path)
    assert manager.stop() == 0


def assert_nothing_leaks(database_url, kubeconfig, log, tmp_path):
    dump = tmp_path / "dump.sql"
    command = ["/usr/lib/postgresql/15/bin/pg_dump", "--dbname", database_url, "--inserts", "--file", str(dump)]
    subprocess.run(command, check=True, timeout=60)
    text = dump.read_bytes()
    assert b"INSERT INTO public.clusters" in text and b"west" in text
    parsed = kubeconfigs.load(kubeconfig)
    document = yaml.safe_load(kubeconfig)
    values = [parsed.server.encode(), urlsplit(parsed.server).netloc.encode()]
    for section in (document["clusters"][0]["cluster"], document["users"][0]["user"]):
        for key, value in section.items():
            values.append(str(value).encode())
            if key.endswith("-data"):
                values += base64.b64decode(value).splitlines()
    for source in (text, log):
        for value in values:
            for form in (value, base64.b64encode(value).rstrip(b"="), value.hex().encode()):
                pieces = {form[start : start + 16] for start in range(max(1, len(form) - 15))}
                found = [piece for piece in pieces if len(piece) >= 8 and b"-----" not in piece and piece in source]
                assert not found, found[:3]


def test_what_cannot_be_registered_leaves_nothing(start, bare, cluster):
    client = start().client()
    good = yaml.safe_load(cluster.kubeconfig.read_text())

    def changed(**user):
        document = yaml.safe_load(cluster.kubeconfig.read_text())
        document["users"][0]["user"] = user
        return yaml.safe_dump(document).encode()

    def at(server):
        document = {**good, "clusters": [{"name": good["clusters"][0]["name"], "cluster": {"server": server}}]}
        return yaml.safe_dump(document).encode()

    for name, kubeconfig, status, words in (
        ("west", b"no: [kubeconfig", 422, "not YAML"),
        ("west", b"kind: Pod", 422, "not a kubeconfig"),
        ("west", b"", 422, "empty"),
        ("west", changed(exec={"command": "/bin/true"}), 422, "runs no commands"),
        ("west", changed(tokenFile="/etc/passwd"), 422, "names a file"),
        ("west", changed(token="wrong"), 422, "refuses the kubeconfig's credentials"),
        ("west", at("https://127.0.0.1:1"), 502, "does not answer"),
        ("west", at("http://127.0.0.1:1"), 422, "not an https:// URL"),
        ("West", cluster.kubeconfig.read_bytes(), 422, "West"),
    ):
        with pytest.raises(ManagerError) as refused:
            client.register_cluster(name, kubeconfig)
        assert refused.value.status == status, refused.value
        assert words in str(refused.value)
        assert "127.0.0.1" not in str(refused.value)
    assert client.clusters() == []
    assert bare.get("v1", "Namespace", names.PLATFORM_NAMESPACE) is None


def test_dry_run_registers_nothing_and_post_refuses_a_name_that_is_taken(start, bare, cluster):
    client = start(KUBEOP_OPERATOR_IMAGE="").client()
    kubeconfig = cluster.kubeconfig.read_bytes()
    record, changed = client.register_cluster("west", kubeconfig, dry_run=True)
    assert changed and record["name"] == "west"
    assert client.clusters() == []
    client.register_cluster("west", kubeconfig)
    body = {"name": "west", "kubeconfig": base64.b64encode(kubeconfig).decode(), "labels": {"ring": "1_dev"}}
    with pytest.raises(ManagerError) as refused:
        client._call("POST", "/v1/clusters", body=body)
    assert refused.value.status == 409 and "already registered" in str(refused.value)
    _, changed = client.register_cluster("west", kubeconfig, install_admission=False, dry_run=True)
    assert changed and client.cluster("west")["installAdmission"] is True
    client.delete_cluster("west")
    assert client._call("POST", "/v1/clusters", body=body)["labels"] == {"ring": "1_dev"}
    # Labels and what the cluster is contacted for, in one go.
    record, changed = client.register_cluster("west", kubeconfig, install_admission=False, labels={"ring": "2"})
    assert changed and (record["labels"], record["installAdmission"]) == ({"ring": "2"}, False)
    # A manager without images says so in the record, and keeps trying.
    eventually(lambda: "KUBEOP_OPERATOR_IMAGE is not set" in client.cluster("west")["message"], "the reason")
    assert client.delete_cluster("west") and not client.delete_cluster("west")


def test_a_killed_managers_work_is_finished_by_the_next(start, bare, cluster, env):
    first = start(KUBEOP_OPERATOR_IMAGE="")  # gets no further than that
    first.client().register_cluster("west", cluster.kubeconfig.read_bytes())
    eventually(lambda: "KUBEOP_OPERATOR_IMAGE" in first.client().cluster("west")["message"], "the first attempt")
    first.kill()
    with psycopg.connect(env["KUBEOP_DB_URL"], autocommit=True) as database:
        # As if it had been killed in the middle of an attempt, its lease about to end.
        database.execute("UPDATE clusters SET lease_owner = 'dead', lease_until = now() + interval '2 seconds'")
        second = start(KUBEOP_OPERATOR_IMAGE="localhost/kubeop/controller:absent")
        eventually(lambda: second.client().cluster("west")["state"] == "bootstrapping", "the second manager goes on")
        owner = database.execute("SELECT lease_owner FROM clusters").fetchone()
    assert owner != ("dead",)
    assert bare.get("apps/v1", "Deployment", names.OPERATOR, names.PLATFORM_NAMESPACE)


def test_an_api_server_that_restarts_in_the_middle_loses_nothing(start, bare, cluster):
    client = start().client()
    client.register_cluster("west", cluster.kubeconfig.read_bytes())
    eventually(lambda: bare.get("v1", "Namespace", names.PLATFORM_NAMESPACE), "the first object")
    pid = json.loads((cluster.state / "run" / "kube-apiserver.pid").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    try:
        tenant, _ = client.ensure_tenant("west", "acme", {"cpu": "4"})  # accepted all the same
        eventually(lambda: "does not answer" in client.cluster("west")["message"], "the record says so")
        ready, why = client.cluster_ready("west")
        assert not ready and "does not answer" in why
    finally:
        devcluster.up(cluster.name)
    eventually(lambda: client.cluster("west")["state"] == "bootstrapping", "the bootstrap goes on")
    eventually(lambda: bare.get("apps/v1", "Deployment", names.ADMISSION, names.PLATFORM_NAMESPACE), "Deployments")
    eventually(lambda: bare.get(names.GROUP_VERSION, "Tenant", "acme"), "the Tenant object")
    assert client.delete_tenant(tenant["id"])
    eventually(lambda: bare.get(names.GROUP_VERSION, "Tenant", "acme") is None, "the Tenant object's end")
    eventually(lambda: client.tenants() == [], "the record's end")
    assert client.delete_cluster("west")
