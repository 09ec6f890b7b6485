"""The way to the database, PostgreSQL or SQLite, with an end to every wait.

A database that is down, frozen or behind a dead network must cost a request no more than `timeout_ms`: connections are
taken by threads of the pool's own, and who asked for one stops waiting at the deadline. A connection that arrives too
late goes back to the pool, so that the service recovers by itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from kubeop.errors import DatabaseError, InputError

HINT_DOWN = "Start it or correct KUBEOP_DB_URL; the manager goes on by itself as soon as the database answers."


def default_sqlite_path() -> Path:
    """Where `kubeop manager serve` alone keeps its database: the user's data folder."""
    base = os.environ.get("XDG_DATA_HOME") or Path("~/.local/share").expanduser()
    return Path(base) / "kubeop" / "manager.db"


def database_url(db_url: str) -> URL:
    """The URL for SQLAlchemy of what KUBEOP_DB_URL says; empty means SQLite in the user's data folder.

    Raises InputError, which never repeats the URL: it may hold a password.
    """
    if not db_url:
        path = default_sqlite_path()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"KUBEOP_DB_URL is not set and {path.parent} cannot be made: {error.strerror}.",
                hint="Set KUBEOP_DB_URL to a PostgreSQL or SQLite URL.",
            ) from error
        return URL.create("sqlite", database=str(path))
    try:
        url = make_url(db_url)
    except (ArgumentError, ValueError) as error:
        raise InputError(
            "KUBEOP_DB_URL is not a database URL.", hint="Use postgresql://USER:PASSWORD@HOST/NAME."
        ) from error
    if url.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername in ("sqlite", "sqlite+pysqlite"):
        return url
    raise InputError(
        f"KUBEOP_DB_URL names the database {url.drivername!r}, which the manager cannot use.",
        hint="Use postgresql:// in production, or sqlite:/// for a manager on its own.",
    )


def describe(url: URL) -> str:
    """The database in words for messages, without user and password."""
    if url.get_backend_name() == "sqlite":
        return f"SQLite file {url.database or ':memory:'}"
    return f"PostgreSQL database {url.database!r} at {url.host or 'the local socket'}:{url.port or 5432}"


class Database:
    """Sessions on one database, each a transaction. `max_open`: connections. `timeout_ms`: for a connection, for a
    statement and for a lock, each.
    """

    def __init__(self, db_url: str, *, max_open: int = 10, timeout_ms: int = 2000) -> None:
        self.url = database_url(db_url)
        self.timeout_seconds = timeout_ms / 1000
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite(self.url, timeout_ms) if self.is_sqlite else _postgresql(self.url, max_open, timeout_ms)
        self._sessions = sessionmaker(expire_on_commit=False)
        self._connectors = ThreadPoolExecutor(max_open, thread_name_prefix="database")

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that commits at the end of the block and rolls back on any error.

        Raises DatabaseError when the database does not answer, refuses, or has another schema.
        """
        try:
            with self._connect() as connection, self._sessions(bind=connection) as session, session.begin():
                yield session
        except SQLAlchemyError as error:
            translated = self._translate(error)
            if translated is None:
                raise
            raise translated from error

    def close(self) -> None:
        """Give every connection back."""
        self._connectors.shutdown(wait=False, cancel_futures=True)
        self.engine.dispose()

    def _connect(self) -> Connection:
        future = self._connectors.submit(self.engine.connect)
        try:
            return future.result(self.timeout_seconds)
        except FutureTimeout as error:
            if not future.cancel():
                future.add_done_callback(_give_back)
            raise DatabaseError(
                f"The {describe(self.url)} did not answer within {self.timeout_seconds:g} s.", hint=HINT_DOWN
            ) from error

    def _translate(self, error: SQLAlchemyError) -> DatabaseError | None:
        if isinstance(error, PoolTimeout):
            return DatabaseError(
                f"All connections to the {describe(self.url)} are in use.", hint="Raise KUBEOP_DB_MAX_OPEN or retry."
            )
        if isinstance(error, DBAPIError) and (_sqlstate(error) == "42P01" or "no such table" in str(error.orig)):
            return DatabaseError(
                f"The {describe(self.url)} has no schema of the manager.", hint="Run `kubeop manager migrate`."
            )
        if isinstance(error, DBAPIError) and _is_outage(error):
            return DatabaseError(f"The {describe(self.url)} does not answer.", hint=HINT_DOWN)
        return None


def _give_back(future: Future[Connection]) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().close()


def _sqlstate(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _is_outage(error: DBAPIError) -> bool:
    # Class 08: connection; 53: out of resources; 55P03 and 57xxx: a lock or statement timeout, a shutdown; 28 and 3D:
    # refused or gone. An OperationalError without any code comes from the socket, before the server said anything.
    state = _sqlstate(error)
    if error.connection_invalidated or state.startswith(("08", "53", "57", "28", "3D")) or state == "55P03":
        return True
    return not state and type(error).__name__ in ("OperationalError", "InterfaceError")


def _postgresql(url: URL, max_open: int, timeout_ms: int) -> Engine:
    options: dict[str, Any] = {
        "connect_timeout": max(2, -(-timeout_ms // 1000)),  # whole seconds, and libpq takes no less than two
        "options": f"-c statement_timeout={timeout_ms} -c lock_timeout={timeout_ms} -c timezone=UTC",
        "tcp_user_timeout": timeout_ms,
        "keepalives_idle": 30,
        "application_name": "kubeop-manager",
    }
    return create_engine(
        url,
        pool_size=max_open,
        max_overflow=0,
        pool_timeout=timeout_ms / 1000,
        pool_pre_ping=True,
        pool_recycle=1800,
        hide_parameters=True,
        connect_args=options,
    )


def _sqlite(url: URL, timeout_ms: int) -> Engine:
    engine = create_engine(url, hide_parameters=True, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, at once as writers
        for pragma in (f"busy_timeout={timeout_ms}", "journal_mode=WAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # SQLite has no row locks: the whole database is the lock that FOR UPDATE takes in PostgreSQL.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def ping(session: Session) -> None:
    """Ask the database for an answer."""
    session.execute(text("SELECT 1"))
