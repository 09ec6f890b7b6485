"""What every project namespace holds: its labels, default requests and limits, a quota, and two network policies.

The one place that says so. The operator, the webhook, the Ansible module and the recovery drill all call `objects`.

Network: the pods of a project may talk to each other; out of the namespace they reach the cluster's DNS and the
allow-listed CIDRs and nothing else; into it comes nothing. Network policies add up, so a project can open more ingress
with a policy of its own; the webhook keeps its egress inside the allow-list.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from kubeop import names
from kubeop.domain.networks import parse_cidrs
from kubeop.domain.projects import Project, check_name
from kubeop.domain.quotas import DEFAULT_PROJECT_QUOTA, Quota, format_amount, format_memory
from kubeop.errors import InputError

POD_SECURITY_LEVELS = ("restricted", "baseline", "privileged")

# A container that says nothing gets these. Limits are LIMIT_TO_REQUEST times the requests, and so are the quota's.
DEFAULT_REQUESTS = {"cpu": "100m", "memory": "64Mi"}
DEFAULT_LIMITS = {"cpu": "500m", "memory": "256Mi"}
LIMIT_TO_REQUEST = {"cpu": 5, "memory": 4}


@dataclass(frozen=True)
class Baseline:
    """One namespace and what governs it.

    `cluster` is the name under which the cluster is registered, empty if it is not. `quota` is filled up with the
    defaults. `egress_cidrs` are reachable besides DNS. On an `openshift` the cluster is told to leave the Pod Security
    labels alone. Raises InputError for a name, CIDR, level or quota of no use.
    """

    namespace: str
    tenant: str
    project: str
    cluster: str = ""
    quota: Quota = field(default_factory=Quota)
    egress_cidrs: tuple[str, ...] = ()
    pod_security: str = "restricted"
    openshift: bool = False

    def __post_init__(self) -> None:
        check_name(self.namespace, "Namespace")
        check_name(self.tenant, "Tenant name")
        check_name(self.project, "Project name")
        if self.cluster:
            check_name(self.cluster, "Cluster name")
        if self.pod_security not in POD_SECURITY_LEVELS:
            raise InputError(
                f"Pod Security level is {self.pod_security!r}.", hint=f"Use one of {', '.join(POD_SECURITY_LEVELS)}."
            )
        object.__setattr__(self, "egress_cidrs", parse_cidrs(self.egress_cidrs))

    @classmethod
    def of_project(
        cls, project: Project, *, cluster: str = "", egress_cidrs: tuple[str, ...] = (), openshift: bool = False
    ) -> Baseline:
        """The baseline of a Project's own namespace."""
        return cls(
            namespace=project.namespace,
            tenant=project.tenant,
            project=project.name,
            cluster=cluster,
            quota=project.quota,
            egress_cidrs=egress_cidrs,
            openshift=openshift,
        )

    @property
    def labels(self) -> dict[str, str]:
        """The ownership labels, on the namespace and on every object of the baseline."""
        labels = {names.LABEL_CLUSTER: self.cluster} if self.cluster else {}
        return labels | {
            names.LABEL_TENANT: self.tenant,
            names.LABEL_PROJECT: self.project,
            names.LABEL_MANAGED_BY: names.PLATFORM,
        }


def objects(baseline: Baseline) -> list[dict[str, Any]]:
    """The namespace and what goes in it, in the order in which they are to be created."""
    return [
        namespace(baseline),
        limit_range(baseline),
        resource_quota(baseline),
        egress_policy(baseline),
        ingress_policy(baseline),
    ]


def namespace(baseline: Baseline) -> dict[str, Any]:
    """The Namespace, with ownership and Pod Security labels."""
    levels = {f"{names.POD_SECURITY_PREFIX}{mode}": baseline.pod_security for mode in ("enforce", "audit", "warn")}
    if baseline.openshift:
        levels[names.LABEL_POD_SECURITY_SYNC] = "false"
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": baseline.namespace, "labels": baseline.labels | levels},
    }


def limit_range(baseline: Baseline) -> dict[str, Any]:
    """The LimitRange with the default requests and limits of a container."""
    limits = {"type": "Container", "defaultRequest": dict(DEFAULT_REQUESTS), "default": dict(DEFAULT_LIMITS)}
    return _object(baseline, "v1", "LimitRange", names.LIMIT_RANGE, {"limits": [limits]})


def resource_quota(baseline: Baseline) -> dict[str, Any]:
    """The ResourceQuota: the quota's requests, limits in the ratio of the default container, and pods."""
    limits = hard(baseline.quota.merged(DEFAULT_PROJECT_QUOTA))
    return _object(baseline, "v1", "ResourceQuota", names.RESOURCE_QUOTA, {"hard": limits})


def hard(quota: Quota) -> dict[str, str]:
    """A quota in the words of a ResourceQuota; what it does not limit is left out."""
    found: dict[str, str] = {}
    cpu, memory = quota.cpu_cores, quota.memory_bytes
    if quota.pods is not None:
        found["pods"] = format_amount(Decimal(quota.pods))  # a quantity too: 1000 is written 1k
    if cpu is not None:
        found |= {"requests.cpu": format_amount(cpu), "limits.cpu": format_amount(cpu * LIMIT_TO_REQUEST["cpu"])}
    if memory is not None:
        found["requests.memory"] = format_memory(memory)
        found["limits.memory"] = format_memory(memory * LIMIT_TO_REQUEST["memory"])
    return found


def egress_policy(baseline: Baseline) -> dict[str, Any]:
    """The NetworkPolicy that lets the project's pods reach each other, DNS and the allow-listed CIDRs."""
    dns = {
        "namespaceSelector": {"matchLabels": {names.LABEL_NAMESPACE_NAME: "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    rules: list[dict[str, Any]] = [
        {"to": [dns], "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]},
        {"to": [{"podSelector": {}}]},
    ]
    if baseline.egress_cidrs:
        rules.append({"to": [{"ipBlock": {"cidr": cidr}} for cidr in baseline.egress_cidrs]})
    return _policy(baseline, names.NETWORK_POLICY_EGRESS, {"policyTypes": ["Egress"], "egress": rules})


def ingress_policy(baseline: Baseline) -> dict[str, Any]:
    """The NetworkPolicy that lets in the project's own pods and nobody else."""
    rules: list[dict[str, Any]] = [{"from": [{"podSelector": {}}]}]
    return _policy(baseline, names.NETWORK_POLICY_INGRESS, {"policyTypes": ["Ingress"], "ingress": rules})


def _policy(baseline: Baseline, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return _object(baseline, "networking.k8s.io/v1", "NetworkPolicy", name, {"podSelector": {}} | spec)


def _object(baseline: Baseline, api_version: str, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": baseline.namespace, "labels": baseline.labels}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}
