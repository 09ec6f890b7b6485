"""Rules for Tenants and Projects: names that align, labels that are true, quotas that fit.

Projects that are made at the same moment can each fit in what is left and together exceed it; the operator then says
so in the Tenant's status. The manager's API, where projects are normally made, counts in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kubeop.admission.refusals import Refusal
from kubeop.admission.reviews import Request
from kubeop.admission.state import Ownership, State
from kubeop.domain import quotas
from kubeop.domain.projects import Project, Tenant
from kubeop.domain.quotas import DEFAULT_PROJECT_QUOTA, Quota
from kubeop.errors import InputError


def check_tenant(request: Request, state: State) -> Iterator[Refusal]:
    """The quota is one, and not below what the tenant's projects already have."""
    if _is_unchanged(request):
        return
    try:
        tenant = Tenant.of(request.obj)
    except InputError as error:
        yield Refusal(str(error))
        return
    name = _name(request)
    if name != tenant.name:
        yield Refusal(f"metadata.name is {name!r}; make it the same as spec.name, {tenant.name!r}")
    yield from _check_labels(request, tenant.labels)
    used = quotas.total(_quota(project) for project in state.projects_of(tenant.name).values())
    for text in quotas.excess(used, tenant.quota):
        yield Refusal(f"the projects of tenant {tenant.name} already have more: {text}; raise the quota or shrink them")


def check_project(request: Request, state: State) -> Iterator[Refusal]:
    """The tenant exists, the names align, the namespace is free, and the quota fits in the tenant's remainder."""
    if _is_unchanged(request):
        return
    try:
        project = Project.of(request.obj)
    except InputError as error:
        yield Refusal(str(error))
        return
    name = _name(request)
    if name != project.object_name:
        yield Refusal(f"metadata.name is {name!r}; make it {project.object_name!r}: the tenant, a dash, the name")
    yield from _check_labels(request, project.labels)
    if request.operation == "CREATE":
        yield from _check_namespace_is_free(project, state)
    if request.operation == "UPDATE" and (request.old.get("spec") or {}).get("quotas") == (
        request.obj.get("spec") or {}
    ).get("quotas"):
        return
    yield from _check_quota(name, project, state)


def _check_quota(name: str, project: Project, state: State) -> Iterator[Refusal]:
    wanted = _quota(project)
    for text in quotas.excess(wanted, state.policy.quota_max):
        yield Refusal(f"quota of project {project.name}: {text}, the platform's maximum; ask for less")
    tenant = state.tenants.get(project.tenant)
    if tenant is None:
        message = f"there is no Tenant {project.tenant}; create it first or correct spec.tenantRef"
        yield Refusal(message, unseen=True)
        return
    others = [_quota(other) for key, other in state.projects_of(project.tenant).items() if key != name]
    left = quotas.remainder(tenant.quota, others)
    for text in quotas.excess(wanted, left):
        yield Refusal(
            f"quota of project {project.name}: {text}, which is what tenant {project.tenant} has left; "
            "ask for less or raise the Tenant's quota"
        )


def _check_namespace_is_free(project: Project, state: State) -> Iterator[Refusal]:
    owner = state.namespaces.get(project.namespace)
    if owner is not None and (owner.tenant, owner.project) != (project.tenant, project.name):
        held = f"belongs to {owner}" if owner else "is not a project's"
        yield Refusal(f"namespace {project.namespace} exists and {held}; delete it or use another project name")


def _check_labels(request: Request, expected: Mapping[str, str]) -> Iterator[Refusal]:
    found = (request.obj.get("metadata") or {}).get("labels") or {}
    for label, value in expected.items():
        if found.get(label) != value:
            yield Refusal(f"label {label} is {found.get(label)!r}; set it to {value!r}")


def _is_unchanged(request: Request) -> bool:
    """True for an update of something else, such as the operator's finalizer."""
    return (
        request.operation == "UPDATE"
        and request.obj.get("spec") == request.old.get("spec")
        and Ownership.of(request.obj) == Ownership.of(request.old)
    )


def _quota(project: Project) -> Quota:
    return project.quota.merged(DEFAULT_PROJECT_QUOTA)


def _name(request: Request) -> str:
    return str((request.obj.get("metadata") or {}).get("name", request.name))
