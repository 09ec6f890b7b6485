"""`/v1/clusters`: registering clusters, and how they are."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy import select

from kubeop.manager import audit, live, registry
from kubeop.manager.api import Parts
from kubeop.manager.auth import Admin
from kubeop.manager.listing import DryRun, Limit, Offset, page
from kubeop.manager.problems import Problem, responses
from kubeop.manager.schemas import (
    ClusterInput,
    ClusterPut,
    ClusterReady,
    ClusterRecord,
    ClusterStatus,
    ClusterWritten,
    Page,
)
from kubeop.manager.services import Services
from kubeop.manager.storage.models import Cluster
from kubeop.manager.tenancy import find_cluster

router = APIRouter(prefix="/v1/clusters", tags=["clusters"], responses=responses(401, 403, 422, 503))


@router.get("", summary="List clusters")
def list_clusters(
    services: Parts, _caller: Admin, limit: Limit = 100, offset: Offset = 0, name: str = ""
) -> Page[ClusterRecord]:
    """Every registered cluster by name; `name` finds one."""
    query = select(Cluster)
    if name:
        query = query.where(Cluster.name == name)
    with services.database.transaction() as session:
        return page(session, query, [Cluster.name], limit, offset, registry.record)


@router.post("", status_code=201, summary="Register a cluster", responses=responses(400, 409, 502))
def register(
    services: Parts, caller: Admin, body: ClusterInput, response: Response, dry_run: DryRun = False
) -> ClusterWritten:
    """Contact the cluster, store its kubeconfig encrypted, and bootstrap it in the background.

    Nothing is stored unless the cluster answers. `GET /v1/clusters/{id}/ready` says when the bootstrap is through.
    """
    trail = audit.Trail(caller, "create", "cluster", body.name)
    with audit.refusals(services.database, trail, dry_run=dry_run):
        wanted = _wish(body)
        with services.database.transaction() as session:
            registry.refuse_taken(session, wanted.name)
        registry.try_contact(services, wanted)
        written = _create(services, trail, wanted, dry_run=dry_run)
    response.headers["Location"] = f"/v1/clusters/{written.id}"
    return written


@router.get("/{cluster_id}", summary="Read a cluster", responses=responses(404))
def read(services: Parts, _caller: Admin, cluster_id: str) -> ClusterRecord:
    """The cluster with this id or name."""
    with services.database.transaction() as session:
        return registry.record(find_cluster(session, cluster_id))


@router.put("/{cluster_id}", summary="Register or change a cluster", responses=responses(400, 404, 409, 502))
def put(services: Parts, caller: Admin, cluster_id: str, body: ClusterPut, dry_run: DryRun = False) -> ClusterWritten:
    """Make the registration as given, and say whether that changed anything; a name that is new is registered.

    The cluster is contacted only if something other than its labels differs.
    """
    trail = audit.Trail(caller, "put", "cluster", cluster_id)
    with audit.refusals(services.database, trail, dry_run=dry_run):
        with services.database.transaction() as session:
            found = session.scalars(
                select(Cluster).where((Cluster.id == cluster_id) | (Cluster.name == cluster_id))
            ).first()
            name = found.name if found else cluster_id
            if body.name and body.name != name:
                raise Problem(
                    422,
                    "invalid",
                    f"The cluster's name is {name[:63]!r} and never changes.",
                    errors=[("name", "differs")],
                )
            wanted = _wish(body.model_copy(update={"name": name}))
            if found and not registry.differs(session, services, found, wanted):
                row = find_cluster(session, found.id, lock=True)
                changed = registry.relabel(row, wanted)
                audit.record(session, trail, row.id, changed=changed, name=row.name)
                written = _written(row, changed=changed)
                if dry_run:
                    session.rollback()
                return written
        registry.try_contact(services, wanted)
        if found is None:
            return _create(services, trail, wanted, dry_run=dry_run)
        with services.database.transaction() as session:
            row = find_cluster(session, found.id, lock=True)
            registry.update(session, services, row, wanted)
            audit.record(session, trail, row.id, name=row.name)
            written = _written(row, changed=True)
            if dry_run:
                session.rollback()
    if not dry_run:
        services.poke()
    return written


@router.delete("/{cluster_id}", status_code=204, summary="Forget a cluster", responses=responses(404, 409))
def forget(services: Parts, caller: Admin, cluster_id: str, force: bool = False, dry_run: DryRun = False) -> None:
    """Delete the registration and the kubeconfig; what runs in the cluster goes on running. 409 while tenants exist.

    `force` also drops tenants and projects that were deleted while the cluster did not answer any more.
    """
    trail = audit.Trail(caller, "delete", "cluster", cluster_id)
    with (
        audit.refusals(services.database, trail, dry_run=dry_run),
        services.database.transaction() as session,
    ):
        row = find_cluster(session, cluster_id, lock=True)
        registry.forget(session, row, force=force)
        session.flush()
        audit.record(session, trail, row.id, name=row.name)
        if dry_run:
            session.rollback()


@router.get("/{cluster_id}/status", summary="How a cluster is, seen just now", responses=responses(404))
def status(services: Parts, _caller: Admin, cluster_id: str) -> ClusterStatus:
    """What is recorded, and what the cluster itself says of each component at this moment."""
    return live.status(services, cluster_id)


@router.get("/{cluster_id}/ready", summary="Whether the platform is ready in a cluster", responses=responses(404))
def ready(services: Parts, _caller: Admin, cluster_id: str) -> ClusterReady:
    """503 until operator, admission and the webhooks' caBundle are ready, as seen in the cluster at this moment."""
    seen = live.status(services, cluster_id)
    waiting = [component for component in seen.components if not component.ready]
    if waiting or not seen.reachable:
        detail = "; ".join(f"{component.name}: {component.detail}" for component in waiting)
        raise Problem(
            503,
            "cluster-not-ready",
            f"The cluster {seen.name} is not ready: {detail or seen.message}",
            headers={"Retry-After": "2"},
            extra={"state": seen.state, "components": [component.model_dump() for component in seen.components]},
        )
    return ClusterReady(components=seen.components)


def _wish(body: ClusterInput) -> registry.Wish:
    return registry.wish(
        body.name,
        body.kubeconfig,
        auto_bootstrap=body.autoBootstrap,
        install_admission=body.installAdmission,
        labels=body.labels,
    )


def _create(services: Services, trail: audit.Trail, wanted: registry.Wish, *, dry_run: bool) -> ClusterWritten:
    with services.database.transaction() as session:
        row = registry.create(session, services, wanted)
        audit.record(session, trail, row.id, name=row.name)
        written = _written(row, changed=True)
        if dry_run:
            session.rollback()
    if not dry_run:
        services.poke()
    return written


def _written(row: Cluster, *, changed: bool) -> ClusterWritten:
    return ClusterWritten.model_validate(
        {**registry.record(row).model_dump(by_alias=False), "changed": changed}, by_name=True
    )
