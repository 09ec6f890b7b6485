"""The tables, as SQLAlchemy classes. Migrations build them; a test proves that both agree.

A cluster's address and credentials exist only inside the `kubeconfig` envelope, never in a column of their own.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, Index, LargeBinary, MetaData, String, Text, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


def utc_now() -> datetime:
    """The time now, with its zone."""
    return datetime.now(UTC)


def new_id() -> str:
    """A fresh random identifier."""
    return str(uuid.uuid4())


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite forgets the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - theirs
        """Turn any moment into UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - theirs
        """Give the moment back with its zone."""
        if value is None:
            return None
        moment: datetime = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return moment


class Base(DeclarativeBase):
    """The root of all tables. Constraints have fixed names, so that migrations can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: String(255), datetime: UtcDateTime()}  # noqa: RUF012 - SQLAlchemy's own way


class Synced(Base):
    """The columns of a row that the reconcile loop carries into a cluster.

    `generation` counts the wishes, `synced_generation` is the last one that reached the cluster. The row is due at
    `next_attempt_at`. A replica that works on it holds it until `lease_until`, and extends that while it lives.
    """

    __abstract__ = True

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    state: Mapped[str] = mapped_column(String(32), default="pending")
    message: Mapped[str] = mapped_column(Text, default="")
    generation: Mapped[int] = mapped_column(default=1)
    synced_generation: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    lease_owner: Mapped[str] = mapped_column(String(64), default="")
    lease_until: Mapped[datetime | None] = mapped_column(default=None)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)


class Cluster(Synced):
    """A registered cluster. `kubeconfig` is an envelope; `kubeconfig_version` is bound into it.

    `installed_at`: when the platform's objects were first applied. No contact is tried before `contact_after`,
    so that one dead cluster does not keep the workers from the others.
    """

    __tablename__ = "clusters"

    name: Mapped[str] = mapped_column(String(63), unique=True)
    kubeconfig: Mapped[bytes] = mapped_column(LargeBinary)
    kubeconfig_version: Mapped[int] = mapped_column(default=1)
    data_key_id: Mapped[str] = mapped_column(ForeignKey("data_keys.id"))
    auto_bootstrap: Mapped[bool] = mapped_column(default=True)
    install_admission: Mapped[bool] = mapped_column(default=True)
    labels: Mapped[dict[str, str]] = mapped_column(JSON, default=dict, server_default="{}")
    installed_at: Mapped[datetime | None] = mapped_column(default=None)
    contact_after: Mapped[datetime | None] = mapped_column(default=None)


class Tenant(Synced):
    """A tenant of one cluster. With `deleted_at` set it only waits for the cluster to confirm its deletion."""

    __tablename__ = "tenants"
    __table_args__ = (UniqueConstraint("cluster_id", "name"),)

    cluster_id: Mapped[str] = mapped_column(ForeignKey("clusters.id"))
    name: Mapped[str] = mapped_column(String(63))
    quota_cpu: Mapped[str | None] = mapped_column(String(64), default=None)
    quota_memory: Mapped[str | None] = mapped_column(String(64), default=None)
    quota_pods: Mapped[int | None] = mapped_column(default=None)
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)


class Project(Synced):
    """A project of one tenant, and the namespace it becomes. `deleted_at` as for tenants."""

    __tablename__ = "projects"
    __table_args__ = (UniqueConstraint("tenant_id", "name"), UniqueConstraint("cluster_id", "namespace"))

    cluster_id: Mapped[str] = mapped_column(ForeignKey("clusters.id"))
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    name: Mapped[str] = mapped_column(String(63))
    namespace: Mapped[str] = mapped_column(String(63))
    quota_cpu: Mapped[str | None] = mapped_column(String(64), default=None)
    quota_memory: Mapped[str | None] = mapped_column(String(64), default=None)
    quota_pods: Mapped[int | None] = mapped_column(default=None)
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)


class KmsKey(Base):
    """A key-encryption key that was seen in KUBEOP_KMS_MASTER_KEY: its id and whether it is retired, never the key."""

    __tablename__ = "kms_keys"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    first_used_at: Mapped[datetime] = mapped_column(default=utc_now)
    retired_at: Mapped[datetime | None] = mapped_column(default=None)


class DataKey(Base):
    """A data key, wrapped by the KMS key named in `kms_key_id`."""

    __tablename__ = "data_keys"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kms_key_id: Mapped[str] = mapped_column(ForeignKey("kms_keys.id"), index=True)
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    rewrapped_at: Mapped[datetime | None] = mapped_column(default=None)


class AuditEntry(Base):
    """One write: who did what to which record, when, in which request, and how it ended. Holds no secret."""

    __tablename__ = "audit_log"
    __table_args__ = (Index(None, "target_kind", "target_id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    subject: Mapped[str]
    role: Mapped[str] = mapped_column(String(32))
    action: Mapped[str] = mapped_column(String(64))
    target_kind: Mapped[str] = mapped_column(String(32))
    target_id: Mapped[str]
    request_id: Mapped[str] = mapped_column(String(128))
    outcome: Mapped[str] = mapped_column(String(32))
    status: Mapped[int]
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
