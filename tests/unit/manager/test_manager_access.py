"""Who may do what: tokens, roles and scopes, and what an answer says when the answer is no."""

from __future__ import annotations

import time

import pytest

from kubeop.crypto import tokens
from kubeop.crypto.keyring import generate_key

READS = ["/v1/clusters", "/v1/tenants", "/v1/projects", "/v1/keys", "/v1/platform/status"]


@pytest.mark.parametrize("path", READS)
def test_without_token_401(api, path):
    answer = api("GET", path, token="")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == 'Bearer realm="kubeop", error="invalid_request"'
    assert answer.json()["detail"] == "The request carries no Bearer token."


def test_expired_token_says_so(api, monkeypatch):
    token = api.token("admin", ttl_seconds=60)
    now = time.time()
    monkeypatch.setattr("kubeop.crypto.tokens.time.time", lambda: now + 61)
    answer = api("GET", "/v1/clusters", token=token)
    assert answer.status_code == 401
    assert answer.json()["detail"].startswith("The token expired at ")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert token not in answer.text


def test_token_of_another_manager_is_refused(api):
    foreign = tokens.SigningKeys.parse(generate_key("j1"))
    token = tokens.issue(foreign, subject="x", role="admin", ttl_seconds=60)
    answer = api("GET", "/v1/clusters", token=token)
    assert answer.status_code == 401
    assert "signature is wrong" in answer.json()["detail"]


def test_unknown_key_id_and_garbage(api):
    foreign = tokens.SigningKeys.parse(generate_key("other"))
    token = tokens.issue(foreign, subject="x", role="admin", ttl_seconds=60)
    assert "which this manager does not know" in api("GET", "/v1/clusters", token=token).json()["detail"]
    assert api("GET", "/v1/clusters", token="a.b.c").json()["detail"].startswith("The token is not a JWT")
    assert api("GET", "/v1/clusters", token="", headers={"Authorization": "Basic eA=="}).status_code == 401


def test_only_admins_write_and_see_clusters(api):
    cluster = api.cluster()
    tenant = api.tenant(cluster)
    token = api.token("tenant", f"tenant:{tenant}")
    body = {"name": "shop", "tenant_id": tenant}
    for method, path in (
        ("POST", "/v1/projects"),
        ("POST", "/v1/tenants"),
        ("PUT", f"/v1/tenants/{tenant}"),
        ("DELETE", f"/v1/tenants/{tenant}"),
        ("GET", "/v1/clusters"),
        ("GET", f"/v1/clusters/{cluster}"),
        ("POST", "/v1/keys/rotate"),
    ):
        answer = api(method, path, token=token, json=body)
        assert answer.status_code == 403, (method, path)
        assert "role=admin" in answer.json()["detail"]


def test_tenant_reads_its_own_and_no_other(api):
    cluster = api.cluster()
    mine, other = api.tenant(cluster, "mine"), api.tenant(cluster, "other")
    shop = api("POST", "/v1/projects", json={"name": "shop", "tenant_id": mine}).json()["id"]
    alien = api("POST", "/v1/projects", json={"name": "shop", "tenant_id": other}).json()["id"]
    token = api.token("tenant", f"tenant:{mine}")
    assert [row["id"] for row in api("GET", "/v1/tenants", token=token).json()["items"]] == [mine]
    assert [row["id"] for row in api("GET", "/v1/projects", token=token).json()["items"]] == [shop]
    assert api("GET", f"/v1/tenants/{mine}", token=token).status_code == 200
    assert api("GET", f"/v1/projects/{shop}", token=token).status_code == 200
    assert api("GET", f"/v1/tenants/{other}", token=token).status_code == 403
    assert api("GET", f"/v1/projects/{alien}", token=token).status_code == 403
    # What does not exist gets the same answer, so that a token cannot find out what does.
    assert api("GET", "/v1/projects/nothing", token=token).status_code == 403
    assert api("GET", f"/v1/projects?tenantID={other}", token=token).json()["items"] == []


def test_project_reads_its_own(api):
    tenant = api.tenant(api.cluster())
    shop = api("POST", "/v1/projects", json={"name": "shop", "tenant_id": tenant}).json()["id"]
    api("POST", "/v1/projects", json={"name": "blog", "tenant_id": tenant})
    token = api.token("project", f"project:{shop}")
    assert [row["id"] for row in api("GET", "/v1/projects", token=token).json()["items"]] == [shop]
    assert api("GET", f"/v1/projects/{shop}", token=token).status_code == 200
    assert api("GET", f"/v1/tenants/{tenant}", token=token).status_code == 403


def test_health_needs_no_token(api):
    for path in ("/healthz", "/readyz", "/version", "/metrics", "/openapi.json"):
        assert api("GET", path, token="").status_code == 200, path
