"""`kubeop webhook`: the admission webhook."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from kubeop import names
from kubeop.admission import serve as server
from kubeop.kube import kubeconfig as kubeconfigs
from kubeop.kube.client import Client
from kubeop.settings import Settings
from kubeop.telemetry import logs

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def webhook() -> None:
    """Judge what the API server asks about."""


@app.command()
def serve(
    kubeconfig: Annotated[
        Path | None, typer.Option(help="The cluster to follow; without it $KUBECONFIG, or the pod's own cluster.")
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = server.Options.host,
    port: Annotated[int, typer.Option(help="Where /validate, /mutate, /healthz and /readyz are, with TLS.")] = (
        names.ADMISSION_PORT
    ),
    metrics_port: Annotated[int, typer.Option(help="Where /metrics is; 0 takes a free port.")] = (
        names.ADMISSION_METRICS_PORT
    ),
    tls: Annotated[Path, typer.Option(help="The folder with tls.crt and tls.key.")] = server.Options.tls,
) -> None:
    """Serve until stopped."""
    settings = Settings.from_env()
    logs.configure("admission", settings.log_level)
    options = server.Options(host=host, port=port, metrics_port=metrics_port, tls=tls)
    raise typer.Exit(server.run(Client(_kubeconfig(kubeconfig)), options))


def _kubeconfig(path: Path | None) -> kubeconfigs.Kubeconfig:
    if path is not None:
        return kubeconfigs.load(path)
    if "KUBECONFIG" not in os.environ and "KUBERNETES_SERVICE_HOST" in os.environ:
        return kubeconfigs.in_cluster()
    return kubeconfigs.load()
