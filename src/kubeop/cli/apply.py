"""`kubeop apply`: manifests from files, folders or standard input to one cluster."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from kubeop import names
from kubeop.errors import ApplyFailed, ApplyInterrupted, InputError, KubeopError
from kubeop.kube import files
from kubeop.kube.apply import ApplyResult, Change, Prune, apply
from kubeop.kube.client import Client
from kubeop.kube.wait import wait_applied

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
        str,
        typer.Option(help="Also delete objects with this label, in the whole cluster, that are not in the manifests."),
    ] = "",
    prune_namespace: Annotated[
        list[str] | None, typer.Option(help="Delete in this namespace only; may be given more than once.")
    ] = None,
    prune_kind: Annotated[
        list[str] | None,
        typer.Option(help="Delete this kind only, such as apps/v1/Deployment; may be given more than once."),
    ] = None,
    force_conflicts: Annotated[
        bool, typer.Option("--force-conflicts", help="Take fields over from other managers.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until everything is ready.")] = False,
    timeout_seconds: Annotated[float, typer.Option(help="How long to wait, with --wait.", min=1)] = 300,
    request_timeout_seconds: Annotated[
        float, typer.Option(help="How long the API server may take for one answer.", min=1)
    ] = 30,
    workers: Annotated[int, typer.Option(help="Requests at a time.", min=1, max=64)] = 8,
) -> None:
    """Apply manifests to a cluster: only what differs is sent, and a second run changes nothing."""
    manifests = read(filename)
    if not manifests.objects and not manifests.faults:
        raise InputError(f"There is no object in {', '.join(filename)}.", hint="Give a file with manifests.")
    prune = Prune.asked(prune_label, prune_namespace, prune_kind)
    screen = Console(stderr=True)
    with Client.from_kubeconfig(kubeconfig, context, request_timeout_seconds, connections=workers) as client:
        try:
            result = _applied(client, manifests, screen, dry_run, force_conflicts, prune, workers)
        except (ApplyFailed, ApplyInterrupted) as error:
            if isinstance(error.result, ApplyResult) and error.result.changes:
                _show(error.result, diff=diff)
            raise _told(error) from None
        _show(result, diff=diff)
        if wait and not dry_run:
            with screen.status("Waiting until everything is ready"):
                wait_applied(client, result, timeout_seconds)
            sys.stdout.write("Everything is ready.\n")


def read(names_given: Sequence[str]) -> files.Manifests:
    """What is in files, in folders' files, or on standard input (`-`), and why the rest cannot be read."""
    manifests = files.Manifests()
    for name in names_given:
        if name == "-":
            manifests.add_text(sys.stdin.read(), "standard input")
        else:
            manifests.add(name)
    return manifests


def _told(error: ApplyFailed | ApplyInterrupted) -> KubeopError:
    """Write a line for each failure, and give the error that sums them up; of one alone that one."""
    if isinstance(error, ApplyFailed) and len(error.failures) == 1:
        return error
    for failure in error.failures:
        sys.stderr.write(f"! {failure}\n")
    return error.summary


def _applied(
    client: Client,
    manifests: files.Manifests,
    screen: Console,
    dry_run: bool,
    force: bool,
    prune: Prune | None,
    workers: int,
) -> ApplyResult:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("Applying" if not dry_run else "Checking", total=len(manifests.objects))

        def progress(_change: Change, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        return apply(
            client,
            manifests.objects,
            field_manager=names.FIELD_MANAGER_CLI,
            force=force,
            dry_run=dry_run,
            prune=prune,
            progress=progress,
            workers=workers,
            unread=manifests.faults,
        )


def _show(result: ApplyResult, *, diff: bool) -> None:
    for change in result.changes:
        if change.action != "unchanged":
            note = f" ({change.note})" if change.note else ""
            sys.stdout.write(f"{_MARKS[change.action]} {change}{note}\n")
    if diff:
        sys.stdout.write(result.unified_diff())
    sys.stdout.write(f"{result.summary()}{' (dry run)' if result.dry_run else ''}\n")
