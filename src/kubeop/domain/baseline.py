"""What every project namespace holds: its labels, default requests and limits, a quota, and two network policies.

The one place that says so. The operator, the webhook, the Ansible module and the recovery drill all call `objects`.

Network: the pods of a project may talk to each other; out of the namespace they reach the cluster's DNS and the
allow-listed CIDRs and nothing else; into it comes nothing. Network policies add up, so a project can open more ingress
with a policy of its own; the webhook keeps its egress inside the allow-list. Namespaces outside of projects may be
less closed: `presets` says how.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from kubeop import names
from kubeop.domain.networks import KUBE_DNS, OPENSHIFT_DNS, Dns, parse_cidrs
from kubeop.domain.projects import Project, check_name
from kubeop.domain.quotas import DEFAULT_PROJECT_QUOTA, Quota, format_amount, format_memory
from kubeop.errors import InputError
from kubeop.kube import quantities

POD_SECURITY_LEVELS = ("restricted", "baseline", "privileged")
_OWN_POLICIES = (names.NETWORK_POLICY_EGRESS, names.NETWORK_POLICY_INGRESS)

# With whom pods may talk, besides DNS and the allow-listed CIDRs: their own namespace, the cluster's pods, anybody.
ISOLATIONS = ("namespace", "cluster", "none")


@dataclass(frozen=True)
class ContainerDefaults:
    """What a container that says nothing requests, and its limits. Raises QuantityError, InputError."""

    cpu_request: str = "100m"
    memory_request: str = "64Mi"
    cpu_limit: str = "500m"
    memory_limit: str = "256Mi"

    def __post_init__(self) -> None:
        for name in ("cpu", "memory"):
            request, limit = getattr(self, f"{name}_request"), getattr(self, f"{name}_limit")
            if not 0 < quantities.parse(request) <= quantities.parse(limit):
                raise InputError(
                    f"A container's default {name} request is {request}, and its limit {limit}.",
                    hint="Use a request above zero that is not above the limit.",
                )

    @property
    def requests(self) -> dict[str, str]:
        """The requests, as in a container."""
        return {"cpu": self.cpu_request, "memory": self.memory_request}

    @property
    def limits(self) -> dict[str, str]:
        """The limits, as in a container."""
        return {"cpu": self.cpu_limit, "memory": self.memory_limit}

    def limited(self, name: str, requests: Decimal, step: str) -> Decimal:
        """The limits that go with a sum of requests, in the same proportion, rounded up to whole `step`s."""
        size = quantities.parse(step)
        proportion = Fraction(quantities.parse(self.limits[name])) / Fraction(quantities.parse(self.requests[name]))
        return math.ceil(Fraction(requests) * proportion / Fraction(size)) * size


@dataclass(frozen=True)
class Baseline:
    """One namespace and what governs it.

    `cluster` is the name under which the cluster is registered, empty if it is not. `quota` is filled up with the
    defaults. `egress_cidrs` are reachable besides DNS. `network_policies` are specs by name: more policies, or others
    in the place of the two. A namespace that is nobody's has neither tenant nor project. On an `openshift` the cluster
    is told to leave the Pod Security labels alone, and its DNS is reachable too.

    Raises InputError for a name, CIDR, level or quota of no use.
    """

    namespace: str
    tenant: str
    project: str
    cluster: str = ""
    quota: Quota = field(default_factory=Quota)
    egress_cidrs: tuple[str, ...] = ()
    pod_security: str = "restricted"
    openshift: bool = False
    isolation: str = "namespace"
    containers: ContainerDefaults = field(default_factory=ContainerDefaults)
    network_policies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        check_name(self.namespace, "Namespace")
        if self.tenant or self.project:
            check_name(self.tenant, "Tenant name")
            check_name(self.project, "Project name")
        if self.isolation not in ISOLATIONS:
            raise InputError(f"Isolation is {self.isolation!r}.", hint=f"Use one of {', '.join(ISOLATIONS)}.")
        for name in self.network_policies:
            check_name(name, "NetworkPolicy")
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
        if self.tenant:
            labels |= {names.LABEL_TENANT: self.tenant, names.LABEL_PROJECT: self.project}
        return labels | {names.LABEL_MANAGED_BY: names.PLATFORM}


def objects(baseline: Baseline) -> list[dict[str, Any]]:
    """The namespace and what goes in it, in the order in which they are to be created."""
    return [
        namespace(baseline),
        limit_range(baseline),
        resource_quota(baseline),
        egress_policy(baseline),
        ingress_policy(baseline),
        *(_listed_policy(baseline, name) for name in baseline.network_policies if name not in _OWN_POLICIES),
    ]


def namespace(baseline: Baseline) -> dict[str, Any]:
    """The Namespace, with ownership and Pod Security labels."""
    levels = names.pod_security(baseline.pod_security)
    if baseline.openshift:
        levels[names.LABEL_POD_SECURITY_SYNC] = "false"
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": baseline.namespace, "labels": baseline.labels | levels},
    }


def limit_range(baseline: Baseline) -> dict[str, Any]:
    """The LimitRange with the default requests and limits of a container."""
    containers = baseline.containers
    limits = {"type": "Container", "defaultRequest": containers.requests, "default": containers.limits}
    return _object(baseline, "v1", "LimitRange", names.LIMIT_RANGE, {"limits": [limits]})


def resource_quota(baseline: Baseline) -> dict[str, Any]:
    """The ResourceQuota: the quota's requests, limits in the ratio of the default container, and pods."""
    limits = hard(baseline.quota.merged(DEFAULT_PROJECT_QUOTA), baseline.containers)
    return _object(baseline, "v1", "ResourceQuota", names.RESOURCE_QUOTA, {"hard": limits})


def hard(quota: Quota, containers: ContainerDefaults | None = None) -> dict[str, str]:
    """A quota in the words of a ResourceQuota, limits in a container's ratio; what it does not limit is left out."""
    return dict(_hard(quota, containers or ContainerDefaults()))


@functools.lru_cache(maxsize=256)  # most of a thousand namespaces have one of a few quotas
def _hard(quota: Quota, containers: ContainerDefaults) -> dict[str, str]:
    found: dict[str, str] = {}
    cpu, memory = quota.cpu_cores, quota.memory_bytes
    if quota.pods is not None:
        found["pods"] = format_amount(Decimal(quota.pods))  # a quantity too: 1000 is written 1k
    if cpu is not None:
        found |= {"requests.cpu": format_amount(cpu), "limits.cpu": format_amount(containers.limited("cpu", cpu, "1n"))}
    if memory is not None:
        found["requests.memory"] = format_memory(memory)
        found["limits.memory"] = format_memory(containers.limited("memory", memory, "1"))
    return found


def egress_policy(baseline: Baseline) -> dict[str, Any]:
    """The NetworkPolicy that lets the pods reach DNS, the allow-listed CIDRs, and whom the isolation leaves."""
    rules: list[dict[str, Any]] = [{}]  # a rule that says nothing allows everything
    if baseline.isolation != "none":
        rules = [
            _to_dns(KUBE_DNS),
            *([_to_dns(OPENSHIFT_DNS)] if baseline.openshift else []),
            {"to": [_peers(baseline)]},
        ]
        if baseline.egress_cidrs:
            rules.append({"to": [{"ipBlock": {"cidr": cidr}} for cidr in baseline.egress_cidrs]})
    return _policy(baseline, names.NETWORK_POLICY_EGRESS, {"policyTypes": ["Egress"], "egress": rules})


def ingress_policy(baseline: Baseline) -> dict[str, Any]:
    """The NetworkPolicy that lets in whom the isolation leaves: the project's own pods and nobody else."""
    rules: list[dict[str, Any]] = [{}] if baseline.isolation == "none" else [{"from": [_peers(baseline)]}]
    return _policy(baseline, names.NETWORK_POLICY_INGRESS, {"policyTypes": ["Ingress"], "ingress": rules})


def _listed_policy(baseline: Baseline, name: str) -> dict[str, Any]:
    policy = _policy(baseline, name, {})
    policy["metadata"]["labels"] = baseline.labels | {names.LABEL_COMPONENT: names.LISTED_POLICY}
    return policy


def _to_dns(dns: Dns) -> dict[str, Any]:
    pods = {
        "namespaceSelector": {"matchLabels": {names.LABEL_NAMESPACE_NAME: dns.namespace}},
        "podSelector": {"matchLabels": dict([dns.label])},
    }
    return {"to": [pods], "ports": [{"protocol": protocol, "port": dns.port} for protocol in ("UDP", "TCP")]}


def _peers(baseline: Baseline) -> dict[str, Any]:
    return {"podSelector": {}} if baseline.isolation == "namespace" else {"namespaceSelector": {}}


def _policy(baseline: Baseline, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    chosen = baseline.network_policies.get(name, spec)
    return _object(baseline, "networking.k8s.io/v1", "NetworkPolicy", name, {"podSelector": {}, **chosen})


def _object(baseline: Baseline, api_version: str, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": baseline.namespace, "labels": baseline.labels}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}
