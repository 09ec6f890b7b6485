"""A manifest is read as kubectl reads it."""

import json
import os
import subprocess

from kubeop.devcluster import builds
from kubeop.devcluster.progress import Console
from kubeop.kube import files

VALUES = [
    "=", "22:00", "52:54:00:12:34:56", "12:30:45.5", "0o644", "0644", "-0o17", "0O17", "08", "0x1F", "0X1f",
    "0b101", "-0B11", "1_000", "0_8", "1e3", "12e03", "1.5e-3", "1.", ".5", "-.5", "+.5", "+7", "1e400", "-0",
    "0.1", "1e21", "123456789012345678901234567890", "2026-01-02", "2026-01-02T10:00:00Z", "~", "+", "..",
    "1.2.3", "1-2", "0x", "0b2", "0o8", "._5", "1_.5", "0_x1f", "yes", "No", "on", "OFF", "true", "null",
    "0x1ffffffffffffffff", "9223372036854775807", "-9223372036854775808",
]  # fmt: skip


def test_every_plain_scalar_is_what_kubectl_makes_of_it(cluster, tmp_path):
    lines = [f"  v{number}: {value}" for number, value in enumerate(VALUES)]
    path = tmp_path / "m.yaml"
    path.write_text("\n".join(["apiVersion: v1", "kind: ConfigMap", "metadata: {name: x}", "spec:", *lines, ""]))
    kubectl = builds.provide(Console.stderr()).paths["kubectl"]
    command = [str(kubectl), "create", "--dry-run=client", "--validate=false", "-o", "json", "-f", str(path)]
    environ = os.environ | {"KUBECONFIG": str(cluster.kubeconfig)}
    theirs = json.loads(subprocess.run(command, check=True, env=environ, capture_output=True).stdout)["spec"]
    (ours,) = files.read(path)
    for number, value in enumerate(VALUES):
        assert (value, repr(ours["spec"][f"v{number}"])) == (value, repr(theirs[f"v{number}"]))
