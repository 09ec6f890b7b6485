"""What the operator does besides on an OpenShift: keeps a tenant's ClusterResourceQuota, asks for namespaces.

On a cluster that does not serve these APIs nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubeop import names
from kubeop.domain.openshift import cluster_resource_quota, project_request
from kubeop.domain.projects import Project, Tenant
from kubeop.errors import ApiError, ClusterError
from kubeop.kube.client import Client
from kubeop.kube.openshift import (
    CLUSTER_RESOURCE_QUOTA,
    PROJECT_API,
    PROJECT_REQUEST,
    QUOTA_API,
    REQUESTER,
    OpenShift,
)
from kubeop.kube.watch import follow
from kubeop.operator.ledger import Ledger, Ref
from kubeop.operator.pieces import put_right

Object = Mapping[str, Any]

# (group, version, plural, kind), as watch.py has the others
QUOTA_RESOURCE = ("quota.openshift.io", "v1", "clusterresourcequotas", CLUSTER_RESOURCE_QUOTA)

NAMESPACE_SECONDS = 3.0  # an OpenShift makes the namespace before it answers, and a worker waits so long at most


def is_openshift(openshift: OpenShift) -> bool:
    """Whether the cluster is an OpenShift; asked by a kind that does not depend on its second API server."""
    return openshift.serves(QUOTA_API, CLUSTER_RESOURCE_QUOTA)


def keep_quota(openshift: OpenShift, tenant: Tenant, ledger: Ledger | None = None) -> str:
    """Make the tenant's ClusterResourceQuota as it should be. Returns what was written, as Kind/name; else nothing.

    Raises ClusterError, also for one of this name that is somebody else's.
    """
    if not is_openshift(openshift):
        return ""
    wanted = cluster_resource_quota(tenant)
    if wanted is None:
        drop_quota(openshift, tenant.name, ledger)
        return ""
    name = names.tenant_quota(tenant.name)
    found = openshift.get(QUOTA_API, CLUSTER_RESOURCE_QUOTA, name)
    if found is not None and not _is_ours(found, tenant.name):
        raise ClusterError(
            f"{CLUSTER_RESOURCE_QUOTA} {name} is not the platform's and is left alone.",
            hint="Delete it, or give the tenant another name.",
        )
    result, changed = put_right(openshift, wanted, found)
    if ledger is not None:
        ledger.note(Ref.of(result), result)
    return f"{CLUSTER_RESOURCE_QUOTA}/{name}" if changed else ""


def drop_quota(openshift: OpenShift, tenant: str, ledger: Ledger | None = None) -> None:
    """Delete the tenant's ClusterResourceQuota, if there is one and it is the platform's. Raises ClusterError."""
    if not is_openshift(openshift):
        return
    found = openshift.get(QUOTA_API, CLUSTER_RESOURCE_QUOTA, names.tenant_quota(tenant))
    if found is not None and _is_ours(found, tenant):
        if ledger is not None:
            ledger.forget(Ref.of(found))
        openshift.delete(QUOTA_API, CLUSTER_RESOURCE_QUOTA, found["metadata"]["name"], uid=found["metadata"]["uid"])


def tenant_of(quota: str) -> str:
    """The tenant that a ClusterResourceQuota belongs to by its name."""
    return quota.removeprefix(names.tenant_quota(""))


def gives_namespaces(openshift: OpenShift) -> bool:
    """Whether a namespace is to be asked for on this cluster, not created."""
    return openshift.serves(PROJECT_API, PROJECT_REQUEST)


def ask_for_namespace(
    client: Client, openshift: OpenShift, project: Project, seconds: float = NAMESPACE_SECONDS
) -> dict[str, Any] | None:
    """Ask for a project's namespace; None if it is not there in time, or not because we asked. Raises ClusterError."""
    try:
        openshift.create(project_request(project))
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
        return None  # it is there by now, or was asked for before: the next look tells
    name = project.namespace
    for event in follow(client, "v1", "Namespace", field_selector=f"metadata.name={name}", timeout_seconds=seconds):
        if event.type in ("ADDED", "MODIFIED"):
            # A template that names no requester is the cluster's own affair: its server has just said yes to us.
            ours = _requester(event.object) in ("", openshift.username())
            return event.object if ours else None
    return None


def asked_for(openshift: OpenShift, namespace: Object) -> bool:
    """True if the server made this namespace because this operator asked for it; nobody else can write that there."""
    requester = _requester(namespace)
    return bool(requester) and gives_namespaces(openshift) and requester == openshift.username()


def _requester(namespace: Object) -> str:
    return str((namespace["metadata"].get("annotations") or {}).get(REQUESTER) or "")


def _is_ours(quota: Object, tenant: str) -> bool:
    metadata = quota["metadata"]
    managers = {entry.get("manager") for entry in metadata.get("managedFields") or []}
    return (metadata.get("labels") or {}).get(names.LABEL_TENANT) == tenant or names.FIELD_MANAGER_OPERATOR in managers
