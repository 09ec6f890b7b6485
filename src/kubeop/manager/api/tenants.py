"""`/v1/tenants`: customers and teams of a cluster."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy import select

from kubeop.manager import audit, tenancy
from kubeop.manager.api import Parts
from kubeop.manager.auth import Admin, Authenticated, Caller
from kubeop.manager.listing import DryRun, Limit, Offset, page
from kubeop.manager.problems import Problem, not_found, responses
from kubeop.manager.schemas import Page, QuotasInput, TenantInput, TenantRecord, TenantWritten
from kubeop.manager.services import Services
from kubeop.manager.storage.models import Project, Tenant

router = APIRouter(prefix="/v1/tenants", tags=["tenants"], responses=responses(401, 403, 422, 503))


@router.get("", summary="List tenants")
def list_tenants(
    services: Parts,
    caller: Authenticated,
    cluster_id: Annotated[str, Query(alias="clusterID", description="Of this cluster, by id or name.")] = "",
    name: Annotated[str, Query(description="With this name.")] = "",
    limit: Limit = 100,
    offset: Offset = 0,
) -> Page[TenantRecord]:
    """By name. A tenant's or a project's token finds its own tenant alone."""
    query = select(Tenant)
    if name:
        query = query.where(Tenant.name == name)
    if caller.role == "tenant":
        query = query.where(Tenant.id == caller.scope_id)
    elif caller.role == "project":
        query = query.where(Tenant.id.in_(select(Project.tenant_id).where(Project.id == caller.scope_id)))
    with services.database.transaction() as session:
        if cluster_id:
            query = query.where(Tenant.cluster_id == tenancy.find_cluster(session, cluster_id).id)
        return page(session, query, [Tenant.name, Tenant.id], limit, offset, tenancy.tenant_record)


@router.post("", status_code=201, summary="Make a tenant", responses=responses(400, 404, 409))
def create(
    services: Parts, caller: Admin, body: TenantInput, response: Response, dry_run: DryRun = False
) -> TenantWritten:
    """The tenant is recorded at once and reaches its cluster, as a Tenant object, in the background."""
    trail = audit.Trail(caller, "create", "tenant", body.name)
    with audit.refusals(services.database, trail, dry_run=dry_run), services.database.transaction() as session:
        row = tenancy.create_tenant(session, body)
        audit.record(session, trail, row.id, name=row.name, quotas=body.quotas.model_dump(exclude_none=True))
        written = _written(row, changed=True)
        if dry_run:
            session.rollback()
    _poke(services, dry_run=dry_run)
    response.headers["Location"] = f"/v1/tenants/{written.id}"
    return written


@router.get("/{tenant_id}", summary="Read a tenant", responses=responses(404))
def read(services: Parts, caller: Authenticated, tenant_id: str) -> TenantRecord:
    """A tenant's token reads its own."""
    with services.database.transaction() as session:
        row = session.get(Tenant, tenant_id)
        _check_scope(caller, tenant_id, row)
        if row is None:
            raise not_found("tenant", tenant_id)
        return tenancy.tenant_record(row)


@router.put("/{tenant_id}", summary="Set a tenant's quotas", responses=responses(400, 404, 409))
def put(services: Parts, caller: Admin, tenant_id: str, body: QuotasInput, dry_run: DryRun = False) -> TenantWritten:
    """Make the quotas exactly as given: what is left out says nothing any more."""
    return _update(services, audit.Trail(caller, "put", "tenant", tenant_id), body, merge=False, dry_run=dry_run)


@router.patch("/{tenant_id}", summary="Change some of a tenant's quotas", responses=responses(400, 404, 409))
def patch(services: Parts, caller: Admin, tenant_id: str, body: QuotasInput, dry_run: DryRun = False) -> TenantWritten:
    """Change the quotas that are given; null takes one away."""
    return _update(services, audit.Trail(caller, "patch", "tenant", tenant_id), body, merge=True, dry_run=dry_run)


@router.delete("/{tenant_id}", status_code=202, summary="Delete a tenant", responses=responses(404, 409))
def delete(services: Parts, caller: Admin, tenant_id: str, dry_run: DryRun = False) -> TenantWritten:
    """Take it out of its cluster in the background; the record goes when the cluster has confirmed.

    409 while it has projects.
    """
    trail = audit.Trail(caller, "delete", "tenant", tenant_id)
    with audit.refusals(services.database, trail, dry_run=dry_run), services.database.transaction() as session:
        row, changed = tenancy.delete_tenant(session, tenant_id)
        audit.record(session, trail, row.id, changed=changed, name=row.name)
        written = _written(row, changed=changed)
        if dry_run:
            session.rollback()
    _poke(services, dry_run=dry_run)
    return written


def _update(services: Services, trail: audit.Trail, body: QuotasInput, *, merge: bool, dry_run: bool) -> TenantWritten:
    with audit.refusals(services.database, trail, dry_run=dry_run), services.database.transaction() as session:
        row, changed = tenancy.update_tenant(session, trail.reference, body.quotas, merge=merge)
        quotas = body.quotas.model_dump(exclude_unset=True)
        audit.record(session, trail, row.id, changed=changed, name=row.name, quotas=quotas)
        written = _written(row, changed=changed)
        if dry_run:
            session.rollback()
    _poke(services, dry_run=dry_run)
    return written


def _check_scope(caller: Caller, tenant_id: str, row: Tenant | None) -> None:
    """A 403 problem for what is not the caller's own, whether it exists or not."""
    if caller.role != "admin" and (caller.role != "tenant" or caller.scope_id != tenant_id or row is None):
        raise Problem(403, "scope", f"The token's scope {caller.scope} does not cover this tenant.")


def _written(row: Tenant, *, changed: bool) -> TenantWritten:
    return TenantWritten(**tenancy.tenant_record(row).model_dump(), changed=changed)


def _poke(services: Services, *, dry_run: bool) -> None:
    if not dry_run:
        services.poke()
