"""The module webhook_certificate in real playbook runs: check agrees with the run, and nobody sees a key."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from playing import Play

from kubeop.crypto import certificates
from kubeop.kube.client import Client

API = "admissionregistration.k8s.io/v1"
RULE = {"apiGroups": ["example.kubeop.io"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["none"]}


@pytest.fixture
def hooked(kube: Client, tenant: str) -> Iterator[str]:
    """A namespace, and webhook configurations of the same name that ask about a kind that nobody has."""
    namespace = {"metadata": {"name": tenant, "labels": {"app.kubeop.io/tenant-id": tenant}}}
    kube.create({"apiVersion": "v1", "kind": "Namespace", **namespace})
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        hooks = [
            {
                "name": f"{name}.example.kubeop.io",
                "clientConfig": {"service": {"name": "hook", "namespace": tenant}},
                "rules": [RULE],
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
            }
            for name in ("one", "two")
        ]
        body = {"apiVersion": API, "kind": kind, "metadata": {"name": tenant}, "webhooks": hooks}
        kube.apply_patch(body, field_manager="kubeop-ansible")
    yield tenant
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        kube.delete(API, kind, tenant)


def task(where: str, **options: Any) -> dict[str, Any]:
    arguments = {
        "namespace": where,
        "secret": "hook-tls",
        "service": "hook",
        "validating": [where],
        "mutating": [where],
    }
    return {"kubeop.platform.webhook_certificate": arguments | options, "diff": True}


def secret(kube: Client, where: str) -> dict[str, bytes]:
    found = kube.get("v1", "Secret", "hook-tls", where)
    assert found is not None
    return {key: base64.b64decode(value) for key, value in found["data"].items()}


def bundles(kube: Client, where: str) -> set[bytes]:
    """What the four webhooks trust."""
    kinds = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
    hooks = [hook for kind in kinds for hook in (kube.get(API, kind, where) or {})["webhooks"]]
    assert len(hooks) == 4
    assert all(hook["rules"][0]["apiGroups"] == RULE["apiGroups"] for hook in hooks)
    return {base64.b64decode(hook["clientConfig"].get("caBundle", "")) for hook in hooks}


def test_a_certificate_is_issued_once_and_renewed_when_needed(play: Play, kube: Client, hooked: str) -> None:
    plain = task(hooked)
    checked, done, again, other_checked, other, other_again = play(
        {**plain, "check_mode": True},
        plain,
        plain,
        {**task(hooked, dns_names=["hook.example.com"]), "check_mode": True},
        task(hooked, dns_names=["hook.example.com"]),
        task(hooked, dns_names=["hook.example.com"]),
    )
    assert (checked["changes"], checked["diff"]) == (done["changes"], done["diff"])
    assert (done["renewed"], len(done["changes"])) == ("there is none", 3)
    assert "ca_bundle" not in checked
    assert not again["changed"] and again["renewed"] == ""
    assert (again["expires_at"], again["ca_bundle"]) == (done["expires_at"], done["ca_bundle"])

    assert (other_checked["changes"], other_checked["diff"]) == (other["changes"], other["diff"])
    assert other["renewed"] == "its names are others"
    assert "2 certificates, changed" in other["diff"]["after"]
    assert not other_again["changed"]
    data = secret(kube, hooked)
    served = ("hook." + hooked + ".svc", "hook." + hooked + ".svc.cluster.local", "hook.example.com")
    assert not certificates.needs_renewal(data["tls.crt"], data["ca.crt"], served, key_pem=data["tls.key"])
    assert bundles(kube, hooked) == {data["ca.crt"]} == {base64.b64decode(other["ca_bundle"])}
    assert data["ca.crt"].endswith(base64.b64decode(done["ca_bundle"]))  # the authority before is trusted still
    results = json.dumps([checked, done, again, other_checked, other, other_again])
    assert "PRIVATE KEY" not in results
    assert base64.b64encode(data["tls.key"]).decode() not in results


def test_an_authority_of_ones_own_signs(play: Play, kube: Client, hooked: str) -> None:
    ca, next_ca = certificates.issue_ca("first"), certificates.issue_ca("second", days=60)
    keys = {"ca_certificate": ca.cert_pem.decode(), "ca_private_key": ca.key_pem.decode()}
    later = {"ca_certificate": next_ca.cert_pem.decode(), "ca_private_key": next_ca.key_pem.decode()}
    made, signed, again, changed, short, mixed, absent = play(
        task(hooked),
        task(hooked, **keys),
        task(hooked, **keys),
        task(hooked, **later),
        task(hooked, **later, renew_before_days=90),
        task(hooked, **{**keys, "ca_private_key": later["ca_private_key"]}, dns_names=["x.y"]),
        task(hooked, validating=["nobody-has-this"]),
    )
    assert made["renewed"] == "there is none"
    assert (signed["renewed"], again["changed"]) == ("another authority signed it", False)
    assert changed["renewed"] == "another authority signed it"
    data = secret(kube, hooked)
    assert data["ca.crt"] == next_ca.cert_pem + ca.cert_pem
    assert bundles(kube, hooked) == {data["ca.crt"]}
    assert short["failed"] and "renewed at once" in short["msg"]
    assert mixed["failed"] and "not that of the certificate authority" in mixed["msg"]
    assert absent["failed"] and "nobody-has-this" in absent["msg"] and not absent["changed"]
    assert secret(kube, hooked) == data
    results = json.dumps([made, signed, again, changed, short, mixed, absent])
    for key in (ca.key_pem, next_ca.key_pem, data["tls.key"]):
        assert key.decode().splitlines()[1] not in results
