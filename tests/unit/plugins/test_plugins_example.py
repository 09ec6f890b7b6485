"""The example inventory is loaded by Ansible itself: regions, rings, variables from each, and secrets that open."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from plugin_docs import ROOT

FOLDER = ROOT / "inventories" / "example"
RINGS = {
    "ring_1_dev": ["eu-dev", "us-dev"],
    "ring_2_staging": ["eu-staging", "us-staging"],
    "ring_3_prod": ["ap-prod", "eu-prod", "us-prod"],
}
REGIONS = {"region_ap": "10.30.0.0/16", "region_eu": "10.10.0.0/16", "region_us": "10.20.0.0/16"}
SECRETS = ("kubeop_db_url", "kubeop_kms_master_key", "kubeop_jwt_signing_key")


def ansible(command: str, *arguments: str, key: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [f"{sys.prefix}/bin/{command}", "-i", str(FOLDER), *arguments],
        cwd=ROOT,
        env={**os.environ, "KUBEOP_SEAL_KEY": key, "ANSIBLE_FORCE_COLOR": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def listed() -> dict[str, Any]:
    done = ansible("ansible-inventory", "--list")
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return json.loads(done.stdout)


def test_every_cluster_is_in_one_ring_and_one_region(listed: dict[str, Any]) -> None:
    clusters = sorted(name for ring in RINGS.values() for name in ring)
    assert {ring: sorted(listed[ring]["hosts"]) for ring in RINGS} == RINGS
    assert sorted(listed["clusters"]["children"]) == sorted(RINGS)
    assert sorted(name for region in REGIONS for name in listed[region]["hosts"]) == clusters
    assert listed["manager"]["hosts"] == ["control"]


def test_region_ring_and_cluster_each_add_their_variables(listed: dict[str, Any]) -> None:
    hosts = listed["_meta"]["hostvars"]
    for region, network in REGIONS.items():
        assert {tuple(hosts[name]["kubeop_egress_region"]) for name in listed[region]["hosts"]} == {(network,)}
    for ring, names in RINGS.items():
        own = [hosts[name]["kubeop_tenants"][0]["quota"]["cpu"] for name in names]
        assert own == [{"ring_1_dev": "2", "ring_2_staging": "4", "ring_3_prod": "32"}[ring]] * len(names)
    assert [name for name in hosts if hosts[name].get("kubeop_namespaces")] == ["eu-prod"]


def test_each_cluster_is_labelled_with_its_region_and_ring() -> None:
    shown = "{{ kubeop_labels.region }} {{ kubeop_labels.ring }}"
    said = ansible("ansible", "clusters", "-m", "ansible.builtin.debug", "-a", f"msg='{shown}'").stdout
    found = dict(re.findall(r'^(\S+) \| SUCCESS => \{\s+"msg": "([^"]*)"', said, re.MULTILINE))
    wanted = {name: f"{name.partition('-')[0]} {ring[5:]}" for ring, names in RINGS.items() for name in names}
    assert found == wanted, said


def test_secrets_are_sealed_and_open_with_the_key_of_the_readme(listed: dict[str, Any]) -> None:
    readme = (FOLDER / "README.md").read_text()
    key = next(line.partition("=")[2] for line in readme.splitlines() if "SEAL_KEY=" in line)
    assert all(
        str(listed["_meta"]["hostvars"]["control"][f"{name}_sealed"]).find("kubeop:v1:") >= 0 for name in SECRETS
    )
    shown = "{{ kubeop_db_url }} {{ kubeop_egress_baseline | join('+') }}"
    opened = ansible("ansible", "eu-prod", "-m", "ansible.builtin.debug", "-a", f"msg='{shown}'", key=key)
    assert re.search(r"postgresql://\S+ 10\.0\.0\.0/16\+10\.10\.0\.0/16", opened.stdout), opened.stdout
    closed = ansible("ansible", "eu-prod", "-m", "ansible.builtin.debug", "-a", f"msg='{shown}'")
    assert closed.returncode != 0
    assert "postgresql://" not in closed.stdout + closed.stderr
