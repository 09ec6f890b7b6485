"""What every answer has in common: problems, request ids, metrics, the OpenAPI document, limits."""

from __future__ import annotations

import pytest

from kubeop.manager.middleware import MAX_BODY_BYTES
from kubeop.telemetry import metrics

SECRET = "c2VjcmV0LWt1YmVjb25maWctdGhhdC1tdXN0LW5vdC1jb21lLWJhY2s="


def problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["type"].startswith("urn:kubeop:problem:")
    assert body["title"] and body["detail"]
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


def test_unknown_path_method_and_body(api):
    problem(api("GET", "/nothing"), 404)
    problem(api("DELETE", "/v1/clusters"), 405)
    problem(api("POST", "/v1/clusters", content=b"{", headers={"Content-Type": "application/json"}), 400)
    problem(api("GET", "/v1/clusters/nothing"), 404)
    problem(api("GET", "/v1/clusters?limit=0"), 422)


@pytest.mark.parametrize(
    "body",
    [
        {"name": "west", "kubeconfig": [SECRET]},
        {"name": ["west"], "kubeconfig": SECRET},
        {"name": "west", "kubeconfig": SECRET, "more": SECRET},
        {"name": "west", "kubeconfig": SECRET, "autoBootstrap": SECRET},
        {"name": "West!", "kubeconfig": SECRET},
        {"name": "west", "kubeconfig": SECRET},
        {"name": "w" * 64, "kubeconfig": SECRET},
        {"kubeconfig": SECRET},
        [SECRET],
        SECRET,
    ],
)
def test_a_refused_body_never_comes_back(api, body):
    answer = api("POST", "/v1/clusters", json=body)
    said = problem(answer, 422)
    assert said["errors"]
    for start in range(len(SECRET) - 16):
        assert SECRET[start : start + 16] not in answer.text


def test_validation_names_the_field(api):
    body = problem(api("POST", "/v1/tenants", json={"name": "a", "cluster_id": "x", "quotas": {"pods": -1}}), 422)
    assert [error["field"] for error in body["errors"]] == ["quotas.pods"]


def test_request_id_goes_through_and_a_bad_one_is_replaced(api):
    assert api("GET", "/healthz", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    made = api("GET", "/healthz", headers={"X-Request-Id": "a b\tc"}).headers["x-request-id"]
    assert made != "a b\tc" and len(made) == 36


def test_a_body_beyond_the_limit_is_413(api):
    problem(api("POST", "/v1/tenants", content=b"x" * (MAX_BODY_BYTES + 1)), 413)


def test_a_body_that_does_not_say_its_length_is_cut_off(api):
    async def endless():
        for _ in range(MAX_BODY_BYTES // 65536 + 2):
            yield b"x" * 65536

    problem(api("POST", "/v1/tenants", content=endless()), 413)


def test_metrics_count_by_route_template(api):
    labels = {"method": "GET", "route": "/v1/clusters/{cluster_id}", "status": "404"}
    before = metrics.value("http_request_duration_seconds_count", labels)
    api("GET", "/v1/clusters/a")
    api("GET", "/v1/clusters/b")
    assert metrics.value("http_request_duration_seconds_count", labels) == before + 2
    assert "http_request_duration_seconds_bucket" in api("GET", "/metrics").text


def test_openapi_describes_every_operation_and_its_problems(api):
    document = api("GET", "/openapi.json").json()
    operations = [
        (path, method, operation) for path, item in document["paths"].items() for method, operation in item.items()
    ]
    assert len(operations) > 20
    ids = [operation["operationId"] for _, _, operation in operations]
    assert len(ids) == len(set(ids))
    for path, method, operation in operations:
        assert operation["summary"], (path, method)
        assert operation["description"], (path, method)
        if path.startswith("/v1/"):
            assert operation["security"] == [{"HTTPBearer": []}], (path, method)
            for status in ("401", "403", "503"):
                schema = operation["responses"][status]["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ProblemBody"}, (path, method, status)
    assert "HTTPValidationError" not in str(document)
    kubeconfig = document["components"]["schemas"]["ClusterInput"]["properties"]["kubeconfig"]
    assert kubeconfig["writeOnly"] is True
    assert "kubeconfig" not in document["components"]["schemas"]["ClusterRecord"]["properties"]
