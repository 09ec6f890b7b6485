"""Pages of a list: the same parameters and the same answer for every kind of record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from kubeop.manager.schemas import Page
from kubeop.manager.storage.models import Base

Row = TypeVar("Row", bound=Base)
Record = TypeVar("Record")

Limit = Annotated[int, Query(ge=1, le=1000, description="How many records a page holds at most.")]
Offset = Annotated[int, Query(ge=0, le=2**31, description="How many records to skip.")]
DryRun = Annotated[
    bool, Query(alias="dryRun", description="Check everything and say what would change, but change nothing.")
]


def page(
    session: Session,
    query: Select[Row],
    order: Sequence[Any],
    limit: int,
    offset: int,
    show: Callable[[Row], Record],
) -> Page[Record]:
    """One page of a query's records, in a fixed order."""
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = session.scalars(query.order_by(*order).limit(limit).offset(offset)).all()
    following = offset + len(rows)
    return Page(items=[show(row) for row in rows], total=total, next_offset=following if following < total else None)
