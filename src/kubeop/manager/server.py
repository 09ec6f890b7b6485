"""`kubeop manager serve`: the application behind granian, one worker process, an orderly end on SIGTERM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from kubeop.manager import keyrings
from kubeop.manager.storage.database import database_url, describe
from kubeop.settings import Settings
from kubeop.telemetry import logs

if TYPE_CHECKING:
    from fastapi import FastAPI

_STOP_SECONDS = 20  # for requests that are under way when SIGTERM comes


def application() -> FastAPI:
    """The application of a worker process, from the environment."""
    from kubeop.manager.app import create_app  # in the worker: the process that watches over it needs none of this

    settings = Settings.from_env()
    logs.configure("manager", settings.log_level)
    return create_app(settings)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises KubeopError, before anything is started, for settings that cannot work."""
    logs.configure("manager", settings.log_level)
    log = logs.get_logger("manager")
    host, port = settings.listen_address()
    keyrings.read(settings)
    url = database_url(settings.db_url)
    if url.get_backend_name() == "sqlite":
        from kubeop.manager import migrate  # only here: with PostgreSQL a Job does it

        before, after = migrate.migrate(settings.db_url)
        log.warning(
            "KUBEOP_DB_URL names no PostgreSQL: a manager on its own, with SQLite, whose schema it migrates itself",
            database=describe(url),
            revision_before=before,
            revision=after,
        )
    log.info("serving", address=f"{host}:{port}", database=describe(url))
    server = Granian(
        "kubeop.manager.server:application",
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=1,
        factory=True,
        websockets=False,
        log_level=LogLevels.warning,
        log_access=False,
        respawn_failed_workers=False,
        workers_kill_timeout=_STOP_SECONDS,
    )
    server.serve()
    log.info("stopped")
