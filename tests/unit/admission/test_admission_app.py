import asyncio
import base64
import json
from pathlib import Path

import pytest

from kubeop import names
from kubeop.admission import serve
from kubeop.admission.app import Application
from kubeop.admission.state import Ownership, State
from kubeop.crypto import certificates
from kubeop.domain.policy import Policy
from kubeop.domain.projects import Project, Tenant
from kubeop.errors import InputError
from kubeop.manifests import webhooks
from kubeop.telemetry import metrics

NAMESPACE = "kubeop-acme-shop"


@pytest.fixture
def state() -> State:
    found = State(policy=Policy(image_allowlist=("localhost/",)))
    found.put_namespace(NAMESPACE, Ownership("acme", "shop"))
    return found


@pytest.fixture
def application(state: State) -> Application:
    return Application(state, not_ready=lambda: None, not_alive=lambda: None)


def review(obj, *, group="", resource="pods", operation="CREATE", old=None, sub="") -> bytes:
    request = {
        "uid": "705ab4f5",
        "kind": {"group": group, "version": "v1", "kind": "Any"},
        "resource": {"group": group, "version": "v1", "resource": resource},
        "subResource": sub,
        "requestKind": {"group": group, "version": "v1", "kind": "Any"},
        "name": obj["metadata"].get("name", ""),
        "namespace": NAMESPACE,
        "operation": operation,
        "userInfo": {"username": "alice", "uid": "1", "groups": ["system:authenticated"], "extra": {"a": ["b"]}},
        "object": obj,
        "oldObject": old,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    body = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
    return json.dumps(body).encode()


def pod(image="localhost/app:1", **metadata):
    return {"metadata": {"name": "app", **metadata}, "spec": {"containers": [{"name": "app", "image": image}]}}


async def answer(application, webhook, body):
    status, text = await application.answer(webhook, body)
    assert status == 200
    found = json.loads(text)
    assert (found["kind"], found["apiVersion"]) == ("AdmissionReview", "admission.k8s.io/v1")
    assert found["response"]["uid"] == "705ab4f5"
    return found["response"]


async def test_a_good_pod_is_allowed(application):
    assert await answer(application, "validate", review(pod())) == {"uid": "705ab4f5", "allowed": True}


async def test_a_refusal_says_why_and_is_counted(application):
    labels = {"webhook": "validate", "operation": "CREATE", "kind": "pods", "decision": "denied"}
    before = metrics.value("admission_requests_total", labels)
    found = await answer(application, "validate", review(pod("evil/x")))
    assert found["allowed"] is False
    assert found["status"]["code"] == 403
    assert found["status"]["reason"] == "Forbidden"
    assert "docker.io/evil/x:latest is not on the allow list (localhost/)" in found["status"]["message"]
    assert metrics.value("admission_requests_total", labels) == before + 1


def patched(obj, response):
    """Apply the `add` operations of a JSON patch."""
    if "patch" not in response:
        return obj
    assert response["patchType"] == "JSONPatch"
    for operation in json.loads(base64.b64decode(response["patch"])):
        assert operation["op"] == "add"
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        target = obj
        for key in parents:
            target = target[key]
        target[last] = operation["value"]
    return obj


@pytest.mark.parametrize("labels", [{}, {"labels": None}, {"labels": {}}, {"labels": {"app": "web"}}])
async def test_managed_by_is_added(application, labels):
    obj = pod(**labels)
    response = await answer(application, "mutate", review(obj))
    assert response["allowed"] is True
    assert patched(obj, response)["metadata"]["labels"] == {
        **(labels.get("labels") or {}),
        names.LABEL_MANAGED_BY: names.PLATFORM,
    }


async def test_a_label_that_is_there_stays(application):
    response = await answer(application, "mutate", review(pod(labels={names.LABEL_MANAGED_BY: "argo"})))
    assert response == {"uid": "705ab4f5", "allowed": True}


@pytest.mark.parametrize("obj", [Tenant("acme").to_object(), Project("acme", "shop").to_object()])
async def test_tenants_and_projects_get_the_labels_that_validation_asks_for(application, state, obj):
    state.put_tenant("acme", Tenant("acme"))
    resource = obj["kind"].lower() + "s"
    expected = obj["metadata"].pop("labels")
    response = await answer(application, "mutate", review(obj, group=names.API_GROUP, resource=resource))
    complete = patched(obj, response)
    assert complete["metadata"]["labels"] == expected | {names.LABEL_MANAGED_BY: names.PLATFORM}
    found = await answer(application, "validate", review(complete, group=names.API_GROUP, resource=resource))
    assert found["allowed"] is True


async def test_a_tenant_that_is_on_its_way_is_waited_for(application, state):
    body = review(Project("acme", "bank").to_object(), group=names.API_GROUP, resource="projects")
    waiting = asyncio.create_task(answer(application, "validate", body))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    state.put_tenant("acme", Tenant("acme"))
    assert (await waiting)["allowed"] is True


async def test_before_the_caches_are_filled_nothing_is_allowed(state):
    application = Application(state, not_ready=lambda: "not read yet: Namespace", not_alive=lambda: None)
    found = await answer(application, "validate", review(pod()))
    assert found["allowed"] is False
    assert "try again" in found["status"]["message"]
    assert (await answer(application, "mutate", review(pod())))["allowed"] is True


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"request": 1}', b"\xff\xfe", b'{"request": {"uid": "1"}}'])
async def test_what_is_no_review_gets_400(application, body):
    status, text = await application.answer("validate", body)
    assert status == 400
    assert b"not an AdmissionReview" in text


async def test_a_failing_rule_refuses_and_says_so_without_details(application):
    broken = pod()
    broken["spec"]["containers"] = 5  # the API server sends no such thing
    found = await answer(application, "validate", review(broken))
    assert found["allowed"] is False
    assert found["status"]["code"] == 500
    assert "TypeError" in found["status"]["message"]


def test_a_certificate_of_no_use_is_named(tmp_path: Path):
    options = serve.Options(tls=tmp_path)
    with pytest.raises(InputError, match=r"tls\.crt.*No such file"):
        serve.check_certificate(options)
    authority = certificates.issue_ca("test", 1)
    one, other = (certificates.issue_server(authority, ["localhost"]) for _ in range(2))
    options.certificate.write_bytes(one.cert_pem)
    options.key.write_bytes(other.key_pem)
    with pytest.raises(InputError, match="kubeop-admission-tls"):
        serve.check_certificate(options)
    options.key.write_bytes(one.key_pem)
    serve.check_certificate(options)


def test_the_paths_are_those_that_are_registered():
    assert (webhooks.VALIDATE_PATH, webhooks.MUTATE_PATH) == ("/validate", "/mutate")
