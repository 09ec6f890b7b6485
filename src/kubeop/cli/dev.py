"""`kubeop dev`: embedded clusters on this machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import rich.console
import rich.table
import typer

from kubeop import devcluster
from kubeop.devcluster import builds, packages
from kubeop.devcluster.progress import Console

app = typer.Typer(help="Embedded clusters on this machine.", no_args_is_help=True, add_completion=False)

Name = Annotated[str, typer.Option("--name", help="The cluster's name.")]
Assets = Annotated[
    Path | None,
    typer.Option("--assets", help="A folder with ready binaries (else KUBEBUILDER_ASSETS, the cache, a build)."),
]


@app.command()
def up(name: Name = devcluster.DEFAULT_NAME, assets: Assets = None) -> None:
    """Start a cluster, or repair the one that is there."""
    begin = time.monotonic()
    cluster = devcluster.up(name, assets=assets, report=Console.stderr())
    typer.echo(f"The cluster {name} is ready after {time.monotonic() - begin:.1f} s: KUBECONFIG={cluster.kubeconfig}")


@app.command()
def down(name: Name = devcluster.DEFAULT_NAME) -> None:
    """Stop a cluster and remove all of it, data included."""
    existed = devcluster.down(name, report=Console.stderr())
    typer.echo(f"The cluster {name} is gone." if existed else f"There was no cluster {name}.")


@app.command()
def status(name: Name = devcluster.DEFAULT_NAME) -> None:
    """Show what of a cluster runs; exit code 3 if not all of it does."""
    found = devcluster.status(name)
    if not found.exists:
        typer.echo(f"There is no cluster {name}.")
        raise typer.Exit(3)
    table = rich.table.Table("component", "state", "pid", title=f"{name} at {found.node_address}", title_justify="left")
    for component in found.components:
        table.add_row(component.name, "running" if component.running else "not running", str(component.pid or "-"))
    table.add_row("node", "Ready" if found.node_ready else "not Ready", "-")
    rich.console.Console().print(table)
    if not found.healthy:
        raise typer.Exit(3)


@app.command("load-image")
def load_image(
    archives: Annotated[list[Path], typer.Argument(help="OCI archives.", metavar="ARCHIVE…")],
    name: Name = devcluster.DEFAULT_NAME,
) -> None:
    """Load images into a cluster and print their references; one that is there already is skipped."""
    for archive in archives:
        for reference, new in devcluster.load_image(name, archive):
            typer.echo(reference)
            typer.echo("  loaded" if new else "  was there already", err=True)


@app.command()
def kubeconfig(name: Name = devcluster.DEFAULT_NAME) -> None:
    """Print the path of the administrator's kubeconfig."""
    typer.echo(devcluster.get(name).kubeconfig)


@app.command("database-url")
def database_url(name: Name = devcluster.DEFAULT_NAME) -> None:
    """Print the URL of the cluster's PostgreSQL. It holds the password."""
    typer.echo(devcluster.get(name).database_url)


@app.command()
def binaries(assets: Assets = None) -> None:
    """Build the binaries that are not there yet, and print where they all are."""
    for path in builds.provide(Console.stderr(), assets).paths.values():
        typer.echo(path)


@app.command("packages")
def packages_(
    install: Annotated[bool, typer.Option("--install", help="Install them with apt-get.")] = False,
) -> None:
    """Print the Debian packages that are missing, one a line; install them if asked."""
    for package in packages.install() if install else packages.missing():
        typer.echo(package)
