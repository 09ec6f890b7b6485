"""What a tenant and a project are on OpenShift besides: a quota over all of a tenant's namespaces, and the request by
which a namespace comes to be with what the cluster's project template puts in it.

Elsewhere a tenant's quota is held by the manager and the operator, which count; here the API server holds it too.
"""

from __future__ import annotations

from typing import Any

from kubeop import names
from kubeop.domain.baseline import hard
from kubeop.domain.projects import Project, Tenant
from kubeop.kube.openshift import CLUSTER_RESOURCE_QUOTA, PROJECT_API, PROJECT_REQUEST, QUOTA_API


def cluster_resource_quota(tenant: Tenant) -> dict[str, Any] | None:
    """The tenant's quota over every namespace with its label, counted as a project's; None if it limits nothing."""
    limits = hard(tenant.quota)
    if not limits:
        return None
    labels = tenant.labels | {names.LABEL_MANAGED_BY: names.PLATFORM}
    return {
        "apiVersion": QUOTA_API,
        "kind": CLUSTER_RESOURCE_QUOTA,
        "metadata": {"name": names.tenant_quota(tenant.name), "labels": labels},
        "spec": {"selector": {"labels": {"matchLabels": tenant.labels}}, "quota": {"hard": limits}},
    }


def project_request(project: Project) -> dict[str, Any]:
    """The request for a project's namespace. Labels are the baseline's: a server does not take them from here."""
    return {
        "apiVersion": PROJECT_API,
        "kind": PROJECT_REQUEST,
        "metadata": {"name": project.namespace},
        "displayName": f"{project.tenant}/{project.name}",
        "description": f"Project {project.name} of tenant {project.tenant}, kept by {names.PLATFORM}.",
    }
