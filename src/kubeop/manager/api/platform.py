"""`/v1/platform`: the whole platform at a glance."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kubeop import BUILD_VERSION
from kubeop.manager import live
from kubeop.manager.api import Parts
from kubeop.manager.auth import Admin
from kubeop.manager.problems import responses
from kubeop.manager.schemas import Counts, PlatformStatus
from kubeop.manager.storage.models import Cluster, Project, Tenant

router = APIRouter(prefix="/v1/platform", tags=["platform"], responses=responses(401, 403, 503))


@router.get("/status", summary="How many of what, and in which state", responses=responses(404))
def status(
    services: Parts,
    _caller: Admin,
    cluster_id: Annotated[str, Query(alias="clusterID", description="Look at this cluster too, by id or name.")] = "",
) -> PlatformStatus:
    """Counts by state, and with `clusterID` the components of that cluster as seen just now."""
    with services.database.transaction() as session:
        counts = {name: _counts(session, kind) for name, kind in _KINDS.items()}
    seen = live.status(services, cluster_id) if cluster_id else None
    return PlatformStatus(version=BUILD_VERSION, cluster=seen, **counts)


_KINDS: dict[str, type[Cluster | Tenant | Project]] = {
    "clusters": Cluster,
    "tenants": Tenant,
    "projects": Project,
}


def _counts(session: Session, kind: type[Cluster | Tenant | Project]) -> Counts:
    states = dict(session.execute(select(kind.state, func.count()).group_by(kind.state)).all())
    return Counts(total=sum(states.values()), states=states)
