"""A Tenant: is it valid, how many projects has it, what do they use of its quota; and it goes only after them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kubeop import names
from kubeop.domain import quotas
from kubeop.domain.projects import Tenant
from kubeop.domain.quotas import DEFAULT_PROJECT_QUOTA, Quota
from kubeop.errors import InputError, QuantityError
from kubeop.kube.client import Client
from kubeop.kube.openshift import OpenShift
from kubeop.operator.ledger import Ledger, Ref
from kubeop.operator.openshift import drop_quota, keep_quota
from kubeop.operator.status import Status, condition, set_finalizer

SHOWN = 5  # names in a message


def reconcile_tenant(
    client: Client,
    tenant: Mapping[str, Any],
    projects: Iterable[Quota],
    ledger: Ledger | None = None,
    openshift: OpenShift | None = None,
) -> Status:
    """Judge one Tenant object, just read, with the quotas of its projects. Raises ClusterError."""
    openshift = openshift or OpenShift(client)
    if tenant["metadata"].get("deletionTimestamp"):
        return _finalize(client, openshift, tenant)
    used = [quota.merged(DEFAULT_PROJECT_QUOTA) for quota in projects]
    fields = {"projects": len(used), "used": quotas.total(used).to_dict()}
    try:
        wanted = Tenant.of(tenant)
    except InputError as error:
        reason = "InvalidQuota" if isinstance(error, QuantityError) else "InvalidSpec"
        return Status(False, reason, str(error), fields=fields)
    name = tenant["metadata"]["name"]
    if name != wanted.name:
        message = f"Tenant {name} says in spec.name that it is {wanted.name}. Make both the same."
        return Status(False, "InvalidName", message, fields=fields)
    held = set_finalizer(client, tenant, present=True)
    if ledger is not None and held != tenant:
        ledger.expect(Ref.of(tenant), held)
    written = keep_quota(openshift, wanted, ledger)
    seen = condition(tenant).get("observedGeneration") == tenant["metadata"].get("generation")
    repaired = (written,) if written and seen else ()
    too_much = quotas.excess(quotas.total(used), wanted.quota)
    if too_much:
        message = f"The projects of tenant {name} ask for more than its quota: {', '.join(too_much)}."
        return Status(False, "QuotaExceeded", message, fields=fields, repaired=repaired)
    return Status(True, "Valid", f"Tenant {name} has {_count(len(used))}.", fields=fields, repaired=repaired)


def _finalize(client: Client, openshift: OpenShift, tenant: Mapping[str, Any]) -> Status:
    """Let the Tenant go once no Project names it. The list is read anew, for a cached one could miss a new Project."""
    if names.FINALIZER not in (tenant["metadata"].get("finalizers") or []):
        return Status(False, "Deleting", "Nothing is left to clean up.", gone=True)
    name = tenant["metadata"]["name"]
    left = sorted(
        project["metadata"]["name"]
        for project in client.list(names.GROUP_VERSION, "Project")
        if (project.get("spec") or {}).get("tenantRef") == name
    )
    if not left:
        drop_quota(openshift, name)
        set_finalizer(client, tenant, present=False)
        return Status(False, "Deleted", "The Tenant has no projects.", gone=True)
    shown = ", ".join(left[:SHOWN]) + (" and others" if len(left) > SHOWN else "")
    message = f"Tenant {name} still has {_count(len(left))}: {shown}. It goes once they are deleted."
    return Status(False, "HasProjects", message, fields={"projects": len(left)}, retry=True)


def _count(number: int) -> str:
    return "1 project" if number == 1 else f"{number} projects"
