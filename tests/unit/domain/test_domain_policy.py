import pytest

from kubeop.domain.policy import Policy
from kubeop.domain.quotas import Quota
from kubeop.errors import InputError
from kubeop.manifests.policy import policy_configmap


def test_what_is_written_is_what_is_read():
    configmap = policy_configmap(
        image_allowlist=["localhost/", "registry.k8s.io"],
        egress_baseline=["10.0.0.0/8", "2001:db8::/32"],
        quota_max={"requestsCPU": "4", "requestsMemory": "8Gi"},
        cluster="west",
        admin_groups=["ops:admins"],
        admin_users=["root@example.com"],
    )
    assert Policy.of(configmap) == Policy(
        cluster="west",
        image_allowlist=("localhost/", "registry.k8s.io"),
        egress_baseline=("10.0.0.0/8", "2001:db8::/32"),
        quota_max=Quota(cpu="4", memory="8Gi"),
        admin_groups=("ops:admins",),
        admin_users=("root@example.com",),
    )


def test_an_empty_policy_is_the_default_one():
    assert Policy.of(policy_configmap()) == Policy()
    assert Policy.of({}) == Policy()


def test_lists_may_be_written_with_commas_or_lines():
    assert Policy.of({"data": {"egressBaseline": "10.0.0.0/8,\n 192.0.2.0/24 "}}).egress_baseline == (
        "10.0.0.0/8",
        "192.0.2.0/24",
    )


@pytest.mark.parametrize(
    "data", [{"egressBaseline": "10.0.0.0"}, {"imageAllowlist": "*"}, {"quotaMaxRequestsCPU": "much"}]
)
def test_a_bad_policy_says_where_it_stands(data):
    with pytest.raises(InputError, match="ConfigMap kubeop-system/kubeop-policy"):
        Policy.of({"data": data})
