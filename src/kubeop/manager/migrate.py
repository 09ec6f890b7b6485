"""Bring the database's schema to the version that this code expects, and say whether it is there.

Safe to run twice and to run at once from several places: an advisory lock lets one at a time in, and a run that finds
nothing to do does nothing. All of an upgrade is one transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from kubeop.errors import DatabaseError
from kubeop.manager.storage.database import HINT_DOWN, database_url, describe

_LOCK = 0x6B75_6265_6F70  # "kubeop": the number of the advisory lock
_POLL_SECONDS = 0.5


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("kubeop.manager") / "migrations"))
    config.attributes["connection"] = connection
    return config


@cache
def head() -> str:
    """The revision that this version of the manager expects."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise DatabaseError("This installation of kubeop has no migrations.", hint="Install it again.")
    return revision


def current(session: Session) -> str:
    """The revision that the database is at; empty when it has no schema."""
    return MigrationContext.configure(session.connection()).get_current_revision() or ""


def expect(revision: str) -> None:
    """Raise DatabaseError unless a database's revision is the one that this version of the manager works with."""
    if revision != head():
        raise DatabaseError(
            f"The database's schema is at revision {revision or 'nothing'}, and this version expects {head()}.",
            hint="Run `kubeop manager migrate`.",
        )


def migrate(
    db_url: str, *, timeout_seconds: float = 120, progress: Callable[[str], None] = lambda _text: None
) -> tuple[str, str]:
    """Upgrade to `head()`, waiting up to `timeout_seconds` for a database that is starting or being migrated.

    Answers the revisions before and after. Raises DatabaseError that says in one sentence what stands in the way.
    """
    url = database_url(db_url)
    deadline = time.monotonic() + timeout_seconds
    options = {} if url.get_backend_name() == "sqlite" else {"connect_timeout": 5, "application_name": "kubeop-migrate"}
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=options)
    try:
        with _connection(engine.connect, describe(url), deadline, progress) as connection, connection.begin():
            _lock(connection, describe(url), deadline, progress)
            before = MigrationContext.configure(connection).get_current_revision() or ""
            _known(before, describe(url))
            if before != head():
                progress(f"Migrating the {describe(url)} from {before or 'nothing'} to {head()}.")
                command.upgrade(_config(connection), "head")
            return before, head()
    except SQLAlchemyError as error:
        raise DatabaseError(
            f"The migration of the {describe(url)} failed: {_first_line(error)}.", hint="Nothing was changed."
        ) from error
    finally:
        engine.dispose()


@contextmanager
def _connection(
    connect: Callable[[], Connection], where: str, deadline: float, progress: Callable[[str], None]
) -> Iterator[Connection]:
    said = False
    while True:
        try:
            connection = connect()
            break
        except OperationalError as error:
            reason = _first_line(error)
            if time.monotonic() >= deadline or _final(reason):
                raise DatabaseError(f"The {where} cannot be reached: {reason}.", hint=HINT_DOWN) from error
            if not said:
                progress(f"Waiting for the {where}: {reason}.")
                said = True
            time.sleep(_POLL_SECONDS)
    with connection:
        yield connection


def _lock(connection: Connection, where: str, deadline: float, progress: Callable[[str], None]) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # locks the file
        return
    said = False
    while not connection.execute(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}).scalar_one():
        if time.monotonic() >= deadline:
            raise DatabaseError(f"The {where} is still being migrated by another process.", hint="Look at its log.")
        if not said:
            progress(f"Waiting for another process that migrates the {where}.")
            said = True
        time.sleep(_POLL_SECONDS)


def _known(revision: str, where: str) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision and revision not in known:
        raise DatabaseError(
            f"The {where} is at revision {revision!r}, which this version of kubeop does not know.",
            hint="It was migrated by a newer version: run that version.",
        )


def _first_line(error: SQLAlchemyError) -> str:
    original = error.orig if isinstance(error, DBAPIError) else error
    return (str(original).strip().splitlines() or ["no reason given"])[0].rstrip(".")


def _final(reason: str) -> bool:
    """Whether waiting cannot help: a wrong password, user or database name does not mend itself."""
    return any(words in reason for words in ("authentication failed", "does not exist", "no pg_hba.conf entry"))
