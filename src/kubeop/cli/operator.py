"""`kubeop operator`: the controllers for Tenant and Project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from kubeop import names
from kubeop.kube import kubeconfig as kubeconfigs
from kubeop.operator import process
from kubeop.operator.controllers import Options
from kubeop.settings import Settings
from kubeop.telemetry import logs

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def operator(
    kubeconfig: Annotated[
        Path | None, typer.Option(help="The cluster to run for; without it $KUBECONFIG, or the pod's own cluster.")
    ] = None,
    metrics_port: Annotated[int, typer.Option(help="Where /metrics is; 0 takes a free port.")] = (
        names.OPERATOR_METRICS_PORT
    ),
    health_port: Annotated[int, typer.Option(help="Where /healthz and /readyz are; 0 takes a free port.")] = (
        names.OPERATOR_HEALTH_PORT
    ),
    lease: Annotated[str, typer.Option(help="The Lease in kubeop-system that the leader holds.")] = (
        names.OPERATOR_LEASE
    ),
    workers: Annotated[int, typer.Option(help="Objects worked on at a time.", min=1, max=64)] = Options.workers,
    resync_seconds: Annotated[
        float, typer.Option(help="How often every object is looked at without a reason.", min=1)
    ] = Options.resync_seconds,
) -> None:
    """Keep every Tenant and Project as it should be, while this replica holds the Lease."""
    settings = Settings.from_env()
    logs.configure("operator", settings.log_level)
    code = process.run(
        _kubeconfig(kubeconfig),
        process.Settings(
            options=Options(workers=workers, resync_seconds=resync_seconds),
            lease=lease,
            metrics_port=metrics_port,
            health_port=health_port,
        ),
    )
    process.end_at_once(code)


def _kubeconfig(path: Path | None) -> kubeconfigs.Kubeconfig:
    if path is not None:
        return kubeconfigs.load(path)
    if "KUBECONFIG" not in os.environ and "KUBERNETES_SERVICE_HOST" in os.environ:
        return kubeconfigs.in_cluster()
    return kubeconfigs.load()
