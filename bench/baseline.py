"""Baselines of 200 namespaces, five objects each: the module `baseline` beside kubectl and kubernetes.core.

Each client has namespaces of its own, made from the same list, and runs as its users run it: the whole command, from
its start to its end. The first run makes everything, the second finds nothing to do, the third finds one object in
twenty edited by somebody else.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import fleet
import yaml
from peers import Ansible, kubectl, kubernetes_core, ours
from record import Row, Run, median, run

from kubeop.domain import baseline
from kubeop.kube.client import Client, Object
from kubeop.kube.parallel import in_parallel

ROOT = Path(__file__).resolve().parent.parent
NAMESPACES = 200
DRIFT = 20  # one object in so many is edited
REPEATS = 3  # of the runs that change nothing; the middle one counts
CIDR = "10.20.0.0/16"
RUN = uuid.uuid4().hex[:6]  # so that a run never meets namespaces of another one that are still being deleted
PREFIX = f"kubeop-bench-{RUN}"

KUBECTL, CORE = "kubectl apply --server-side", "kubernetes.core.k8s, one task"
CORE_APPLY = "kubernetes.core.k8s, server_side_apply"  # the same work as ours and kubectl's; CORE is its default


@dataclass(frozen=True)
class Contender:
    """One client with its namespaces. `command` applies `objects`."""

    name: str
    objects: list[Object]
    command: Sequence[str]

    def apply(self) -> Run:
        """One run of it."""
        return run(self.command, cwd=ROOT)


def measure(kubeconfig: Path, work: Path) -> list[Row]:
    """The rows of this benchmark; `work` is a folder for its files."""
    server_side = {"apply": True, "server_side_apply": {"field_manager": "kubeop-bench", "force_conflicts": True}}
    contenders = [
        _ours(kubeconfig, work),
        _kubectl(kubeconfig, work),
        _core(kubeconfig, work, CORE, "c", {}),
        _core(kubeconfig, work, CORE_APPLY, "f", server_side),
    ]
    with Client.from_kubeconfig(kubeconfig) as client:
        _settle(client)
        try:
            first = {one.name: _say("first run", one, one.apply) for one in contenders}
            _check(client, contenders)
            second = {one.name: _say("nothing to change", one, lambda one=one: _repeated(one)) for one in contenders}
            drifted = {one.name: _say("5% drifted", one, lambda one=one: _drifted(client, one)) for one in contenders}
            engine = _engine(kubeconfig, work, contenders[0])
        finally:
            _remove(client, contenders)
        _settle(client)
        nobodys = Contender("the API server's own floor", _objects("e"), [])
        try:
            with Client.from_kubeconfig(kubeconfig, connections=fleet.CONNECTIONS) as many:
                least = fleet.floor(many, nobodys.objects)
        finally:
            _remove(client, [nobodys])
    startup = run(_play(ours(), {"ansible.builtin.ping": {}}, work / "ping.yml"), cwd=ROOT)
    return [
        *_rows(first, second, drifted, startup, least),
        *engine,
        *fleet.measure(kubeconfig, work, PREFIX, engine[-1].value),
    ]


def _rows(
    first: dict[str, Run], second: dict[str, Run], drifted: dict[str, Run], startup: Run, least: float
) -> list[Row]:
    """`startup`: an empty run of Ansible; `least`: seconds that the API server takes for the objects of a first run."""
    rows = []
    # The goals are ratios of time: 1.0x, 0.6x and 0.7x of kubectl's, a quarter and an eighth of kubernetes.core's.
    for title, runs, kubectl_goal, core_goal in (
        ("first run", first, 1.0, 4.0),
        ("second run, nothing to change", second, 1 / 0.6, 8.0),
        ("5% drifted", drifted, 1 / 0.7, None),
    ):
        for peer, goal in ((KUBECTL, kubectl_goal), (CORE, core_goal), (CORE_APPLY, core_goal)):
            mine, other = runs["kubeop"], runs[peer]
            rows.append(Row(title, round(mine.seconds, 3), "s", peer, round(other.seconds, 3), goal))
            title_cpu = f"{title}, client CPU"
            rows.append(Row(title_cpu, round(mine.cpu_seconds, 3), "s", peer, round(other.cpu_seconds, 3)))
    # No goal: what is left for ours to take less of.
    both = round(startup.seconds + least, 3)
    rows.append(Row("first run", round(first["kubeop"].seconds, 3), "s", "one ping, and the API server's floor", both))
    mine, ping = round(second["kubeop"].seconds, 3), round(startup.seconds, 3)
    rows.append(Row("second run, nothing to change", mine, "s", "ansible-playbook, one ping", ping))
    peak = max(one["kubeop"].peak_mebibytes for one in (first, second, drifted))
    other = max(one[CORE].peak_mebibytes for one in (first, second, drifted))
    return [*rows, Row("peak memory", round(peak), "MiB", CORE, round(other))]


def _ours(kubeconfig: Path, work: Path) -> Contender:
    items = [
        {"name": f"{PREFIX}-a-{number:04}", "tenant": "bench", "project": f"a-{number:04}"} for number in _numbers()
    ]
    task = {
        "kubeop.platform.baseline": {
            "kubeconfig": str(kubeconfig),
            "egress_cidrs": [CIDR],
            "namespaces": items,
            "force": True,
        },
    }
    return Contender("kubeop", _objects("a"), _play(ours(), task, work / "kubeop.yml"))


def _kubectl(kubeconfig: Path, work: Path) -> Contender:
    objects = _objects("b")
    path = work / "kubectl.yaml"
    path.write_text(yaml.safe_dump_all(objects))
    command = [str(kubectl()), "--kubeconfig", str(kubeconfig), "apply", "--server-side", "--force-conflicts", "-f"]
    return Contender(KUBECTL, objects, [*command, str(path)])


def _core(kubeconfig: Path, work: Path, name: str, letter: str, options: Object) -> Contender:
    objects = _objects(letter)
    path = work / f"core-{letter}.yaml"
    path.write_text(yaml.safe_dump_all(objects))
    arguments = {"kubeconfig": str(kubeconfig), "state": "present", "src": str(path), **options}
    return Contender(
        name, objects, _play(kubernetes_core(), {"kubernetes.core.k8s": arguments}, work / f"core-{letter}.yml")
    )


def _play(ansible: Ansible, task: Object, path: Path) -> list[str]:
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": str(ansible.python)},
        "tasks": [{"name": "Apply", **task}],
    }
    # JSON is YAML, and Ansible reads it faster: the time is the module's, not the parser's.
    path.write_text(json.dumps([play]))
    return [str(ansible.playbook), "-i", "localhost,", str(path)]


def _objects(letter: str) -> list[Object]:
    return [
        obj
        for number in _numbers()
        for obj in baseline.objects(
            baseline.Baseline(
                namespace=f"{PREFIX}-{letter}-{number:04}",
                tenant="bench",
                project=f"{letter}-{number:04}",
                egress_cidrs=(CIDR,),
            )
        )
    ]


def _numbers() -> range:
    return range(NAMESPACES)


def _repeated(contender: Contender) -> Run:
    return median([contender.apply() for _ in range(REPEATS)])


def _drifted(client: Client, contender: Contender) -> Run:
    """Somebody edits one object in twenty, in a field that the baseline sets; then it is put back."""
    chosen = [obj for obj in contender.objects if obj["kind"] == "ResourceQuota"][:: max(1, DRIFT // 5)]
    for obj in chosen:
        metadata = obj["metadata"]
        patch = {"spec": {"hard": {"pods": "77"}}}
        client.patch("v1", "ResourceQuota", metadata["name"], patch, metadata["namespace"], field_manager="somebody")
    done = contender.apply()
    for obj in chosen:
        metadata = obj["metadata"]
        live = client.get("v1", "ResourceQuota", metadata["name"], metadata["namespace"]) or {}
        if live["spec"]["hard"]["pods"] != obj["spec"]["hard"]["pods"]:
            raise RuntimeError(f"{contender.name} did not put {metadata['namespace']} back.")
    return done


def _settle(client: Client) -> None:
    """Wait until nothing of an earlier run is being deleted any more: that would take the server's time."""
    for _ in range(600):
        if not any(one["metadata"]["name"].startswith("kubeop-bench-") for one in client.list("v1", "Namespace")):
            return
        time.sleep(1)
    raise RuntimeError("Namespaces of an earlier benchmark are still there after 600 s; delete them.")


def _check(client: Client, contenders: Sequence[Contender]) -> None:
    """Everybody has made everything, or the times mean nothing."""
    kinds = sorted({(obj["apiVersion"], obj["kind"]) for obj in contenders[0].objects})
    there = {
        (obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        for kind in kinds
        for obj in client.list(*kind)
    }
    for one in contenders:
        wanted = {(obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]) for obj in one.objects}
        if missing := wanted - there:
            raise RuntimeError(f"{one.name} has not made {len(missing)} objects, such as {min(missing)}.")


def _engine(kubeconfig: Path, work: Path, contender: Contender) -> list[Row]:
    """The library alone, in a process of its own: CPU for each object that is applied, and for each that is not."""
    objects = json.loads(json.dumps(contender.objects).replace(f"{PREFIX}-a-", f"{PREFIX}-d-"))
    path = work / "engine.json"
    path.write_text(json.dumps(objects))
    script = [sys.executable, str(Path(__file__).with_name("engine.py")), str(kubeconfig), str(path), "kubeop-bench"]
    first, second = (json.loads(run(script, cwd=ROOT).output) for _ in range(2))
    with Client.from_kubeconfig(kubeconfig) as client:
        _remove(client, [Contender("engine", objects, script)])
    count = len(objects)
    return [
        Row("client CPU per applied object", round(first["cpu_seconds"] / count * 1000, 3), "ms", goal_value=1.0),
        Row("client CPU per unchanged object", round(second["cpu_seconds"] / count * 1000, 3), "ms"),
    ]


def _remove(client: Client, contenders: Sequence[Contender]) -> None:
    names = [obj["metadata"]["name"] for one in contenders for obj in one.objects if obj["kind"] == "Namespace"]
    for _ in in_parallel(lambda name: client.delete("v1", "Namespace", name), names, 8):
        pass


def _say(what: str, contender: Contender, call: Callable[[], Run]) -> Run:
    sys.stderr.write(f"baseline: {what}: {contender.name} … ")
    sys.stderr.flush()
    done = call()
    sys.stderr.write(f"{done.seconds:.2f} s\n")
    return done
