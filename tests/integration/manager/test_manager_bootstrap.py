"""The steps of a bootstrap, one by one, on a real API server."""

from __future__ import annotations

import base64
import time

from kubeop import names
from kubeop.crypto import certificates
from kubeop.kube.apply import apply
from kubeop.kube.client import Client
from kubeop.manager import bootstrap, live, serving, sync
from kubeop.manager.work import Outcome
from kubeop.manifests import admission
from kubeop.manifests.common import platform_namespace
from kubeop.manifests.crds import crds
from kubeop.manifests.webhooks import webhook_configurations


def put(kube, *objects):
    apply(kube, objects, field_manager=names.FIELD_MANAGER_MANAGER)


def secret(tls):
    return admission.tls_secret(cert_pem=tls.cert_pem, key_pem=tls.key_pem, ca_pem=tls.ca_pem)


def chosen(client):
    return serving.choose(client, bootstrap.SERVING).tls


def test_a_good_certificate_is_kept_and_a_new_one_is_trusted_beside_the_old(bare):
    put(bare, platform_namespace("test"))
    first = chosen(bare)
    assert not certificates.needs_renewal(first.cert_pem, first.ca_pem, admission.DNS_NAMES, key_pem=first.key_pem)
    put(bare, secret(first))
    assert serving.choose(bare, bootstrap.SERVING) == serving.Choice(first)

    authority = certificates.issue_ca("old authority")
    old = certificates.issue_server(authority, ["another.name"])
    put(bare, secret(old))
    choice = serving.choose(bare, bootstrap.SERVING)
    assert choice.reason == "its names are others"
    fresh = choice.tls
    assert fresh.ca_pem.count(b"BEGIN CERTIFICATE") == 2 and fresh.ca_pem.endswith(authority.cert_pem)
    put(bare, secret(fresh))
    assert chosen(bare) == fresh  # the bundle's first authority is the one that counts
    later = certificates.issue_server(certificates.issue_ca("third"), ["x.y"])
    put(bare, secret(certificates.Certificate(later.cert_pem, later.key_pem, later.ca_pem + fresh.ca_pem)))
    assert chosen(bare).ca_pem.count(b"BEGIN CERTIFICATE") == 2  # and it does not grow


def test_a_broken_secret_is_replaced(bare):
    put(bare, platform_namespace("test"))
    put(bare, secret(certificates.Certificate(b"no", b"pem", b"at all")))
    fresh = chosen(bare)
    assert fresh.ca_pem.count(b"BEGIN CERTIFICATE") == 1
    put(bare, secret(fresh))
    assert chosen(bare) == fresh


def test_ca_bundle_is_ready_when_every_webhook_trusts_the_secrets_authority(bare):
    def bundle():
        return next(part for part in live.look(bare, admission=True) if part.name == "caBundle")

    put(bare, platform_namespace("test"))
    assert "no Secret" in bundle().detail
    tls = chosen(bare)
    put(bare, secret(tls))
    assert "There is no ValidatingWebhookConfiguration" in bundle().detail
    other = certificates.issue_ca("other").cert_pem
    put(bare, *webhook_configurations(base64.b64encode(other).decode()))
    assert not bundle().ready and "another authority" in bundle().detail
    put(bare, *webhook_configurations(base64.b64encode(tls.ca_pem).decode()))
    assert bundle().ready
    names_seen = [part.name for part in live.look(bare, admission=False)]
    assert names_seen == ["operator"]


def job(name="acme", deleting=False, cluster="west"):
    labels = {names.LABEL_TENANT: name, names.LABEL_CLUSTER: cluster}
    obj = {
        "apiVersion": names.GROUP_VERSION,
        "kind": "Tenant",
        "metadata": {"name": name, "labels": labels},
        "spec": {"name": name, "quotas": {"cpu": "2"}},
    }
    return sync.Job("row", 1, "Tenant", obj, deleting)


def test_sync_applies_repairs_names_conflicts_and_deletes_only_its_own(bare):
    failed = sync.run(bare, job())
    assert failed.state == "failed" and "Tenant" in failed.message  # no CRD yet: it says so and tries again
    assert sync.run(bare, job(deleting=True)).gone  # without the kind there is nothing to delete

    put(bare, *crds("test"))
    deadline = time.monotonic() + 20
    while (done := sync.run(bare, job())).state != "ready" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert done.synced, done.message
    bare.patch(names.GROUP_VERSION, "Tenant", "acme", {"spec": {"quotas": {"cpu": "9"}}}, field_manager="a-person")
    conflict = sync.run(bare, job())
    assert conflict.state == "failed" and "a-person" in conflict.message

    assert sync.run(bare, job(deleting=True, cluster="east")) == Outcome("deleting", gone=True)
    assert bare.get(names.GROUP_VERSION, "Tenant", "acme") is not None  # of another registration: left alone
    bare.patch(names.GROUP_VERSION, "Tenant", "acme", {"metadata": {"finalizers": [names.FINALIZER]}})
    waiting = sync.run(bare, job(deleting=True))
    assert not waiting.gone and "Waiting for the cluster to remove Tenant acme" in waiting.message
    bare.patch(names.GROUP_VERSION, "Tenant", "acme", {"metadata": {"finalizers": None}})
    assert sync.run(bare, job(deleting=True)).gone


def test_a_cluster_that_does_not_answer_is_said_without_its_address(kube):
    document = kube.kubeconfig.as_mapping()
    document["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    with Client.from_kubeconfig(document, timeout_seconds=2) as client:
        outcome = sync.run(client, job())
    assert outcome.unreachable and outcome.state == "pending"
    assert "127.0.0.1" not in outcome.message
