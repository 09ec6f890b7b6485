"""The rings of the example inventory are worked on in their order, whatever part of the fleet a run is limited to."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
FLEET = [["eu-dev", "us-dev"], ["eu-staging", "us-staging"], ["ap-prod", "eu-prod", "us-prod"]]


@pytest.mark.parametrize("playbook", ["register", "baseline"])
@pytest.mark.parametrize(
    ("limit", "batches"),
    [
        ("all", FLEET),
        ("eu-prod,us-staging", [["us-staging"], ["eu-prod"]]),
        ("region_eu:!eu-prod", [["eu-dev"], ["eu-staging"]]),
        ("ring_1_dev,control", [["eu-dev", "us-dev"]]),
    ],
)
def test_batches_are_the_rings(tmp_path: Path, playbook: str, limit: str, batches: list[list[str]]) -> None:
    play = yaml.safe_load((ROOT / "playbooks" / f"{playbook}.yml").read_text())[0]
    del play["roles"]
    play["tasks"] = [
        {"ansible.builtin.debug": {"msg": "batch={{ ansible_play_batch | sort | join('+') }}"}, "run_once": True}
    ]
    path = tmp_path / "play.yml"
    path.write_text(yaml.safe_dump([play]))
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "inventories/example", "--limit", limit, path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [found.split("+") for found in re.findall(r"batch=([\w+-]+)", done.stdout)] == batches
