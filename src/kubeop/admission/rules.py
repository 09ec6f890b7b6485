"""Every rule of the webhook in one table: what it looks at, and the function that judges.

The table is what `kubeop.manifests.webhooks` registers with the API server; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kubeop import names
from kubeop.admission.governing import check_network_policy, check_resource_quota
from kubeop.admission.namespaces import check_namespace
from kubeop.admission.refusals import Refusal
from kubeop.admission.reviews import Request
from kubeop.admission.state import State
from kubeop.admission.tenancy import check_project, check_tenant
from kubeop.admission.workloads import EPHEMERAL, WORKLOADS, check_images, check_labels, check_pod_security

Resource = tuple[str, str]  # API group, resource as a webhook configuration names it
Check = Callable[[Request, State], Iterator[Refusal]]


@dataclass(frozen=True)
class Rule:
    """One rule: a name for the log, the resources that it judges, and how."""

    name: str
    resources: frozenset[Resource]
    check: Check


RULES = (
    Rule("images", frozenset({*WORKLOADS, EPHEMERAL}), check_images),
    Rule("pod-security", frozenset({*WORKLOADS, EPHEMERAL}), check_pod_security),
    Rule("ownership-labels", WORKLOADS, check_labels),
    Rule("network-policy", frozenset({("networking.k8s.io", "networkpolicies")}), check_network_policy),
    Rule("resource-quota", frozenset({("", "resourcequotas")}), check_resource_quota),
    Rule("namespace", frozenset({("", "namespaces")}), check_namespace),
    Rule("tenant", frozenset({(names.API_GROUP, "tenants")}), check_tenant),
    Rule("project", frozenset({(names.API_GROUP, "projects")}), check_project),
)

_BY_RESOURCE: dict[Resource, tuple[Check, ...]] = {
    resource: tuple(rule.check for rule in RULES if resource in rule.resources)
    for resource in frozenset().union(*(rule.resources for rule in RULES))
}


def judge(request: Request, state: State) -> list[Refusal]:
    """Why the change may not be made; empty if it may. What no rule is about is allowed."""
    if request.operation not in ("CREATE", "UPDATE") or request.is_leaving():
        return []
    checks = _BY_RESOURCE.get((request.resource.group, request.resource_path), ())
    return [refusal for check in checks for refusal in check(request, state)]
