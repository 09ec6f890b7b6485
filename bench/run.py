"""Run benchmarks on an embedded cluster, print a table, and keep the figures in bench/results/<name>.json.

`python bench/run.py [--only NAME]`. KUBEOP_TEST_CLUSTER names a running embedded cluster to use and leave running;
otherwise a cluster is started for the run and removed after it.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent))  # the benchmarks are files beside this one, not a package

from record import Row

from kubeop import devcluster
from kubeop.errors import KubeopError

BENCHMARKS = ("baseline",)
CLUSTER = "kubeop-bench"
RESULTS = Path(__file__).resolve().parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure, beside a peer in the same run.")
    parser.add_argument("--only", choices=BENCHMARKS, help="run this one alone")
    only = parser.parse_args().only
    console = Console(width=140 if not sys.stdout.isatty() else None)
    try:
        with cluster() as kubeconfig:
            for name in (only,) if only else BENCHMARKS:
                with tempfile.TemporaryDirectory(prefix="kubeop-bench-") as work:
                    rows = importlib.import_module(name).measure(kubeconfig, Path(work))
                show(console, name, rows)
                keep(name, rows)
    except (KubeopError, RuntimeError) as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    return 0


@contextlib.contextmanager
def cluster() -> Iterator[Path]:
    """The kubeconfig of the cluster to measure on."""
    named = os.environ.get("KUBEOP_TEST_CLUSTER")
    if named:
        yield devcluster.get(named).kubeconfig
        return
    started = devcluster.up(CLUSTER)
    try:
        yield started.kubeconfig
    finally:
        devcluster.down(CLUSTER)


def show(console: Console, name: str, rows: list[Row]) -> None:
    table = Table(title=f"Benchmark {name}", title_justify="left")
    for heading in ("what", "kubeop", "peer", "peer's", "ratio", "goal", "met"):
        table.add_column(heading, justify="left" if heading in ("what", "peer", "goal", "met") else "right")
    for row in rows:
        met = {None: "", True: "[green]yes[/]", False: "[red]no[/]"}[row.met]
        peer_value = "" if row.peer_value is None else f"{row.peer_value:g} {row.unit}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        table.add_row(row.name, f"{row.value:g} {row.unit}", row.peer, peer_value, ratio, row.goal_text or "", met)
    console.print(table)


def keep(name: str, rows: list[Row]) -> None:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps([row.as_json() for row in rows], indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(f"The figures are in {path}.\n")


if __name__ == "__main__":
    sys.exit(main())
