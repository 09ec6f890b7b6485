"""A fleet's runs: ring by ring, past clusters that are down, and what the summary says of each cluster.

The playbooks are the real ones, with a task that shows its batch in place of their role.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeop import devcluster

ROOT = Path(__file__).resolve().parents[3]
ANSIBLE = Path(sys.executable).parent / "ansible-playbook"
EXAMPLE = [["eu-dev", "us-dev"], ["eu-staging", "us-staging"], ["ap-prod", "eu-prod", "us-prod"]]
# What each host does in place of the role: it shows its batch, and fails where the test says so.
TASKS = [
    {"ansible.builtin.debug": {"msg": "batch={{ ansible_play_batch | sort | join('+') }}"}, "run_once": True},
    {
        "name": "Do the work",
        "ansible.builtin.assert": {"that": "inventory_hostname not in bad.split(',')", "fail_msg": "It is bad."},
    },
]


def run(*arguments: str | Path, bad: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ANSIBLE, *arguments, "-e", f"bad={bad}"],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_DISPLAY_TRACEBACK": "never"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def batches(done: subprocess.CompletedProcess[str]) -> list[list[str]]:
    return [found.split("+") for found in re.findall(r"batch=([\w+-]+)", done.stdout)]


def clusters(done: subprocess.CompletedProcess[str]) -> dict[str, tuple[int, int, int, int, str]]:
    """The summary's table of clusters: done, changed, failed, objects, why."""
    found = re.findall(r"^(\S+) +(\d+) +(\d+) +(\d+) +(\d+)(?: +(\S.*))?$", done.stdout, re.MULTILINE)
    return {line[0]: (int(line[1]), int(line[2]), int(line[3]), int(line[4]), line[5]) for line in found}


def copied(name: str, folder: Path, *, reach: bool = True) -> Path:
    """A playbook with the tasks above in place of its role; without `reach`, every cluster is taken to answer."""
    first, ring = yaml.safe_load((ROOT / "playbooks" / f"{name}.yml").read_text())
    del ring["roles"], ring["pre_tasks"]
    ring["tasks"] = TASKS
    if not reach:
        group_by = {"ansible.builtin.group_by": {"key": first["vars"]["reach_group"]}, "changed_when": False}
        first = {"hosts": "clusters", "gather_facts": False, "tasks": [group_by]}
    path = folder / f"{name}.yml"
    path.write_text(yaml.safe_dump([first, ring, {"name": "After", "hosts": "clusters", "gather_facts": False}]))
    (folder / "reach.yml").write_text((ROOT / "playbooks" / "reach.yml").read_text())
    return path


@pytest.mark.parametrize("playbook", ["register", "baseline"])
@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("all", EXAMPLE),
        ("eu-prod,us-staging", [["us-staging"], ["eu-prod"]]),
        ("region_eu:!eu-prod", [["eu-dev"], ["eu-staging"]]),
        ("ring_1_dev,control", [["eu-dev", "us-dev"]]),
    ],
)
def test_batches_are_the_rings(tmp_path: Path, playbook: str, limit: str, expected: list[list[str]]) -> None:
    path = copied(playbook, tmp_path, reach=False)
    done = run("-i", "inventories/example", "--limit", limit, path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert batches(done) == expected


Fleet = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def fleet(cluster: devcluster.Cluster, tmp_path: Path) -> Iterator[Fleet]:
    """Run `register.yml` over a fleet: `gone` refuses connections, `hung` takes them and is silent, the rest answers.

    Ring 1 is `gone` alone, ring 2 `hung` and `one`, ring 3 `two` and `three`; `four` is in no ring.
    """
    with socket.create_server(("127.0.0.1", 0)) as silent:
        servers = {"gone": "https://127.0.0.1:9", "hung": f"https://127.0.0.1:{silent.getsockname()[1]}"}
        good = cluster.kubeconfig.read_text()
        for name, server in servers.items():
            text = re.sub(r"server: \S+", f"server: {server}", good)
            assert server in text
            (tmp_path / name).write_text(text)

        def host(name: str) -> dict[str, Any]:
            return {name: {"kubeop_kubeconfig": str(tmp_path / name if name in servers else cluster.kubeconfig)}}

        inventory = {
            "all": {
                "vars": {
                    "ansible_connection": "local",
                    "ansible_python_interpreter": sys.executable,
                    "preflight_timeout_seconds": 2,
                },
                "children": {
                    "clusters": {
                        "hosts": host("four"),
                        "children": {
                            "ring_1_dev": {"hosts": host("gone")},
                            "ring_2_staging": {"hosts": host("hung") | host("one")},
                            "ring_3_prod": {"hosts": host("two") | host("three")},
                        },
                    }
                },
            }
        }
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory))
        path = copied("register", tmp_path)
        yield lambda *arguments, bad="": run("-i", tmp_path / "hosts.yml", path, *arguments, bad=bad)


def test_clusters_that_are_down_or_fail_hold_up_no_ring_and_are_caught_up(
    fleet: Fleet, cluster: devcluster.Cluster
) -> None:
    done = fleet(bad="two")
    assert done.returncode == 2, done.stdout + done.stderr
    assert batches(done) == [["one"], ["three", "two"], ["four"]]
    found = clusters(done)
    assert {name for name, line in found.items() if line[2]} == {"gone", "hung", "two"}
    assert "127.0.0.1:9 cannot be reached: the connection is refused" in found["gone"][4]
    assert "it did not answer in time" in found["hung"][4]
    back = fleet("--limit", "gone", "-e", f"kubeop_kubeconfig={cluster.kubeconfig}")
    assert (back.returncode, batches(back)) == (0, [["gone"]]), back.stdout + back.stderr


def test_a_ring_in_which_all_that_answer_fail_ends_the_run(fleet: Fleet) -> None:
    done = fleet(bad="one")
    assert done.returncode == 2
    assert batches(done) == [["one"]]
    assert (
        "The run ended in the play 'Register clusters with the manager': those after it were not begun." in done.stdout
    )
    found = clusters(done)
    assert found["one"][4] == "Do the work: It is bad."
    for name in ("two", "three", "four"):
        assert found[name][2] == 0
        assert "Its turn in the play 'Register clusters with the manager' did not come" in found[name][4]


def test_the_summary_tells_why_and_no_secret(tmp_path: Path) -> None:
    def fails(host: str, message: str, **options: Any) -> dict[str, Any]:
        task = {"ansible.builtin.fail": {"msg": message}, "when": f"inventory_hostname == '{host}'"}
        return {"name": f"Fail {host}", **task, **options}

    first = [
        fails("hidden", "{{ secret }}", no_log=True),
        fails("loop", "{{ secret }}{{ item }}", no_log=True, loop=[1, 2]),
        {
            "block": [fails("lines", "{{ 'first' }}")],
            "rescue": [{"ansible.builtin.debug": {"msg": "again"}, "changed_when": True}],
        },
        fails("lines", "one\ntwo   three"),
        fails("items", "bad {{ item }}", loop=["x", "y"]),
        fails("fine", "ignored", ignore_errors=True),
        {"name": "Reach", "ansible.builtin.ping": {}, "when": "inventory_hostname == 'far'"},
    ]
    hosts = ["far", "fine", "hidden", "items", "lines", "loop"]
    plays = [
        {
            "name": name,
            "hosts": "all",
            "gather_facts": False,
            "tasks": tasks,
            "vars": {"secret": "{{ 'hun' ~ 'ter2' }}"},
        }
        for name, tasks in (("First", first), ("Second", [fails("fine", "at last")]))
    ]
    path, inventory = tmp_path / "play.yml", tmp_path / "hosts.yml"
    path.write_text(yaml.safe_dump(plays))
    variables: dict[str, dict[str, Any]] = {name: {"ansible_connection": "local"} for name in hosts}
    variables["far"] = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}
    inventory.write_text(yaml.safe_dump({"all": {"hosts": variables}}))
    done = run("-i", inventory, path)
    # Above it ansible-core itself shows what a task with no_log fails with.
    assert "hunter2" not in done.stdout.partition("PLAY RECAP")[2] + done.stderr.partition("PLAY RECAP")[2]
    found = clusters(done)
    assert sorted(found) == hosts
    assert {name: found[name][2] for name in hosts} == dict.fromkeys(hosts, 1)
    assert found["lines"] == (1, 1, 1, 0, "Fail lines: one two three")
    assert found["items"][4] == "Fail items: bad x"
    assert found["fine"][4] == "Fail fine: at last"
    assert "hidden due to the fact that 'no_log: true'" in found["hidden"][4]
    assert "hidden" in found["loop"][4]
    assert found["far"][4].startswith("Reach: ")
    assert "connect" in found["far"][4]
