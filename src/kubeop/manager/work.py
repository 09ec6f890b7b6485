"""Rows as work: which are due, who has them, and how they end. The database is the queue.

A replica claims due rows with `FOR UPDATE SKIP LOCKED` and holds them by a lease that it extends while it lives; what a
killed replica held falls due again when its lease ends. Nothing is done while a transaction is open.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.orm import Session

from kubeop.manager.storage.database import Database
from kubeop.manager.storage.models import Cluster, Project, Synced, Tenant, utc_now

Kind = type[Cluster] | type[Tenant] | type[Project]
LEASE_SECONDS = 30.0
RESYNC_SECONDS = 600.0  # a row that is in its cluster is looked at again after this: what was edited there is put back
MAX_BACKOFF_SECONDS = 60.0
BATCH = 50  # tenants or projects of one cluster at a time


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended. `again_seconds`: when to look again, None for the backoff of a failure,
    `at_most_seconds`.

    `synced`: the cluster has this generation. `gone`: the cluster has confirmed the deletion. `installed`: the
    platform's objects are in the cluster. `unreachable`: the cluster did not answer, so nothing else needs to try now.
    """

    state: str
    message: str = ""
    again_seconds: float | None = None
    at_most_seconds: float = MAX_BACKOFF_SECONDS
    synced: bool = False
    gone: bool = False
    installed: bool = False
    unreachable: bool = False


@dataclass
class Claim:
    """Rows of one kind and one cluster that this replica holds."""

    kind: Kind
    cluster_id: str
    row_ids: list[str] = field(default_factory=list)


def now(session: Session) -> datetime:
    """The database's time, so that the replicas' clocks need not agree."""
    if session.get_bind().dialect.name == "sqlite":
        return utc_now()
    moment: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return moment


def claim(database: Database, kind: Kind, owner: str) -> Claim | None:
    """Take due rows of a kind, all of one cluster; None when there are none."""
    with database.transaction() as session:
        moment = now(session)
        first: Synced | None = session.scalars(_due(kind, moment).limit(1)).first()
        if first is None:
            return None
        taken = Claim(kind, _cluster_id(first))
        rows: list[Synced] = [first]
        if issubclass(kind, Tenant | Project):
            others = _due(kind, moment).where(kind.cluster_id == taken.cluster_id, kind.id != first.id)
            rows += session.scalars(others.limit(BATCH - 1)).all()
        for row in rows:
            row.lease_owner, row.lease_until = owner, moment + timedelta(seconds=LEASE_SECONDS)
            taken.row_ids.append(row.id)
        return taken


def extend(database: Database, kind: Kind, owner: str, row_ids: list[str]) -> None:
    """Hold rows for another lease."""
    with database.transaction() as session:
        until = now(session) + timedelta(seconds=LEASE_SECONDS)
        session.execute(
            update(kind).where(kind.id.in_(row_ids), kind.lease_owner == owner).values(lease_until=until),
            execution_options={"synchronize_session": False},
        )


def release(database: Database, kind: Kind, owner: str) -> None:
    """Let go of everything that this replica holds, so that another one goes on at once."""
    with database.transaction() as session:
        session.execute(
            update(kind).where(kind.lease_owner == owner).values(lease_owner="", lease_until=None),
            execution_options={"synchronize_session": False},
        )


def finish(database: Database, kind: Kind, owner: str, row_id: str, generation: int, outcome: Outcome) -> None:
    """Write down how an attempt on a row's `generation` ended; nothing if the lease was lost meanwhile."""
    with database.transaction() as session:
        row = session.get(kind, row_id, with_for_update=True)
        if row is None or row.lease_owner != owner:
            return
        row.lease_owner, row.lease_until = "", None
        if outcome.gone:
            session.delete(row)
            return
        moment = now(session)
        _contact(session, row, outcome, moment)
        if row.generation != generation:
            return  # changed meanwhile: it is due already, and what was found is of the past
        failed = outcome.again_seconds is None
        row.attempts = row.attempts + 1 if failed else 0
        row.state, row.message = outcome.state, outcome.message[:2000]
        pause = min(backoff(row.attempts), outcome.at_most_seconds) if failed else outcome.again_seconds
        row.next_attempt_at = moment + timedelta(seconds=pause or 0)
        if outcome.synced:
            row.synced_generation = generation


def backoff(attempts: int) -> float:
    """Seconds until the next attempt after so many failures, spread so that many rows do not come at once."""
    return min(MAX_BACKOFF_SECONDS, 2.0 ** min(attempts - 1, 10)) * random.uniform(0.8, 1.2)  # noqa: S311 - no secret


def _contact(session: Session, row: Synced, outcome: Outcome, moment: datetime) -> None:
    """Keep the book of the row's cluster: whether it answers, and since when the platform is in it."""
    if outcome.unreachable:
        until = moment + timedelta(seconds=backoff(row.attempts + 1))
        cluster_id = _cluster_id(row)
        session.execute(update(Cluster).where(Cluster.id == cluster_id).values(contact_after=until))
    elif isinstance(row, Cluster):
        first = outcome.installed and row.installed_at is None
        if first:
            row.installed_at = moment
        if first or row.contact_after is not None:
            row.contact_after = None
            for kind in (Tenant, Project):  # they waited for this
                waiting = update(kind).where(kind.cluster_id == row.id, kind.state != "ready")
                session.execute(
                    waiting.values(next_attempt_at=moment), execution_options={"synchronize_session": False}
                )


def _cluster_id(row: Synced) -> str:
    return row.cluster_id if isinstance(row, Tenant | Project) else row.id


def _due(kind: Kind, moment: datetime) -> Select[Any]:
    query: Select[Any] = select(kind).where(
        kind.next_attempt_at <= moment, or_(kind.lease_until.is_(None), kind.lease_until < moment)
    )
    if issubclass(kind, Tenant | Project):
        query = query.join(Cluster, Cluster.id == kind.cluster_id).where(
            or_(Cluster.contact_after.is_(None), Cluster.contact_after <= moment),
            or_(Cluster.installed_at.is_not(None), Cluster.auto_bootstrap.is_(False)),
        )
    return query.order_by(kind.next_attempt_at).with_for_update(skip_locked=True, of=kind)
