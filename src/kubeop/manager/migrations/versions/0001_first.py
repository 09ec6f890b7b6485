"""The first schema."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def moment() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def synced() -> list[sa.Column[Any]]:
    return [
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("synced_generation", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", moment(), nullable=False),
        sa.Column("lease_owner", sa.String(length=64), nullable=False),
        sa.Column("lease_until", moment(), nullable=True),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("updated_at", moment(), nullable=False),
    ]


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("at", moment(), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("target_kind", sa.String(length=32), nullable=False),
        sa.Column("target_id", sa.String(length=255), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
    )
    op.create_index("ix_audit_log_at", "audit_log", ["at"])
    op.create_index("ix_audit_log_target_kind_target_id", "audit_log", ["target_kind", "target_id"])

    op.create_table(
        "kms_keys",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("first_used_at", moment(), nullable=False),
        sa.Column("retired_at", moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_kms_keys"),
    )
    op.create_table(
        "data_keys",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kms_key_id", sa.String(length=64), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("rewrapped_at", moment(), nullable=True),
        sa.ForeignKeyConstraint(["kms_key_id"], ["kms_keys.id"], name="fk_data_keys_kms_key_id"),
        sa.PrimaryKeyConstraint("id", name="pk_data_keys"),
    )
    op.create_index("ix_data_keys_kms_key_id", "data_keys", ["kms_key_id"])

    op.create_table(
        "clusters",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("kubeconfig", sa.LargeBinary(), nullable=False),
        sa.Column("kubeconfig_version", sa.Integer(), nullable=False),
        sa.Column("data_key_id", sa.String(length=64), nullable=False),
        sa.Column("auto_bootstrap", sa.Boolean(), nullable=False),
        sa.Column("install_admission", sa.Boolean(), nullable=False),
        sa.Column("installed_at", moment(), nullable=True),
        sa.Column("contact_after", moment(), nullable=True),
        *synced(),
        sa.ForeignKeyConstraint(["data_key_id"], ["data_keys.id"], name="fk_clusters_data_key_id"),
        sa.PrimaryKeyConstraint("id", name="pk_clusters"),
        sa.UniqueConstraint("name", name="uq_clusters_name"),
    )
    op.create_index("ix_clusters_next_attempt_at", "clusters", ["next_attempt_at"])

    op.create_table(
        "tenants",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("cluster_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("quota_cpu", sa.String(length=64), nullable=True),
        sa.Column("quota_memory", sa.String(length=64), nullable=True),
        sa.Column("quota_pods", sa.Integer(), nullable=True),
        sa.Column("deleted_at", moment(), nullable=True),
        *synced(),
        sa.ForeignKeyConstraint(["cluster_id"], ["clusters.id"], name="fk_tenants_cluster_id"),
        sa.PrimaryKeyConstraint("id", name="pk_tenants"),
        sa.UniqueConstraint("cluster_id", "name", name="uq_tenants_cluster_id_name"),
    )
    op.create_index("ix_tenants_next_attempt_at", "tenants", ["next_attempt_at"])

    op.create_table(
        "projects",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("cluster_id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("quota_cpu", sa.String(length=64), nullable=True),
        sa.Column("quota_memory", sa.String(length=64), nullable=True),
        sa.Column("quota_pods", sa.Integer(), nullable=True),
        sa.Column("deleted_at", moment(), nullable=True),
        *synced(),
        sa.ForeignKeyConstraint(["cluster_id"], ["clusters.id"], name="fk_projects_cluster_id"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_projects_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
        sa.UniqueConstraint("cluster_id", "namespace", name="uq_projects_cluster_id_namespace"),
        sa.UniqueConstraint("tenant_id", "name", name="uq_projects_tenant_id_name"),
    )
    op.create_index("ix_projects_next_attempt_at", "projects", ["next_attempt_at"])
    op.create_index("ix_projects_tenant_id", "projects", ["tenant_id"])
