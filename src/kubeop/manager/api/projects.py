"""`/v1/projects`: the namespaces of tenants."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy import select

from kubeop.manager import audit, tenancy
from kubeop.manager.api import Parts
from kubeop.manager.auth import Admin, Authenticated, Caller
from kubeop.manager.listing import DryRun, Limit, Offset, page
from kubeop.manager.problems import Problem, not_found, responses
from kubeop.manager.schemas import Page, ProjectInput, ProjectRecord, ProjectWritten, QuotasInput
from kubeop.manager.services import Services
from kubeop.manager.storage.models import Project

router = APIRouter(prefix="/v1/projects", tags=["projects"], responses=responses(401, 403, 422, 503))


@router.get("", summary="List projects")
def list_projects(
    services: Parts,
    caller: Authenticated,
    cluster_id: Annotated[str, Query(alias="clusterID", description="Of this cluster, by id or name.")] = "",
    tenant_id: Annotated[str, Query(alias="tenantID", description="Of this tenant.")] = "",
    name: Annotated[str, Query(description="With this name.")] = "",
    limit: Limit = 100,
    offset: Offset = 0,
) -> Page[ProjectRecord]:
    """By name. A tenant's token finds that tenant's projects, a project's token that project."""
    query = select(Project)
    if name:
        query = query.where(Project.name == name)
    if tenant_id:
        query = query.where(Project.tenant_id == tenant_id)
    if caller.role == "tenant":
        query = query.where(Project.tenant_id == caller.scope_id)
    elif caller.role == "project":
        query = query.where(Project.id == caller.scope_id)
    with services.database.transaction() as session:
        if cluster_id:
            query = query.where(Project.cluster_id == tenancy.find_cluster(session, cluster_id).id)
        return page(session, query, [Project.name, Project.id], limit, offset, tenancy.project_record)


@router.post("", status_code=201, summary="Make a project", responses=responses(400, 404, 409))
def create(
    services: Parts, caller: Admin, body: ProjectInput, response: Response, dry_run: DryRun = False
) -> ProjectWritten:
    """The quota must fit in what is left of the tenant's.

    The project reaches its cluster in the background, as a Project object, of which the operator makes the namespace.
    """
    trail = audit.Trail(caller, "create", "project", body.name)
    with audit.refusals(services.database, trail, dry_run=dry_run), services.database.transaction() as session:
        row = tenancy.create_project(session, body, services.settings)
        audit.record(session, trail, row.id, name=row.name, quotas=body.quotas.model_dump(exclude_none=True))
        written = _written(row, changed=True)
        if dry_run:
            session.rollback()
    _poke(services, dry_run=dry_run)
    response.headers["Location"] = f"/v1/projects/{written.id}"
    return written


@router.get("/{project_id}", summary="Read a project", responses=responses(404))
def read(services: Parts, caller: Authenticated, project_id: str) -> ProjectRecord:
    """A tenant's token reads the tenant's projects, a project's token its own."""
    with services.database.transaction() as session:
        row = session.get(Project, project_id)
        _check_scope(caller, row)
        if row is None:
            raise not_found("project", project_id)
        return tenancy.project_record(row)


@router.put("/{project_id}", summary="Set a project's quotas", responses=responses(400, 404, 409))
def put(services: Parts, caller: Admin, project_id: str, body: QuotasInput, dry_run: DryRun = False) -> ProjectWritten:
    """Make the quotas exactly as given: what is left out says nothing any more."""
    return _update(services, audit.Trail(caller, "put", "project", project_id), body, merge=False, dry_run=dry_run)


@router.patch("/{project_id}", summary="Change some of a project's quotas", responses=responses(400, 404, 409))
def patch(
    services: Parts, caller: Admin, project_id: str, body: QuotasInput, dry_run: DryRun = False
) -> ProjectWritten:
    """Change the quotas that are given; null takes one away."""
    return _update(services, audit.Trail(caller, "patch", "project", project_id), body, merge=True, dry_run=dry_run)


@router.delete("/{project_id}", status_code=202, summary="Delete a project", responses=responses(404))
def delete(services: Parts, caller: Admin, project_id: str, dry_run: DryRun = False) -> ProjectWritten:
    """Take it and its namespace out of its cluster in the background.

    The record goes when the cluster has confirmed.
    """
    trail = audit.Trail(caller, "delete", "project", project_id)
    with audit.refusals(services.database, trail, dry_run=dry_run), services.database.transaction() as session:
        row, changed = tenancy.delete_project(session, project_id)
        audit.record(session, trail, row.id, changed=changed, name=row.name)
        written = _written(row, changed=changed)
        if dry_run:
            session.rollback()
    _poke(services, dry_run=dry_run)
    return written


def _update(services: Services, trail: audit.Trail, body: QuotasInput, *, merge: bool, dry_run: bool) -> ProjectWritten:
    with audit.refusals(services.database, trail, dry_run=dry_run), services.database.transaction() as session:
        row, changed = tenancy.update_project(session, trail.reference, body.quotas, services.settings, merge=merge)
        quotas = body.quotas.model_dump(exclude_unset=True)
        audit.record(session, trail, row.id, changed=changed, name=row.name, quotas=quotas)
        written = _written(row, changed=changed)
        if dry_run:
            session.rollback()
    _poke(services, dry_run=dry_run)
    return written


def _check_scope(caller: Caller, row: Project | None) -> None:
    """A 403 problem for what is not the caller's own, whether it exists or not."""
    own = row is not None and (
        (caller.role == "tenant" and caller.scope_id == row.tenant_id)
        or (caller.role == "project" and caller.scope_id == row.id)
    )
    if caller.role != "admin" and not own:
        raise Problem(403, "scope", f"The token's scope {caller.scope} does not cover this project.")


def _written(row: Project, *, changed: bool) -> ProjectWritten:
    return ProjectWritten(**tenancy.project_record(row).model_dump(), changed=changed)


def _poke(services: Services, *, dry_run: bool) -> None:
    if not dry_run:
        services.poke()
