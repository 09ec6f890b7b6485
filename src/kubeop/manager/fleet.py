"""What a caller wants of the manager, by name and in one call: clusters, tenants and projects as they shall be.

Each answers what changed, with the record before and after. A dry run (`dry_run`) tells the same of what would change,
also where the cluster or tenant that it hangs on would only be made by the same run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kubeop import names
from kubeop.domain.quotas import Quota
from kubeop.errors import ManagerError, WaitError
from kubeop.kube.parallel import in_parallel
from kubeop.manager.client import ManagerClient

Record = dict[str, Any]

_POLL_SECONDS = 1.0
_AT_ONCE = 8  # clusters that the manager is asked about at a time: as many connections as the client keeps
# What the manager notes for itself: it changes without anybody wanting it, and a dry run does not know ids.
_BOOKKEEPING = frozenset({"id", "cluster_id", "tenant_id", "created_at", "updated_at", "state", "message"})


@dataclass(frozen=True)
class Outcome:
    """What was (or would be) done: the record before and after, if there is one, and the manager's whole answer."""

    changed: bool
    before: Record = field(default_factory=dict)
    after: Record = field(default_factory=dict)
    record: Record = field(default_factory=dict)


def register(
    manager: ManagerClient,
    name: str,
    kubeconfig: bytes,
    *,
    auto_bootstrap: bool = True,
    install_admission: bool = True,
    labels: Mapping[str, str] | None = None,
    wait_seconds: float = 0,
    dry_run: bool = False,
) -> Outcome:
    """Register a cluster, or change its registration; then wait until it is governed, unless `wait_seconds` is 0.

    `labels` are all that it shall have; None leaves them as they are.
    """
    before = shown(manager.cluster(name))
    record, changed = manager.register_cluster(
        name, kubeconfig, auto_bootstrap, install_admission, dry_run, labels=labels
    )
    if wait_seconds and not dry_run:
        wait_governed(manager, name, wait_seconds)
        record = manager.cluster(name) or record
    after = shown(record)
    if changed and before == after:  # the kubeconfig is in no record
        before, after = before | {"kubeconfig": "(hidden)"}, after | {"kubeconfig": "(hidden, changed)"}
    return Outcome(changed, before, after, record)


def wait_governed(manager: ManagerClient, name: str, seconds: float) -> None:
    """Wait until operator and admission are ready in a cluster. Raises WaitError that says what is missing."""
    deadline = time.monotonic() + seconds
    while True:
        ready, detail = manager.cluster_ready(name)
        if ready:
            return
        if time.monotonic() > deadline:
            raise WaitError(
                f"The cluster {name} is not governed after {seconds:.0f} s: {detail}",
                hint="Run this again once the reason is gone.",
            )
        time.sleep(_POLL_SECONDS)


def remove_cluster(manager: ManagerClient, name: str, *, dry_run: bool = False) -> Outcome:
    """Forget a cluster, if it is registered."""
    return _remove(manager.cluster(name), lambda record: manager.delete_cluster(record["id"], dry_run))


def describe(manager: ManagerClient, name: str = "") -> list[Record]:
    """The clusters (or the one of this name) in order of their names, each with `ready` and `detail`.

    Many are asked at once: the manager waits for each that is down.
    """

    def look(record: Record) -> Record:
        ready, detail = manager.cluster_ready(record["id"])
        return record | {"ready": ready, "detail": detail}

    found = [manager.cluster(name)] if name else manager.clusters()
    described = in_parallel(look, list(filter(None, found)), _AT_ONCE)
    return sorted(described, key=lambda record: str(record["name"]))


def tenants(manager: ManagerClient, cluster: str = "", name: str = "") -> list[Record]:
    """The tenants in order of their names: of one cluster (id or name) or all, with a name or all."""
    return manager.tenants(cluster, name)


def projects(manager: ManagerClient, cluster: str = "", tenant: str = "", name: str = "") -> list[Record]:
    """The projects in order of their names: of one cluster, of the tenants of a name, with a name, or all."""
    found = manager.projects(cluster, name=name)
    if tenant:
        owners = {record["id"] for record in manager.tenants(cluster, tenant)}
        found = [record for record in found if record["tenant_id"] in owners]
    return found


def ensure_tenant(manager: ManagerClient, cluster: str, name: str, quota: Quota, *, dry_run: bool = False) -> Outcome:
    """Make a tenant, or give it this quota."""
    if dry_run and manager.cluster(cluster) is None:
        return _would_be({"name": name, "quotas": quota.to_dict()})
    before = _tenant(manager, cluster, name)
    record, changed = manager.ensure_tenant(cluster, name, quota.to_dict(), dry_run)
    return Outcome(changed, shown(before), shown(record), record)


def remove_tenant(manager: ManagerClient, cluster: str, name: str, *, dry_run: bool = False) -> Outcome:
    """Delete a tenant, if it is there."""
    if manager.cluster(cluster) is None:
        return Outcome(changed=False)
    return _remove(_tenant(manager, cluster, name), lambda record: manager.delete_tenant(record["id"], dry_run))


def ensure_project(
    manager: ManagerClient, cluster: str, tenant: str, name: str, quota: Quota, *, dry_run: bool = False
) -> Outcome:
    """Make a tenant's project, or give it this quota. Raises ManagerError for a tenant that is not there."""
    owner = _tenant(manager, cluster, tenant) if manager.cluster(cluster) else None
    if owner is None and dry_run:
        return _would_be({"name": name, "namespace": names.project_namespace(tenant, name), "quotas": quota.to_dict()})
    if owner is None:
        raise ManagerError(f"The cluster {cluster} has no tenant {tenant}.", status=404, hint="Make the tenant first.")
    before = _project(manager, owner, name)
    record, changed = manager.ensure_project(owner["id"], name, quota.to_dict(), dry_run)
    return Outcome(changed, shown(before), shown(record), record)


def remove_project(manager: ManagerClient, cluster: str, tenant: str, name: str, *, dry_run: bool = False) -> Outcome:
    """Delete a project with its namespace, if it is there."""
    owner = _tenant(manager, cluster, tenant) if manager.cluster(cluster) else None
    found = _project(manager, owner, name) if owner else None
    return _remove(found, lambda record: manager.delete_project(record["id"], dry_run))


def shown(record: Record | None) -> Record:
    """A record without what the manager notes for itself, for diffs."""
    found = {name: value for name, value in (record or {}).items() if name not in _BOOKKEEPING}
    if "quotas" in found:
        found["quotas"] = Quota.of(found["quotas"]).to_dict()
    return found


def _tenant(manager: ManagerClient, cluster: str, name: str) -> Record | None:
    return next(iter(manager.tenants(cluster, name)), None)


def _project(manager: ManagerClient, tenant: Record, name: str) -> Record | None:
    return next(iter(manager.projects(tenant_id=tenant["id"], name=name)), None)


def _remove(record: Record | None, delete: Callable[[Record], bool]) -> Outcome:
    if record is None:
        return Outcome(changed=False)
    return Outcome(delete(record), before=shown(record))


def _would_be(record: Record) -> Outcome:
    return Outcome(changed=True, after=record, record=record)
