"""The PostgreSQL that `make site` puts into a cluster of the user's own, as it is built and started there."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from installed import ROOT

from kubeop import devcluster
from kubeop.kube.client import Client
from kubeop.kube.wait import wait_ready

sys.path.insert(0, str(ROOT / "tools"))

from trial_database import NAME, NAMESPACE, PORT

CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "e2e", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "kubernetes.io/no-provisioner",
}


@pytest.fixture
def volume(kube: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A default StorageClass with one volume: a folder of this machine, which is the embedded cluster's node."""
    folder = tmp_path_factory.mktemp("volume")
    folder.chmod(0o777)  # the node gives a folder of its own no fsGroup
    for parent in folder.parents[:2]:
        parent.chmod(parent.stat().st_mode | 0o011)
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "e2e",
        "hostPath": {"path": str(folder)},
    }
    kube.create(CLASS)
    kube.create({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "e2e"}, "spec": spec})
    yield
    kube.delete("v1", "Namespace", NAMESPACE)
    kube.delete("v1", "PersistentVolume", "e2e")
    kube.delete("storage.k8s.io/v1", "StorageClass", "e2e")


def run(cluster: devcluster.Cluster, image: str) -> subprocess.CompletedProcess[str]:
    tool = [sys.executable, ROOT / "tools/trial_database.py", "--kubeconfig", cluster.kubeconfig, "--image", image]
    return subprocess.run(tool, capture_output=True, text=True, check=False)


def test_a_cluster_without_a_storage_class_is_told(cluster: devcluster.Cluster, kube: Client) -> None:
    done = run(cluster, "localhost/kubeop/database:none")
    assert done.returncode == 1
    assert "no default StorageClass" in done.stderr
    assert "DATABASE_URL" in done.stderr
    assert kube.get("v1", "Namespace", NAMESPACE) is None


@pytest.mark.usefixtures("volume")
def test_it_keeps_its_data_and_a_second_run_changes_nothing(cluster: devcluster.Cluster, kube: Client) -> None:
    built = subprocess.run([sys.executable, ROOT / "images/database.py"], check=True, stdout=subprocess.PIPE, text=True)
    image, archive = built.stdout.strip().removeprefix("database=").split()
    devcluster.load_image(cluster.name, Path(archive))
    first = run(cluster, image)
    assert first.returncode == 0, first.stderr
    url = first.stdout.strip()

    def ask(statement: str) -> list[tuple[object, ...]]:
        address = kube.get("v1", "Pod", f"{NAME}-0", NAMESPACE)["status"]["podIP"]  # type: ignore[index]
        with psycopg.connect(url.replace(f"{NAME}.{NAMESPACE}.svc:{PORT}", f"{address}:{PORT}")) as connection:
            cursor = connection.execute(statement)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    ask("CREATE TABLE stays (id int)")
    database = kube.get("apps/v1", "StatefulSet", NAME, NAMESPACE)
    assert database is not None
    second = run(cluster, image)
    assert second.stdout == first.stdout
    again = kube.get("apps/v1", "StatefulSet", NAME, NAMESPACE)
    assert again is not None
    assert again["metadata"]["resourceVersion"] == database["metadata"]["resourceVersion"]

    old = kube.get("v1", "Pod", f"{NAME}-0", NAMESPACE)
    assert old is not None
    kube.delete("v1", "Pod", f"{NAME}-0", NAMESPACE)
    deadline = time.monotonic() + 60
    while (pod := kube.get("v1", "Pod", f"{NAME}-0", NAMESPACE)) is None or pod["metadata"]["uid"] == old["metadata"][
        "uid"
    ]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    wait_ready(kube, [pod], 60)
    assert ask("SELECT count(*) FROM stays") == [(0,)]
