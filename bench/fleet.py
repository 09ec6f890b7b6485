"""Ten clusters of 200 namespaces in one run of Ansible, and 2,000 namespaces in one task.

The ten control planes are one API server under ten names: what is measured is what our side adds to it. Its own floor
is the same requests from one process that knows beforehand what to send and looks at no answer.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from peers import ours
from record import Row, Run, median, run

from kubeop import names
from kubeop.domain import baseline
from kubeop.kube.client import APPLY_PATCH, Client, Object
from kubeop.kube.parallel import in_parallel

ROOT = Path(__file__).resolve().parent.parent
CLUSTERS, NAMESPACES, REPEATS = 10, 200, 3
CIDR = "10.20.0.0/16"
CONNECTIONS = 16


def measure(kubeconfig: Path, work: Path, prefix: str, engine_milliseconds: float) -> list[Row]:
    """The rows. `engine_milliseconds`: what the engine takes of the CPU for each unchanged object of 200 namespaces."""
    fleet = [_items(f"{prefix}-f{number}") for number in range(CLUSTERS)]
    every = [item for items in fleet for item in items]
    with Client.from_kubeconfig(kubeconfig, connections=CONNECTIONS) as client:
        many = [obj for number in range(CLUSTERS) for item in _items(f"{prefix}-x{number}") for obj in _objects(item)]
        seconds = _say("the API server's own floor", lambda: floor(client, many))
    together = _play(kubeconfig, fleet, work / "fleet")
    alone = _play(kubeconfig, [every], work / "alone")
    first = _say("10 clusters, first run", lambda: run(together, cwd=ROOT).seconds)
    second = _say("10 clusters, nothing to change", lambda: run(together, cwd=ROOT).seconds)
    runs: list[Run] = []
    large = _say("2,000 namespaces, nothing to change", lambda: _median(runs, alone))
    path = work / "engine.json"
    path.write_text(json.dumps([obj for item in every for obj in _objects(item)]))
    script = [sys.executable, "bench/engine.py", str(kubeconfig), str(path), names.FIELD_MANAGER_ANSIBLE]
    engine = json.loads(run(script, cwd=ROOT).output)
    count = len(every) * 5
    title = "2,000 namespaces x 5, nothing to change"
    return [
        Row("10 clusters x 200 namespaces, first run", round(first, 2), "s", "its floor", round(seconds, 2), 1 / 1.2),
        Row("10 clusters x 200 namespaces, nothing to change", round(second, 2), "s"),
        Row(title, round(large, 2), "s", goal_value=10.0),
        Row(f"{title}, peak memory", round(max(one.peak_mebibytes for one in runs)), "MiB", goal_value=250.0),
        Row(
            f"{title}, CPU per object",
            round(engine["cpu_seconds"] / count * 1000, 3),
            "ms",
            "200 namespaces",
            engine_milliseconds,
            1 / 1.25,  # grows linearly
        ),
    ]


def _items(prefix: str) -> list[Object]:
    return [
        {"name": f"{prefix}-{number:04}", "tenant": "bench", "project": f"{prefix[-2:]}-{number:04}"}
        for number in range(NAMESPACES)
    ]


def _objects(item: Object) -> list[Object]:
    wanted = baseline.Baseline(
        namespace=item["name"], tenant=item["tenant"], project=item["project"], egress_cidrs=(CIDR,)
    )
    return baseline.objects(wanted)


def _play(kubeconfig: Path, fleet: Sequence[Sequence[Object]], work: Path) -> list[str]:
    """The command for a play over as many clusters as there are lists of namespaces."""
    work.mkdir()
    ansible = ours()
    hosts = {}
    for number, items in enumerate(fleet):
        own = work / f"kubeconfig-{number}"
        own.write_text(kubeconfig.read_text())
        own.chmod(0o600)
        hosts[f"cluster-{number}"] = {"own_kubeconfig": str(own), "own_namespaces": list(items)}
    task: dict[str, Any] = {
        "name": "Apply",
        "kubeop.platform.baseline": {
            "kubeconfig": "{{ own_kubeconfig }}",
            "egress_cidrs": [CIDR],
            "namespaces": "{{ own_namespaces }}",
        },
    }
    settings = {"ansible_python_interpreter": str(ansible.python), "ansible_connection": "local"}
    play = {"hosts": "all", "gather_facts": False, "vars": settings, "tasks": [task]}
    (work / "play.yml").write_text(json.dumps([play]))
    (work / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    inventory = ["-i", str(work / "hosts.json"), "--forks", str(len(fleet))]
    return [str(ansible.playbook), *inventory, str(work / "play.yml")]


def floor(client: Client, objects: Sequence[Object]) -> float:
    """Seconds that the API server takes for new objects: namespaces first, then what is in them."""
    query = {"fieldManager": "kubeop-bench"}
    batches: list[list[tuple[str, Object]]] = [[], []]
    for obj in objects:
        metadata = obj["metadata"]
        path = client.resource(obj["apiVersion"], obj["kind"]).path(metadata.get("namespace"), metadata["name"])
        batches[obj["kind"] != "Namespace"].append((path, obj))

    def send(one: tuple[str, Object]) -> int:
        return client.send("PATCH", one[0], query=query, body=one[1], content_type=APPLY_PATCH, idempotent=True).status

    began = time.perf_counter()
    for batch in batches:
        if set(in_parallel(send, batch, CONNECTIONS)) != {201}:
            raise RuntimeError("The API server did not take all objects of the floor.")
    return time.perf_counter() - began


def _median(runs: list[Run], command: Sequence[str]) -> float:
    runs.extend(run(command, cwd=ROOT) for _ in range(REPEATS))
    return median(runs).seconds


def _say(what: str, call: Callable[[], float]) -> float:
    sys.stderr.write(f"baseline: {what} … ")
    sys.stderr.flush()
    seconds = call()
    sys.stderr.write(f"{seconds:.2f} s\n")
    return seconds
