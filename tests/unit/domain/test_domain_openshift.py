import pytest

from kubeop import names
from kubeop.domain.baseline import Baseline, hard, resource_quota
from kubeop.domain.openshift import cluster_resource_quota, project_request
from kubeop.domain.projects import Project, Tenant
from kubeop.domain.quotas import DEFAULT_PROJECT_QUOTA, Quota


def test_a_tenants_quota_lies_over_the_namespaces_with_its_label():
    found = cluster_resource_quota(Tenant("acme", Quota(cpu="4", memory="8Gi", pods=40)))
    assert found["metadata"]["name"] == "kubeop-acme"
    assert found["metadata"]["labels"] == {names.LABEL_TENANT: "acme", names.LABEL_MANAGED_BY: "kubeop"}
    selected = found["spec"]["selector"]["labels"]["matchLabels"]
    assert selected.items() <= Baseline("kubeop-acme-shop", "acme", "shop").labels.items()
    assert not selected.items() <= Baseline("kubeop-other-shop", "other", "shop").labels.items()


def test_it_counts_as_a_projects_quota_does():
    quota = Quota(cpu="1500m", memory="3Gi", pods=7)
    project = resource_quota(Baseline("kubeop-acme-shop", "acme", "shop", quota=quota))
    assert cluster_resource_quota(Tenant("acme", quota))["spec"]["quota"] == project["spec"]


@pytest.mark.parametrize(
    ("quota", "limited"),
    [
        (Quota(cpu="0"), {"requests.cpu", "limits.cpu"}),
        (Quota(memory="1Gi"), {"requests.memory", "limits.memory"}),
        (Quota(pods=0), {"pods"}),
    ],
)
def test_what_a_tenant_does_not_limit_is_left_out(quota, limited):
    assert set(cluster_resource_quota(Tenant("acme", quota))["spec"]["quota"]["hard"]) == limited


def test_a_tenant_without_limits_has_no_quota():
    assert cluster_resource_quota(Tenant("acme")) is None


def test_the_quotas_of_full_projects_fill_the_tenants():
    of_one, of_four = hard(DEFAULT_PROJECT_QUOTA), hard(Quota(cpu="4", memory="4Gi", pods=40))
    assert of_one.keys() == of_four.keys()
    assert (of_one["limits.cpu"], of_four["limits.cpu"]) == ("5", "20")


def test_a_request_names_the_projects_namespace():
    found = project_request(Project("acme", "shop"))
    assert (found["apiVersion"], found["kind"]) == ("project.openshift.io/v1", "ProjectRequest")
    assert found["metadata"] == {"name": "kubeop-acme-shop"}
    # OpenShift refuses either of them in a display name.
    assert not set("\n\t") & set(found["displayName"])
