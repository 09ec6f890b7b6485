"""Whole clusters: two side by side, killed and repaired, cut off halfway, gone without a trace. All are our own."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from kubeop import devcluster
from kubeop.devcluster import builds, cgroups, images, processes
from kubeop.devcluster.layout import Addresses, Layout
from kubeop.devcluster.processes import Component
from kubeop.devcluster.progress import Silent
from kubeop.errors import DevClusterError
from kubeop.kube.client import Client

ONE, TWO, HALF = "it-one", "it-two", "it-half"
KUBEOP = Path(sys.executable).with_name("kubeop")


def traces(name: str) -> list[str]:
    """Everything on this machine that still carries the cluster's name."""
    layout = Layout(name)
    found = [str(path) for path in (layout.root, layout.netns, layout.lock) if path.exists()]
    found += [str(path) for path in cgroups.detect().all_folders(layout) if path.exists()]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"{layout.root}/" in line]
    for place in ("/var/lib/cni/results", "/var/log/containers"):
        if Path(place).is_dir():
            found += [str(path) for path in Path(place).iterdir() if f"{layout.root}/" in os.path.realpath(path)]
            found += [str(path) for path in Path(place).glob(f"{layout.unit}-{'[0-9a-f]' * 64}-*")]
    rules = subprocess.run(["ip", "rule"], capture_output=True, text=True, check=True).stdout
    found += [line for line in rules.splitlines() if "iif kubeop" in line and "[detached]" in line]
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            if f"{layout.root}/" in command:
                found.append(command)
    return found


def pids(name: str) -> dict[str, int]:
    return {component.name: component.pid for component in devcluster.status(name).components}


def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([KUBEOP, *arguments], capture_output=True, text=True, check=False, timeout=300, **options)


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[devcluster.Cluster, devcluster.Cluster]]:
    for name in (ONE, TWO):
        devcluster.down(name)
    try:
        yield devcluster.up(ONE), devcluster.up(TWO)
    finally:
        for name in (ONE, TWO):
            devcluster.down(name)
    assert traces(ONE) == []
    assert traces(TWO) == []


@pytest.fixture
def half() -> Iterator[str]:
    devcluster.down(HALF)
    yield HALF
    devcluster.down(HALF)
    assert traces(HALF) == []


def namespaces(cluster: devcluster.Cluster) -> set[str]:
    with Client.from_kubeconfig(cluster.kubeconfig) as client:
        return {item["metadata"]["name"] for item in client.list("v1", "Namespace")}


def create_namespace(cluster: devcluster.Cluster, name: str) -> None:
    with Client.from_kubeconfig(cluster.kubeconfig) as client:
        client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def test_two_clusters_do_not_meet(pair: tuple[devcluster.Cluster, devcluster.Cluster]) -> None:
    one, two = pair
    create_namespace(one, "only-in-one")
    with psycopg.connect(one.database_url) as connection:
        connection.execute("CREATE TABLE only_in_one (id int)")
    assert "only-in-one" not in namespaces(two)
    with psycopg.connect(two.database_url) as connection, pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT * FROM only_in_one")
    assert one.node_address != two.node_address
    for name in (ONE, TWO):
        status = devcluster.status(name)
        assert status.healthy
        assert len({component.pid for component in status.components}) == 8


@pytest.mark.skipif(
    Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() != "0", reason="the host forwards for everybody"
)
def test_the_host_carries_packets_to_other_clusters_only(
    pair: tuple[devcluster.Cluster, devcluster.Cluster],
) -> None:
    interface = Addresses(json.loads(Layout(ONE).record.read_text())["slot"]).host_interface

    def way(target: str) -> int:
        question = ("ip", "route", "get", target, "from", pair[0].node_address, "iif", interface)
        return subprocess.run(question, capture_output=True, check=False).returncode

    assert way(pair[1].node_address) == 0
    assert way("198.51.100.1") != 0
    assert way("10.200.63.2") != 0  # a cluster that is not there


def test_postgresql_is_not_run_by_root_and_wants_the_password(
    pair: tuple[devcluster.Cluster, devcluster.Cluster],
) -> None:
    assert Path(f"/proc/{pids(ONE)['postgresql']}").stat().st_uid != 0
    wrong = pair[0].database_url.replace(":", ":x", 2).replace("postgresql:x", "postgresql:")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_files_with_secrets_are_root_s_alone(pair: tuple[devcluster.Cluster, devcluster.Cluster]) -> None:
    layout = Layout(ONE)
    secrets = [layout.kubeconfig, layout.database_url, *layout.pki.glob("*.key"), *layout.pki.glob("*.kubeconfig")]
    assert len(secrets) > 10
    assert {oct(path.stat().st_mode & 0o777) for path in secrets} == {"0o600"}
    assert layout.pki.stat().st_mode & 0o077 == 0


def test_up_again_changes_nothing(pair: tuple[devcluster.Cluster, devcluster.Cluster]) -> None:
    before = pids(ONE)
    assert devcluster.up(ONE) == pair[0]
    assert pids(ONE) == before


def test_the_command_line(pair: tuple[devcluster.Cluster, devcluster.Cluster]) -> None:
    one = pair[0]
    assert run("dev", "kubeconfig", "--name", ONE).stdout.strip() == str(one.kubeconfig)
    assert run("dev", "database-url", "--name", ONE).stdout.strip() == one.database_url
    status = run("dev", "status", "--name", ONE)
    assert status.returncode == 0
    assert "kube-apiserver" in status.stdout
    assert "Ready" in status.stdout


def test_a_pod_from_a_loaded_image_resolves_and_reaches_the_api(
    pair: tuple[devcluster.Cluster, devcluster.Cluster], tmp_path: Path
) -> None:
    kubectl = builds.provide(Silent()).path("kubectl")
    archive = tmp_path / "kubectl.tar"
    image = images.write_archive(archive, "localhost/it/kubectl:1", kubectl, entrypoint="/kubectl")
    first = run("dev", "load-image", archive, "--name", ONE)
    assert (first.stdout.strip(), "loaded" in first.stderr) == (image.reference, True)
    again = run("dev", "load-image", archive, "--name", ONE)
    assert (again.stdout.strip(), "was there already" in again.stderr) == (image.reference, True)
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "c",
                "cluster": {"server": "https://kubernetes.default", "certificate-authority": f"{account}/ca.crt"},
            }
        ],
        "users": [{"name": "u", "user": {"tokenFile": f"{account}/token"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "asks", "namespace": "default"},
        "data": {"kubeconfig": json.dumps(kubeconfig), "other": pair[1].kubeconfig.read_text()},
    }
    container = {
        "name": "asks",
        "image": image.reference,
        "imagePullPolicy": "Never",
        "args": ["get", "--raw=/version", "--kubeconfig=/config/kubeconfig"],
        "volumeMounts": [{"name": "config", "mountPath": "/config"}],
    }
    # As a manager's pod asks the clusters that it governs.
    other = {**container, "name": "other", "args": ["get", "--raw=/version", "--kubeconfig=/config/other"]}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "asks", "namespace": "default"},
        "spec": {
            "restartPolicy": "Never",
            "containers": [container, other],
            "volumes": [{"name": "config", "configMap": {"name": "asks"}}],
        },
    }
    with Client.from_kubeconfig(pair[0].kubeconfig) as client:
        client.create(config)
        client.create(pod)
        deadline = time.monotonic() + 60
        phase = ""
        while phase not in ("Succeeded", "Failed") and time.monotonic() < deadline:
            phase = (client.get("v1", "Pod", "asks", "default") or {})["status"]["phase"]
            time.sleep(0.2)
        # which kubelet gives only to an API server that may ask
        logs = [client.logs("default", "asks", container["name"]) for container in (container, other)]
    assert phase == "Succeeded", logs
    assert all('"gitVersion": "v1.' in log for log in logs)


def test_a_killed_api_server_is_started_again(pair: tuple[devcluster.Cluster, devcluster.Cluster]) -> None:
    before = pids(TWO)
    os.kill(before["kube-apiserver"], signal.SIGKILL)
    status = run("dev", "status", "--name", TWO)
    assert status.returncode == 3
    assert "not running" in status.stdout
    devcluster.up(TWO)
    after = pids(TWO)
    assert devcluster.status(TWO).healthy
    assert after.pop("kube-apiserver") != before.pop("kube-apiserver")
    assert after == before


def test_everything_killed_comes_back_with_its_data(pair: tuple[devcluster.Cluster, devcluster.Cluster]) -> None:
    two = pair[1]
    create_namespace(two, "stays")
    with psycopg.connect(two.database_url) as connection:
        connection.execute("CREATE TABLE stays (id int)")
    for pid in pids(TWO).values():
        os.kill(pid, signal.SIGKILL)
    devcluster.up(TWO)
    assert devcluster.status(TWO).healthy
    assert "stays" in namespaces(two)
    with psycopg.connect(two.database_url) as connection:
        assert connection.execute("SELECT count(*) FROM stays").fetchone() == (0,)


def test_what_was_killed_a_moment_ago_is_started_again(pair: tuple[devcluster.Cluster, devcluster.Cluster]) -> None:
    layout = Layout(TWO)
    killed: list[int] = []

    def ready() -> bool:
        # As a killed process does that the kernel has not yet taken apart: it is there when `up` looks, then no more.
        process = processes.recorded(layout, "sleeper")
        assert process is not None
        if not killed:
            killed.append(process.pid)
            os.kill(process.pid, signal.SIGKILL)
            return False
        return process.pid not in killed

    sleeper = Component("sleeper", ("sleep", "600"), ready=ready)
    first = processes.start(layout, sleeper)
    try:
        assert processes.ensure(layout, sleeper)
        assert killed == [first.pid]
    finally:
        processes.end(layout, sleeper)
        processes.record_path(layout, "sleeper").unlink()


def test_an_up_that_is_killed_halfway_is_finished_by_the_next(half: str) -> None:
    layout = Layout(half)
    with subprocess.Popen([KUBEOP, "dev", "up", "--name", half], stderr=subprocess.DEVNULL) as process:
        while not processes.record_path(layout, "etcd").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    started = {path.stem: processes.recorded(layout, path.stem) for path in layout.run.glob("*.pid")}
    # As if it had been killed a moment earlier: after the start of etcd, before its record.
    processes.record_path(layout, "etcd").unlink()
    devcluster.up(half)
    assert devcluster.status(half).healthy
    assert started["etcd"] is not None
    assert not started["etcd"].alive()


def test_an_etcd_that_was_ended_before_it_knew_itself_is_made_anew(half: str) -> None:
    layout = Layout(half)
    layout.etcd.joinpath("member/wal").mkdir(parents=True)
    layout.etcd.joinpath("member/wal/0000000000000000-0000000000000000.wal").write_bytes(b"")  # etcd would refuse it
    devcluster.up(half)
    assert devcluster.status(half).healthy


@pytest.mark.parametrize("moment", ["run/kube-apiserver.pid", "postgres/data.new/global"])
def test_an_up_that_is_killed_halfway_is_cleared_by_down(half: str, moment: str) -> None:
    # The second moment is inside initdb, which goes on by itself, and would write into a folder being removed.
    layout = Layout(half)
    with subprocess.Popen([KUBEOP, "dev", "up", "--name", half], stderr=subprocess.DEVNULL) as process:
        while not (layout.root / moment).exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    assert traces(half) != []
    assert devcluster.down(half)
    assert traces(half) == []
    assert not devcluster.down(half)


def test_a_command_that_outlives_a_killed_up_is_ended_by_down(half: str) -> None:
    layout = Layout(half)
    with subprocess.Popen([KUBEOP, "dev", "up", "--name", half], stderr=subprocess.DEVNULL) as process:
        with socket.socket(socket.AF_UNIX) as connection:
            while connection.connect_ex(str(layout.containerd_socket)) != 0:
                assert process.poll() is None
                time.sleep(0.01)
        # From here on containerd takes the connection of `ctr` and never answers.
        os.kill(json.loads(processes.record_path(layout, "containerd").read_text())["pid"], signal.SIGSTOP)
        while not (ctr := [line for line in traces(half) if line.startswith("ctr\0")]):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    assert [line for line in traces(half) if line.startswith("ctr\0")] == ctr
    assert devcluster.down(half)
    assert traces(half) == []


def test_a_component_that_ends_is_quoted(half: str, tmp_path: Path) -> None:
    (tmp_path / "kube-apiserver").write_text("#!/bin/sh\necho 'no such flag'\nexit 1\n")
    (tmp_path / "kube-apiserver").chmod(0o755)
    with pytest.raises(DevClusterError, match="kube-apiserver ended while starting: no such flag") as caught:
        devcluster.up(half, assets=tmp_path)
    assert str(Layout(half).log("kube-apiserver")) in caught.value.hint
    assert f"kubeop dev down --name {half}" in caught.value.hint


def test_what_a_reboot_leaves_is_cleared_and_strangers_are_spared(half: str) -> None:
    layout = Layout(half)
    layout.run.mkdir(parents=True)
    layout.record.write_text(json.dumps({"slot": 60}))
    layout.netns.parent.mkdir(exist_ok=True)
    layout.netns.touch()  # where /run is not a tmpfs, the handle stays as an empty file
    with subprocess.Popen(["sleep", "60"]) as stranger:
        [same] = processes.identify([stranger.pid])
        record = {"pid": same.pid, "start_time": same.start_time, "digest": "", "boot": "an earlier one"}
        processes.record_path(layout, "etcd").write_text(json.dumps(record))
        assert devcluster.down(half)
        assert stranger.poll() is None
        stranger.kill()
    assert traces(half) == []
    assert not Path("/sys/class/net", Addresses(60).host_interface).exists()


def test_what_is_not_there_is_said(half: str, tmp_path: Path) -> None:
    with pytest.raises(DevClusterError, match=f"There is no cluster '{half}'.*kubeop dev up --name {half}"):
        devcluster.get(half)
    with pytest.raises(DevClusterError, match=f"There is no cluster '{half}'"):
        devcluster.load_image(half, tmp_path / "any.tar")
    assert run("dev", "status", "--name", half).returncode == 3
    assert not devcluster.status(half).exists
