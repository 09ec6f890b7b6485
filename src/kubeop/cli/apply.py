"""`kubeop apply`: manifests from files, folders or standard input to one cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from kubeop import names
from kubeop.errors import ApplyFailed, InputError
from kubeop.kube import files
from kubeop.kube.apply import ApplyResult, Change, Prune, apply
from kubeop.kube.client import Client
from kubeop.kube.wait import wait_ready

app = typer.Typer(add_completion=False)

_MARKS = {"create": "+", "update": "~", "delete": "-", "unchanged": "="}


@app.command(name="apply")
def run(
    filename: Annotated[
        list[str], typer.Option("--filename", "-f", help="A file, a folder, a kustomization, or - for standard input.")
    ],
    kubeconfig: Annotated[str, typer.Option(help="The kubeconfig; $KUBECONFIG or ~/.kube/config unless given.")] = "",
    context: Annotated[str, typer.Option(help="The kubeconfig's context; the current one unless given.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, say what would change.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what changes, secrets hidden.")] = False,
    prune_label: Annotated[
        str, typer.Option(help="Also delete objects with this label that are not in the manifests.")
    ] = "",
    force_conflicts: Annotated[
        bool, typer.Option("--force-conflicts", help="Take fields over from other managers.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until everything is ready.")] = False,
    timeout_seconds: Annotated[float, typer.Option(help="How long to wait, with --wait.", min=1)] = 300,
    workers: Annotated[int, typer.Option(help="Requests at a time.", min=1, max=64)] = 8,
) -> None:
    """Apply manifests to a cluster: only what differs is sent, and a second run changes nothing."""
    objects = [obj for name in filename for obj in read(name)]
    if not objects:
        raise InputError(f"There is no object in {', '.join(filename)}.", hint="Give a file with manifests.")
    prune = Prune(prune_label) if prune_label else None
    screen = Console(stderr=True)
    with Client.from_kubeconfig(kubeconfig, context, connections=workers) as client:
        try:
            result = _applied(client, objects, screen, dry_run, force_conflicts, prune, workers)
        except ApplyFailed as error:
            if isinstance(error.result, ApplyResult):
                _show(error.result, diff=diff)
            raise
        _show(result, diff=diff)
        if wait and not dry_run:
            with screen.status("Waiting until everything is ready"):
                wait_ready(client, objects, timeout_seconds)
            sys.stdout.write("Everything is ready.\n")


def read(name: str) -> Iterator[dict[str, Any]]:
    """The objects in a file, in a folder's files, or on standard input (`-`). Raises InputError."""
    if name == "-":
        return files.documents(sys.stdin.read(), "standard input")
    return files.read(name)


def _applied(
    client: Client,
    objects: list[dict[str, Any]],
    screen: Console,
    dry_run: bool,
    force: bool,
    prune: Prune | None,
    workers: int,
) -> ApplyResult:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("Applying" if not dry_run else "Checking", total=len(objects))

        def progress(_change: Change, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        return apply(
            client,
            objects,
            field_manager=names.FIELD_MANAGER_CLI,
            force=force,
            dry_run=dry_run,
            prune=prune,
            progress=progress,
            workers=workers,
        )


def _show(result: ApplyResult, *, diff: bool) -> None:
    for change in result.changes:
        if change.action != "unchanged":
            note = f" ({change.note})" if change.note else ""
            sys.stdout.write(f"{_MARKS[change.action]} {change}{note}\n")
    if diff:
        sys.stdout.write(result.unified_diff())
    sys.stdout.write(f"{result.summary()}{' (dry run)' if result.dry_run else ''}\n")
