"""Alembic's entry: runs on the connection that `kubeop.manager.migrate` gives it."""

from __future__ import annotations

from alembic import context

from kubeop.manager.storage.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
