"""Tenants and projects into their cluster: one Tenant or Project object a row, put back when it differs, gone when the
row is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kubeop import names
from kubeop.domain import projects as domain
from kubeop.errors import ClusterError, ClusterUnreachable, InputError
from kubeop.kube.client import Client
from kubeop.manager.storage.models import Project, Tenant
from kubeop.manager.tenancy import quota_of
from kubeop.manager.work import RESYNC_SECONDS, Outcome

NO_ANSWER = "The cluster's API server does not answer; the manager tries again by itself."
_CONFIRM_SECONDS = 2.0  # how soon to look again whether a deletion is through


@dataclass(frozen=True)
class Job:
    """A tenant's or project's row, as it was when it was claimed, as the object it becomes."""

    row_id: str
    generation: int
    kind: str
    obj: dict[str, Any]
    deleting: bool


def job(row: Tenant | Project, tenant_name: str, cluster_name: str) -> Job:
    """What has to be done for a row. Raises InputError for one that no object can be made of."""
    quota = quota_of(row)
    wanted = domain.Tenant(row.name, quota) if isinstance(row, Tenant) else domain.Project(tenant_name, row.name, quota)
    obj = wanted.to_object()
    obj["metadata"]["labels"] = {**obj["metadata"]["labels"], names.LABEL_CLUSTER: cluster_name}
    return Job(row.id, row.generation, obj["kind"], obj, row.deleted_at is not None)


def run(client: Client, work: Job) -> Outcome:
    """Carry one row into the cluster."""
    try:
        return _delete(client, work) if work.deleting else _apply(client, work)
    except ClusterUnreachable:
        return Outcome("deleting" if work.deleting else "pending", NO_ANSWER, unreachable=True)
    except (ClusterError, InputError) as error:
        return Outcome("deleting" if work.deleting else "failed", str(error))


def _apply(client: Client, work: Job) -> Outcome:
    client.server_side_apply(work.obj, field_manager=names.FIELD_MANAGER_MANAGER)
    return Outcome("ready", again_seconds=RESYNC_SECONDS, synced=True)


def _delete(client: Client, work: Job) -> Outcome:
    """Delete the object if it is ours: one that somebody else made under the same name is left alone."""
    if client.find_resource(names.GROUP_VERSION, work.kind) is None:
        return Outcome("deleting", gone=True)
    metadata = work.obj["metadata"]
    name, ours = metadata["name"], metadata["labels"][names.LABEL_CLUSTER]
    found = client.get(names.GROUP_VERSION, work.kind, name)
    if found is None or found["metadata"].get("labels", {}).get(names.LABEL_CLUSTER) != ours:
        return Outcome("deleting", gone=True)
    client.delete(names.GROUP_VERSION, work.kind, name, uid=found["metadata"]["uid"])
    if client.get(names.GROUP_VERSION, work.kind, name) is None:
        return Outcome("deleting", gone=True)
    return Outcome("deleting", f"Waiting for the cluster to remove {work.kind} {name}.", again_seconds=_CONFIRM_SECONDS)
