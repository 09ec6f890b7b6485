"""The operator: two replicas of which one leads, and the rights that its controllers use."""

from __future__ import annotations

from kubeop import names
from kubeop.manifests.common import (
    Object,
    Service,
    cluster_role,
    deployment,
    disruption_budget,
    ingress_policy,
    kube_service,
    role,
    service_account,
)

_COMPONENT = "operator"
_READ = ["get", "list", "watch"]

# What the controllers do, and no more. They read and finalize Tenants and Projects and write their status; they make,
# repair and remove project namespaces; they keep up what the baseline puts in them, and never delete it.
_CLUSTER_RULES: list[Object] = [
    {"apiGroups": [names.API_GROUP], "resources": ["tenants", "projects"], "verbs": [*_READ, "patch"]},
    {"apiGroups": [names.API_GROUP], "resources": ["tenants/status", "projects/status"], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": [*_READ, "create", "patch", "delete"]},
    {
        "apiGroups": [""],
        "resources": ["limitranges", "resourcequotas"],
        "verbs": [*_READ, "create", "patch"],
    },
    {
        "apiGroups": ["networking.k8s.io"],
        "resources": ["networkpolicies"],
        "verbs": [*_READ, "create", "patch"],
    },
    # On an OpenShift: a tenant's quota over its namespaces, and the request for a project's namespace.
    {
        "apiGroups": ["quota.openshift.io"],
        "resources": ["clusterresourcequotas"],
        "verbs": [*_READ, "create", "patch", "delete"],
    },
    {"apiGroups": ["project.openshift.io"], "resources": ["projectrequests"], "verbs": ["create"]},
    # About Tenants and Projects; the API server keeps the events of cluster-scoped objects in namespace `default`.
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
]
_RULES: list[Object] = [
    {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [names.POLICY_CONFIGMAP], "verbs": _READ},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": [names.OPERATOR_LEASE],
        "verbs": ["get", "watch", "update"],
    },
]


def operator(*, image: str, pull_policy: str, version: str, replicas: int = 2, log_level: str = "info") -> list[Object]:
    """The operator's objects. What it enforces stands in ConfigMap `kubeop-policy`, which it watches."""
    who = (names.OPERATOR, _COMPONENT, version)
    service = Service(
        name=names.OPERATOR,
        component=_COMPONENT,
        image=image,
        pull_policy=pull_policy,
        version=version,
        command=["kubeop", "operator"],
        args=[],
        requests={"cpu": "200m", "memory": "256Mi"},
        memory_limit="512Mi",
        ports={"metrics": names.OPERATOR_METRICS_PORT, "health": names.OPERATOR_HEALTH_PORT},
        probe_port="health",
        replicas=replicas,
        env={"LOG_LEVEL": log_level},
        needs_cluster_api=True,
    )
    return [
        service_account(*who),
        *cluster_role(*who, _CLUSTER_RULES),
        *role(*who, _RULES),
        ingress_policy(*who, [names.OPERATOR_METRICS_PORT, names.OPERATOR_HEALTH_PORT]),
        kube_service(*who, {"metrics": (names.OPERATOR_METRICS_PORT, "metrics")}),
        disruption_budget(*who),
        deployment(service),
    ]
