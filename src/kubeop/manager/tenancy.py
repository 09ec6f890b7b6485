"""Tenants and projects: what may be written, and that quotas never add up to more than the tenant has.

Whoever changes what counts against a tenant's quota holds the tenant's row, so that two writers at once cannot
both take the last of it. Nothing here talks to a cluster: a changed row becomes due, and the reconcile loop does that.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from kubeop.domain import projects as domain
from kubeop.domain.quotas import DEFAULT_PROJECT_QUOTA, Quota, excess, remainder, total
from kubeop.errors import InputError
from kubeop.manager.problems import Problem, invalid, not_found
from kubeop.manager.schemas import ProjectInput, ProjectRecord, Quotas, TenantInput, TenantRecord
from kubeop.manager.storage.models import Cluster, Project, Synced, Tenant, utc_now
from kubeop.settings import Settings

Row = TypeVar("Row", Tenant, Project)


def quota_of(row: Tenant | Project | Quotas) -> Quota:
    """The quota as the domain has it. A 422 problem that names the field and the value which is no quantity."""
    if isinstance(row, Quotas):
        for field in ("cpu", "memory", "pods"):
            try:
                Quota(**{field: getattr(row, field)})
            except InputError as error:
                raise invalid(f"quotas.{field}", error) from error
        return Quota(row.cpu, row.memory, row.pods)
    return Quota(row.quota_cpu, row.quota_memory, row.quota_pods)


def tenant_record(row: Tenant) -> TenantRecord:
    """The tenant as the API shows it."""
    return TenantRecord.model_validate(_fields(row, TenantRecord) | {"quotas": _quotas(row)})


def project_record(row: Project) -> ProjectRecord:
    """The project as the API shows it."""
    return ProjectRecord.model_validate(_fields(row, ProjectRecord) | {"quotas": _quotas(row)})


def find_cluster(session: Session, reference: str, *, lock: bool = False, share: bool = False) -> Cluster:
    """The cluster with this id or name, its row locked if asked for; a 404 problem without one."""
    query = select(Cluster).where((Cluster.id == reference) | (Cluster.name == reference))
    if lock or share:
        query = query.with_for_update(read=share)
    row = session.scalars(query.order_by((Cluster.id == reference).desc())).first()
    if row is None:
        raise not_found("cluster", reference)
    return row


def create_tenant(session: Session, body: TenantInput) -> Tenant:
    """A new tenant's row, flushed. Problems: 404 cluster, 409 name, 422 name or quota."""
    quota = quota_of(body.quotas)
    try:
        domain.Tenant(body.name, quota)
    except InputError as error:
        raise invalid("name", error) from error
    cluster = find_cluster(session, body.cluster_id, share=True)
    row = Tenant(cluster_id=cluster.id, name=body.name)
    _set_quota(row, quota)
    return _insert(session, row, f"The cluster {cluster.name} already has a tenant {body.name}.")


def create_project(session: Session, body: ProjectInput, settings: Settings) -> Project:
    """A new project's row, flushed. Problems: 404 tenant, 409 name, namespace or quota, 422 name or quota."""
    quota = quota_of(body.quotas)
    tenant = lock_tenant(session, body.tenant_id)
    try:
        wanted = domain.Project(tenant.name, body.name, quota)
    except InputError as error:
        raise invalid("name", error) from error
    if body.namespace is not None and body.namespace != wanted.namespace:
        detail = f"The project's namespace is {wanted.namespace}, not {body.namespace[:63]!r}."
        raise invalid("namespace", InputError(detail, hint="Leave it out."))
    taken = f"The project {body.name} or its namespace {wanted.namespace} already exists in the tenant's cluster."
    row = Project(cluster_id=tenant.cluster_id, tenant_id=tenant.id, name=body.name, namespace=wanted.namespace)
    _check_fits(session, tenant, row, quota, settings)
    _set_quota(row, quota)
    return _insert(session, row, taken)


def update_tenant(session: Session, tenant_id: str, quota: Quotas, *, merge: bool) -> tuple[Tenant, bool]:
    """Set a tenant's quota (`merge`: only the fields that the request names) and say whether that changed it."""
    row = lock_tenant(session, tenant_id)
    wanted = _merged(row, quota) if merge else quota_of(quota)
    spent = total(_effective(project) for project in _projects(session, row))
    over = excess(spent, wanted)
    if over:
        raise Problem(
            409,
            "quota-exceeded",
            f"The projects of tenant {row.name} have more than this quota: {'; '.join(over)}.",
            hint="Lower the projects' quotas first.",
            extra={"used": spent.to_dict()},
        )
    return row, _change(row, wanted)


def update_project(
    session: Session, project_id: str, quota: Quotas, settings: Settings, *, merge: bool
) -> tuple[Project, bool]:
    """Set a project's quota, as `update_tenant` does."""
    found = session.get(Project, project_id)
    if found is None:
        raise not_found("project", project_id)
    tenant = lock_tenant(session, found.tenant_id, deleting=True)
    row = _locked(session, Project, project_id)
    wanted = _merged(row, quota) if merge else quota_of(quota)
    _check_fits(session, tenant, row, wanted, settings)
    return row, _change(row, wanted)


def delete_tenant(session: Session, tenant_id: str) -> tuple[Tenant, bool]:
    """Mark a tenant as to be deleted from its cluster; False if it was already. A 409 problem while it has projects."""
    row = lock_tenant(session, tenant_id, deleting=True)
    left = len(_projects(session, row))
    if left:
        raise Problem(
            409,
            "not-empty",
            f"The tenant {row.name} still has {left} project{'s' if left > 1 else ''}.",
            hint="Delete them first; one that is being deleted counts until its cluster has confirmed it.",
        )
    return _tombstone(row)


def delete_project(session: Session, project_id: str) -> tuple[Project, bool]:
    """Mark a project as to be deleted from its cluster; False if it was already."""
    return _tombstone(_locked(session, Project, project_id, deleting=True))


def lock_tenant(session: Session, tenant_id: str, *, deleting: bool = False) -> Tenant:
    """The tenant with its row held; a problem if it is gone or (unless `deleting`) on its way out."""
    return _locked(session, Tenant, tenant_id, deleting=deleting)


def due(row: Synced) -> None:
    """Make a changed row due for the reconcile loop at once."""
    row.generation += 1
    row.attempts, row.message = 0, ""
    row.next_attempt_at = row.updated_at = utc_now()


def _locked(session: Session, kind: type[Row], row_id: str, *, deleting: bool = False) -> Row:
    row = session.get(kind, row_id, with_for_update=True, populate_existing=True)
    what = kind.__name__.lower()
    if row is None:
        raise not_found(what, row_id)
    if row.deleted_at is not None and not deleting:
        raise Problem(409, "deleting", f"The {what} {row.name} is being deleted.", hint="Wait until it is gone.")
    return row


def _insert(session: Session, row: Row, taken: str) -> Row:
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        hint = "Use another name, or change the one that exists; one that is being deleted counts until it is gone."
        raise Problem(409, "name-taken", taken, hint=hint) from None
    return row


def _tombstone(row: Row) -> tuple[Row, bool]:
    if row.deleted_at is not None:
        return row, False
    row.deleted_at = utc_now()
    due(row)
    row.state = "deleting"
    return row, True


def _projects(session: Session, tenant: Tenant) -> list[Project]:
    return list(session.scalars(select(Project).where(Project.tenant_id == tenant.id)))


def _effective(project: Project) -> Quota:
    return quota_of(project).merged(DEFAULT_PROJECT_QUOTA)


def _check_fits(session: Session, tenant: Tenant, project: Project, quota: Quota, settings: Settings) -> None:
    """A problem unless the project's quota is within the platform's maximum and the tenant's remainder."""
    wanted = quota.merged(DEFAULT_PROJECT_QUOTA)
    most = Quota(settings.quota_max_requests_cpu or None, settings.quota_max_requests_memory or None)
    over = excess(wanted, most)
    if over:
        raise invalid("quotas", InputError(f"The quota is above the platform's maximum: {'; '.join(over)}."))
    others = [_effective(row) for row in _projects(session, tenant) if row.id != project.id]
    left = remainder(quota_of(tenant), others)
    over = excess(wanted, left)
    if over:
        raise Problem(
            409,
            "quota-exceeded",
            f"The quota does not fit in what is left of tenant {tenant.name}: {'; '.join(over)}.",
            hint="Ask for less, raise the tenant's quota, or lower that of its other projects.",
            extra={"remaining": left.to_dict()},
        )


def _set_quota(row: Tenant | Project, quota: Quota) -> None:
    row.quota_cpu, row.quota_memory, row.quota_pods = quota.cpu, quota.memory, quota.pods


def _change(row: Tenant | Project, wanted: Quota) -> bool:
    """Set the quota if it means something else than the present one: 1000m is 1."""
    now = quota_of(row)
    if (now.cpu_cores, now.memory_bytes, now.pods) == (wanted.cpu_cores, wanted.memory_bytes, wanted.pods):
        return False
    _set_quota(row, wanted)
    due(row)
    row.state = "pending"
    return True


def _merged(row: Tenant | Project, quota: Quotas) -> Quota:
    given = quota.model_fields_set
    now = quota_of(row)
    values = {name: getattr(quota if name in given else now, name) for name in ("cpu", "memory", "pods")}
    return quota_of(Quotas.model_construct(**values))


def _fields(row: Synced, record: type[BaseModel]) -> dict[str, object]:
    return {name: getattr(row, name) for name in record.model_fields if name != "quotas"}


def _quotas(row: Tenant | Project) -> Quotas:
    return Quotas(cpu=row.quota_cpu, memory=row.quota_memory, pods=row.quota_pods)
