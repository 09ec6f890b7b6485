"""The audit log: one entry a write, in the write's own transaction, so that neither exists without the other.

A write that is refused leaves an entry too, in a transaction of its own. Entries hold names and ids, never content.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from kubeop.errors import CryptoError, DatabaseError
from kubeop.manager.auth import Caller
from kubeop.manager.problems import Problem
from kubeop.manager.storage.database import Database
from kubeop.manager.storage.models import AuditEntry
from kubeop.telemetry import logs


@dataclass(frozen=True)
class Trail:
    """Who wants to do what to which kind of record; `reference` is what the request calls it."""

    caller: Caller
    action: str
    kind: str
    reference: str

    def entry(self, target_id: str, outcome: str, status: int, details: Mapping[str, Any]) -> AuditEntry:
        """The row that says how it ended."""
        return AuditEntry(
            subject=self.caller.subject[:255],
            role=self.caller.role,
            action=self.action,
            target_kind=self.kind,
            target_id=target_id[:255],
            request_id=self.caller.request_id,
            outcome=outcome,
            status=status,
            details=dict(details),
        )


def record(session: Session, trail: Trail, target_id: str, *, changed: bool = True, **details: Any) -> None:
    """Add the entry of a write that succeeds with this transaction."""
    session.add(trail.entry(target_id, "done" if changed else "unchanged", 200, details))


@contextmanager
def refusals(database: Database, trail: Trail, *, dry_run: bool = False) -> Iterator[None]:
    """Record that the write in this block was refused, and let the refusal go on to the caller."""
    try:
        yield
    except (Problem, CryptoError) as error:
        status, kind = (error.status, error.kind) if isinstance(error, Problem) else (503, "keys")
        if not dry_run:
            try:
                with database.transaction() as session:
                    session.add(trail.entry(trail.reference, "refused", status, {"problem": kind}))
            except DatabaseError as failure:
                logs.get_logger("manager").warning("a refused write is not in the audit log", reason=str(failure))
        raise
