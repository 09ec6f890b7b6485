"""`kubeop manager`: serve the API, or migrate its database."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeop.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The manager's API and its database.")


@app.command()
def serve() -> None:
    """Serve the API until SIGTERM; every setting comes from the environment (KUBEOP_*)."""
    from kubeop.manager import server  # here, so that `migrate` starts without the web framework

    server.serve(Settings.from_env())


@app.command()
def migrate(
    timeout_seconds: Annotated[
        float, typer.Option(min=0, help="How long to wait for a database that is starting or being migrated.")
    ] = 120.0,
) -> None:
    """Bring the database of KUBEOP_DB_URL to the schema of this version. Safe to repeat and to run twice at once."""
    from kubeop.manager import migrate as migrations

    before, after = migrations.migrate(Settings.from_env().db_url, timeout_seconds=timeout_seconds, progress=typer.echo)
    typer.echo(f"The schema is at revision {after}{'' if before != after else ' already'}.")
