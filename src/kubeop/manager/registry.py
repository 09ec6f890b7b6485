"""Clusters: registering, changing and forgetting them. A cluster is contacted before anything is written."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from kubeop.domain.labels import check_labels
from kubeop.domain.projects import check_name
from kubeop.errors import InputError
from kubeop.kube.kubeconfig import Kubeconfig
from kubeop.manager import intake
from kubeop.manager.problems import Problem, invalid
from kubeop.manager.schemas import ClusterRecord
from kubeop.manager.services import Services
from kubeop.manager.storage.models import Cluster, Project, Tenant, new_id, utc_now
from kubeop.manager.tenancy import due


@dataclass(frozen=True)
class Wish:
    """A cluster as it shall be registered; `labels` of None are left as they are."""

    name: str
    kubeconfig: Kubeconfig
    auto_bootstrap: bool
    install_admission: bool
    labels: Mapping[str, str] | None = None


def wish(
    name: str,
    encoded_kubeconfig: str,
    *,
    auto_bootstrap: bool,
    install_admission: bool,
    labels: Mapping[str, str] | None = None,
) -> Wish:
    """Read a request; a 422 problem that names the field which is wrong."""
    try:
        check_name(name, "Cluster name")
    except InputError as error:
        raise invalid("name", error) from error
    try:
        checked = None if labels is None else check_labels(labels)
    except InputError as error:
        raise invalid("labels", error) from error
    return Wish(name, intake.read(encoded_kubeconfig), auto_bootstrap, install_admission, checked)


def record(row: Cluster) -> ClusterRecord:
    """The cluster as the API shows it."""
    return ClusterRecord.model_validate(row)


def refuse_taken(session: Session, name: str) -> None:
    """A 409 problem if a cluster of this name is registered."""
    if session.scalar(select(func.count()).select_from(Cluster).where(Cluster.name == name)):
        raise _taken(name)


def try_contact(services: Services, wanted: Wish) -> None:
    """A problem unless the cluster answers and lets us in. No transaction may be open: this takes seconds."""
    with services.connect(wanted.kubeconfig, intake.CONTACT_SECONDS) as client:
        intake.contact(client, install=wanted.auto_bootstrap)


def create(session: Session, services: Services, wanted: Wish) -> Cluster:
    """The new cluster's row, flushed and due for its bootstrap. A 409 problem if the name was taken meanwhile."""
    row = Cluster(name=wanted.name, auto_bootstrap=wanted.auto_bootstrap, install_admission=wanted.install_admission)
    row.labels = dict(wanted.labels or {})
    row.id = new_id()  # the envelope is bound to it
    row.kubeconfig_version = 1
    services.vault.seal_kubeconfig(session, row, wanted.kubeconfig.as_bytes())
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        raise _taken(wanted.name) from None
    return row


def differs(session: Session, services: Services, row: Cluster, wanted: Wish) -> bool:
    """Whether what matters to the cluster itself is not yet as wanted; its labels are the manager's only."""
    same = hmac.compare_digest(services.vault.open_kubeconfig(session, row), wanted.kubeconfig.as_bytes())
    options = (row.auto_bootstrap, row.install_admission) == (wanted.auto_bootstrap, wanted.install_admission)
    return not (same and options)


def relabel(row: Cluster, wanted: Wish) -> bool:
    """Give the row the labels that are wanted; whether that changed them. The cluster need not answer for that."""
    if wanted.labels is None or row.labels == wanted.labels:
        return False
    row.labels, row.updated_at = dict(wanted.labels), utc_now()
    return True


def update(session: Session, services: Services, row: Cluster, wanted: Wish) -> None:
    """Make the locked row as wanted, and due."""
    row.kubeconfig_version += 1
    services.vault.seal_kubeconfig(session, row, wanted.kubeconfig.as_bytes())
    row.auto_bootstrap, row.install_admission = wanted.auto_bootstrap, wanted.install_admission
    relabel(row, wanted)
    row.contact_after = None
    due(row)
    row.state = "pending"


def forget(session: Session, row: Cluster, *, force: bool) -> None:
    """Delete the locked row. A 409 problem while it has tenants; `force` drops those that only wait for the cluster
    to confirm their deletion, for a cluster that will never answer again.
    """
    tenants = session.scalars(select(Tenant).where(Tenant.cluster_id == row.id)).all()
    alive = [tenant for tenant in tenants if tenant.deleted_at is None]
    if alive or (tenants and not force):
        detail = (
            f"The cluster {row.name} still has {len(alive)} tenants, and {len(tenants) - len(alive)} being deleted."
        )
        hint = (
            "Delete its tenants first."
            if alive
            else "Wait for the cluster to confirm, or use ?force=true if it is gone."
        )
        raise Problem(409, "not-empty", detail, hint=hint)
    session.execute(delete(Project).where(Project.cluster_id == row.id))
    session.execute(delete(Tenant).where(Tenant.cluster_id == row.id))
    session.delete(row)


def _taken(name: str) -> Problem:
    return Problem(
        409,
        "name-taken",
        f"A cluster {name} is already registered.",
        hint=f"PUT /v1/clusters/{name} changes it; DELETE it first to register another one.",
    )
