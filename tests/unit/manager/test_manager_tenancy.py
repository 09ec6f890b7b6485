"""Tenants and projects: quotas that fit, names that are free, filters and pages, deletion by tombstone."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from kubeop.manager import intake
from kubeop.manager.problems import Problem


def post(api, kind, **body):
    return api("POST", f"/v1/{kind}", json=body)


@pytest.mark.parametrize(
    ("quotas", "field", "said"),
    [
        ({"cpu": "two"}, "quotas.cpu", "two"),
        ({"memory": "1Gb"}, "quotas.memory", "1Gb"),
        ({"cpu": "-1"}, "quotas.cpu", "-1"),
        ({"pods": -1}, "quotas.pods", "greater than or equal to 0"),
    ],
)
def test_a_quota_that_is_none_names_field_and_value(api, quotas, field, said):
    cluster = api.cluster()
    answer = post(api, "tenants", name="acme", cluster_id=cluster, quotas=quotas)
    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert error["field"] == field and said in error["detail"]
    assert api("GET", "/v1/tenants").json()["total"] == 0


def test_numbers_are_quantities_too(api):
    answer = post(api, "tenants", name="acme", cluster_id=api.cluster(), quotas={"cpu": 2, "memory": 1073741824})
    assert answer.status_code == 201
    assert answer.json()["quotas"] == {"cpu": "2", "memory": "1073741824", "pods": None}


def test_names_and_references(api):
    cluster = api.cluster()
    assert post(api, "tenants", name="Acme", cluster_id=cluster).status_code == 422
    assert post(api, "tenants", name="acme", cluster_id="nothing").status_code == 404
    made = post(api, "tenants", name="acme", cluster_id="west")  # by the cluster's name
    assert made.status_code == 201 and made.json()["cluster_id"] == cluster
    assert made.headers["location"] == f"/v1/tenants/{made.json()['id']}"
    taken = post(api, "tenants", name="acme", cluster_id=cluster)
    assert taken.status_code == 409 and "already has a tenant acme" in taken.json()["detail"]
    assert post(api, "projects", name="shop", tenant_id="nothing").status_code == 404
    too_long = post(api, "projects", name="s" * 60, tenant_id=made.json()["id"])
    assert too_long.status_code == 422 and "at most 63" in too_long.text.lower()


def test_namespaces_are_made_of_names_and_never_shared(api):
    cluster = api.cluster()
    first, second = api.tenant(cluster, "a"), api.tenant(cluster, "a-b")
    made = post(api, "projects", name="b-c", tenant_id=first, namespace="kubeop-a-b-c")
    assert made.json()["namespace"] == "kubeop-a-b-c"
    collision = post(api, "projects", name="c", tenant_id=second)
    assert collision.status_code == 409 and "kubeop-a-b-c" in collision.json()["detail"]
    other = post(api, "projects", name="d", tenant_id=first, namespace="default")
    assert other.status_code == 422 and other.json()["errors"][0]["field"] == "namespace"


def test_projects_fit_in_what_is_left_and_defaults_count(api):
    tenant = api.tenant(api.cluster(), cpu="3", memory="4Gi")
    assert post(api, "projects", name="one", tenant_id=tenant, quotas={"cpu": "1500m"}).status_code == 201
    assert post(api, "projects", name="two", tenant_id=tenant).status_code == 201  # 1 CPU, 1Gi by default
    full = post(api, "projects", name="three", tenant_id=tenant)
    assert full.status_code == 409
    assert full.json()["remaining"] == {"cpu": "500m", "memory": "2Gi"}
    assert post(api, "projects", name="three", tenant_id=tenant, quotas={"cpu": "0.5"}).status_code == 201


def test_patch_merges_put_replaces_and_both_say_whether_anything_changed(api):
    tenant = api.tenant(api.cluster(), cpu="2", memory="4Gi", pods=20)
    path = f"/v1/tenants/{tenant}"
    same = api("PATCH", path, json={"quotas": {"cpu": "2000m"}}).json()
    assert same["changed"] is False and same["quotas"]["cpu"] == "2"
    merged = api("PATCH", path, json={"quotas": {"pods": None}}).json()
    assert merged["changed"] and merged["quotas"] == {"cpu": "2", "memory": "4Gi", "pods": None}
    replaced = api("PUT", path, json={"quotas": {"cpu": "5"}}).json()
    assert replaced["changed"] and replaced["quotas"] == {"cpu": "5", "memory": None, "pods": None}
    dry = api("PUT", f"{path}?dryRun=true", json={"quotas": {"cpu": "6"}}).json()
    assert dry["changed"] and dry["quotas"]["cpu"] == "6"
    assert api("GET", path).json()["quotas"]["cpu"] == "5"
    assert api("PUT", path, json={"quotas": {"gpu": "1"}}).status_code == 422


def test_platform_maximum(api, settings):
    from dataclasses import replace

    from kubeop.manager.app import create_app

    limited = type(api)(create_app(replace(settings, quota_max_requests_cpu="2"), reconcile=False))
    tenant = limited.tenant(limited.cluster())
    answer = post(limited, "projects", name="big", tenant_id=tenant, quotas={"cpu": "3"})
    assert answer.status_code == 422 and "cpu 3 is more than 2" in answer.json()["detail"]
    limited.services.database.close()


def test_filters_and_pages(api):
    west, east = api.cluster("west"), api.cluster("east")
    mine = [api.tenant(west, f"t{number}") for number in range(5)]
    api.tenant(east, "t0")
    first = api("GET", "/v1/tenants?clusterID=west&limit=2").json()
    assert [row["name"] for row in first["items"]] == ["t0", "t1"]
    assert (first["total"], first["next_offset"]) == (5, 2)
    last = api("GET", f"/v1/tenants?clusterID={west}&limit=2&offset=4").json()
    assert [row["name"] for row in last["items"]] == ["t4"] and last["next_offset"] is None
    assert api("GET", "/v1/tenants?name=t0").json()["total"] == 2
    assert api("GET", "/v1/tenants?clusterID=nothing").status_code == 404
    post(api, "projects", name="shop", tenant_id=mine[0])
    assert api("GET", f"/v1/projects?tenantID={mine[0]}").json()["total"] == 1
    assert api("GET", f"/v1/projects?tenantID={mine[1]}").json()["total"] == 0
    assert api("GET", "/v1/projects?clusterID=east").json()["total"] == 0


def test_deletion_goes_from_the_inside_out_and_waits_for_the_cluster(api):
    cluster = api.cluster()
    tenant = api.tenant(cluster)
    project = post(api, "projects", name="shop", tenant_id=tenant).json()["id"]
    assert api("DELETE", f"/v1/clusters/{cluster}").status_code == 409
    assert api("DELETE", f"/v1/tenants/{tenant}").status_code == 409
    gone = api("DELETE", f"/v1/projects/{project}")
    assert gone.status_code == 202 and gone.json()["state"] == "deleting" and gone.json()["changed"]
    assert api("DELETE", f"/v1/projects/{project}").json()["changed"] is False
    # The record stays until the cluster has confirmed: the name is not free yet, and the tenant not empty.
    assert api("PATCH", f"/v1/projects/{project}", json={"quotas": {}}).status_code == 409
    assert post(api, "projects", name="shop", tenant_id=tenant).status_code == 409
    assert api("DELETE", f"/v1/tenants/{tenant}").status_code == 409
    assert api("DELETE", f"/v1/clusters/{cluster}?force=true").status_code == 409
    assert api("DELETE", "/v1/projects/nothing").status_code == 404


def test_a_cluster_that_is_gone_for_good_can_be_forgotten(api):
    cluster = api.cluster()
    tenant = api.tenant(cluster)
    api("DELETE", f"/v1/tenants/{tenant}")
    assert api("DELETE", f"/v1/clusters/{cluster}").status_code == 409
    assert api("DELETE", f"/v1/clusters/{cluster}?force=true&dryRun=true").status_code == 204
    assert api("GET", f"/v1/clusters/{cluster}").status_code == 200
    assert api("DELETE", f"/v1/clusters/{cluster}?force=true").status_code == 204
    assert api("GET", f"/v1/clusters/{cluster}").status_code == 404


def test_status_of_a_cluster_that_does_not_answer(api):
    cluster = api.cluster()
    seen = api("GET", f"/v1/clusters/{cluster}/status").json()
    assert seen["reachable"] is False and seen["kubernetes_version"] == ""
    waiting = api("GET", f"/v1/clusters/{cluster}/ready")
    assert waiting.status_code == 503 and "does not answer" in waiting.json()["detail"]
    assert "127.0.0.1" not in waiting.text
    status = api("GET", "/v1/platform/status?clusterID=west").json()
    assert status["clusters"] == {"total": 1, "states": {"pending": 1}}
    assert status["cluster"]["name"] == "west"


@hypothesis_settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=200))
def test_any_text_is_a_kubeconfig_or_a_problem(text):
    import base64

    encoded = base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()
    for given_text in (text, encoded):
        with pytest.raises(Problem) as refused:
            intake.read(given_text)
        assert refused.value.status == 422


@pytest.mark.parametrize("text", ["a: &x [1]\nb: *x", "[" * 5000, "a: !!python/object:os.system {}", "\x00", "? {"])
def test_hostile_yaml_is_a_problem(text):
    import base64

    with pytest.raises(Problem) as refused:
        intake.read(base64.b64encode(text.encode()).decode())
    assert refused.value.status == 422
