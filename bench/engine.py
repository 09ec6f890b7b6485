"""Apply a JSON list of objects with the library and print what it cost: `engine.py KUBECONFIG FILE FIELD_MANAGER`."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from kubeop.kube.apply import apply
from kubeop.kube.client import Client


def main() -> None:
    kubeconfig, path, manager = sys.argv[1:]
    objects = json.loads(Path(path).read_text())
    with Client.from_kubeconfig(kubeconfig) as client:
        began, cpu = time.perf_counter(), _cpu()
        result = apply(client, objects, field_manager=manager)
        cost = {
            "seconds": time.perf_counter() - began,
            "cpu_seconds": _cpu() - cpu,
            "peak_mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "summary": result.summary(),
        }
    sys.stdout.write(json.dumps(cost))


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
