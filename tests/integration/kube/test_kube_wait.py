import subprocess
import sys
import threading
import time
import uuid

import pytest
import urllib3
import yaml
from pausing import pause_image
from waiting import eventually

from kubeop.errors import ApiError, ClusterError, ClusterUnreachable, WaitError
from kubeop.kube.apply import apply
from kubeop.kube.client import Client
from kubeop.kube.transport import Stop
from kubeop.kube.tunnel import open_tunnel
from kubeop.kube.wait import wait_ready
from kubeop.kube.watch import follow

MANAGER = "kubeop-test"
SCRIPT = [sys.executable, "-c", "from kubeop.cli.main import main; main()"]


@pytest.fixture(scope="session")
def image(cluster):
    """An image that every embedded cluster has, CoreDNS: it ends soon, with `-version` well."""
    with Client.from_kubeconfig(cluster.kubeconfig) as client:
        deployment = client.get("apps/v1", "Deployment", "coredns", "kube-system")
    return deployment["spec"]["template"]["spec"]["containers"][0]["image"]


def job(namespace, image, *arguments, **container):
    containers = [
        {"name": "c", "image": image, "args": list(arguments), "imagePullPolicy": "IfNotPresent", **container}
    ]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "namespace": namespace},
        "spec": {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": containers}}},
    }


def deployment(namespace, image, **container):
    labels = {"app": "d"}
    containers = [{"name": "c", "image": image, "imagePullPolicy": "IfNotPresent", **container}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": namespace},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }


def waited(kube, obj, seconds=90):
    apply(kube, [obj], field_manager=MANAGER)
    began = time.monotonic()
    try:
        wait_ready(kube, [obj], seconds)
    except WaitError as error:
        return str(error), time.monotonic() - began
    return "", time.monotonic() - began


def test_a_job_that_ends_well_is_waited_for(kube, namespace, image):
    assert waited(kube, job(namespace, image, "-version"))[0] == ""


def test_a_job_that_fails_says_its_last_words(kube, namespace, image):
    # An argument that is none: CoreDNS says this one line and ends. Later on it writes to both streams, in any order.
    said, _ = waited(kube, job(namespace, image, "/not-there"))
    assert "Job j" in said
    assert "BackoffLimitExceeded" in said
    assert "last log line: " in said
    assert "/not-there" in said


def test_an_image_that_is_not_there_is_told_at_once(kube, namespace):
    said, seconds = waited(kube, deployment(namespace, "localhost/not-there:1", imagePullPolicy="Never"))
    assert "container c of pod d-" in said
    assert "ErrImageNeverPull" in said
    assert seconds < 60


def test_a_crash_loop_is_told_with_its_last_words(kube, namespace, image):
    # Never ready, so that the pod does not count as available between its crashes.
    probe = {"httpGet": {"path": "/", "port": 9}, "periodSeconds": 1}
    said, _ = waited(kube, deployment(namespace, image, args=["/not-there"], readinessProbe=probe), 240)
    assert "CrashLoopBackOff" in said
    assert "last log line: " in said


def test_a_bare_pod_that_cannot_start_is_told_at_once(kube, namespace, image):
    def bare(name, **container):
        metadata = {"name": name, "namespace": namespace}
        containers = [{"name": "c", "image": image, "imagePullPolicy": "Never", **container}]
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers}}

    said, seconds = waited(kube, bare("gone", image="localhost/not-there:1"))
    assert said.startswith(
        f"Pod gone in namespace {namespace} will not become ready: container c of pod gone: ErrImage"
    )
    assert seconds < 60
    probe = {"httpGet": {"path": "/", "port": 9}, "periodSeconds": 1}
    said, _ = waited(kube, bare("crashing", args=["/not-there"], readinessProbe=probe), 240)
    assert "container c of pod crashing: CrashLoopBackOff" in said
    assert waited(kube, bare("well", image=pause_image()))[0] == ""


def test_who_may_read_neither_events_nor_replica_sets_waits_all_the_same(kube, namespace, image, limited):
    role = kube.get("rbac.authorization.k8s.io/v1", "Role", "limited", namespace)
    role["rules"] += [
        {"apiGroups": ["", "apps", "batch"], "resources": [name], "verbs": ["get", "list", "watch"]}
        for name in ("pods", "deployments", "jobs")
    ]
    kube.replace(role)
    broken = deployment(namespace, "localhost/not-there:1", imagePullPolicy="Never")
    suspended = job(namespace, image)
    suspended["spec"]["suspend"] = True  # no pods, so that one looks for events
    apply(kube, [broken, suspended], field_manager=MANAGER)
    eventually(lambda: kube.list("v1", "Pod", namespace, label_selector="app=d"), "pods")
    for one in broken, suspended:
        with pytest.raises(WaitError, match="Not ready after 8 s"):
            wait_ready(limited, [one], 8)


def test_a_quota_that_forbids_pods_is_told(kube, namespace, image):
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "q", "namespace": namespace},
        "spec": {"hard": {"pods": "0"}},
    }
    apply(kube, [quota], field_manager=MANAGER)
    time.sleep(1)  # until the quota controller has taken the quota up
    assert "exceeded quota" in waited(kube, deployment(namespace, image))[0]
    assert "exceeded quota" in waited(kube, job(namespace, image, "-version"))[0]


def test_after_its_time_it_says_what_is_missing(kube, namespace):
    absent = deployment(namespace, "x")
    with pytest.raises(WaitError, match=f"Not ready after 1 s: Deployment d in namespace {namespace}: it is not there"):
        wait_ready(kube, [absent], 1)


def test_what_is_there_is_ready(kube, namespace):
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": namespace}}
    found = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    before = threading.active_count()
    wait_ready(kube, [found, config_map], 10)
    for _ in range(50):
        if threading.active_count() <= before:
            break
        time.sleep(0.1)
    assert threading.active_count() <= before  # the watches end with the wait


def command(cluster, path, *objects, seconds=60):
    """`kubeop apply --wait` of these documents."""
    path.write_text(yaml.safe_dump_all(objects))
    arguments = ["--kubeconfig", str(cluster.kubeconfig), "-f", str(path), "--wait", "--timeout-seconds", str(seconds)]
    return subprocess.run([*SCRIPT, "apply", *arguments], capture_output=True, text=True, check=False)


def test_the_items_of_a_list_are_waited_for(cluster, kube, namespace, tmp_path):
    def in_list(obj):
        return {"apiVersion": "v1", "kind": "List", "items": [obj]}

    done = command(cluster, tmp_path / "a.yaml", in_list(deployment(namespace, pause_image())))
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Everything is ready.\n")
    assert kube.get("apps/v1", "Deployment", "d", namespace)["status"]["availableReplicas"] == 1
    done = command(
        cluster,
        tmp_path / "a.yaml",
        in_list(deployment(namespace, "localhost/not-there:1", imagePullPolicy="Never")),
    )
    assert done.returncode == 1
    assert "Everything is ready." not in done.stdout
    assert "1 updated" in done.stdout
    assert "ErrImageNeverPull" in done.stderr


def test_what_is_in_no_namespace_is_waited_for_though_its_manifest_names_one(cluster, kube, tmp_path):
    name = f"kubeop-it-{uuid.uuid4().hex[:8]}"
    stray = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "namespace": "default"}}
    try:
        done = command(cluster, tmp_path / "a.yaml", stray, seconds=10)
        wait_ready(kube, [stray], 10)
    finally:
        kube.delete("v1", "Namespace", name)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"+ create Namespace {name}\n1 created\nEverything is ready.\n"


def test_follow_tells_what_is_there_and_what_changes(kube, namespace, gate):
    def make(name):
        metadata = {"name": name, "namespace": namespace, "labels": {"t": "1"}}
        kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})

    make("a")
    stop, seen = Stop(), []
    with Client.from_kubeconfig(gate.kubeconfig) as client:

        def work():
            events = follow(client, "v1", "ConfigMap", namespace, label_selector="t=1", stop=stop)
            seen.extend((event.type, event.object.get("metadata", {}).get("name", "")) for event in events)

        thread = threading.Thread(target=work)
        thread.start()

        def until(event):
            for _ in range(200):
                if event in seen:
                    return True
                time.sleep(0.05)
            return False

        assert until(("SYNCED", ""))
        assert seen == [("ADDED", "a"), ("SYNCED", "")]
        make("b")
        assert until(("ADDED", "b"))
        gate.shut()  # a change while nobody can see it
        kube.delete("v1", "ConfigMap", "a", namespace)
        make("c")
        gate.open()
        assert until(("DELETED", "a"))
        assert until(("ADDED", "c"))
        assert seen.count(("ADDED", "b")) == 1
        stop.set()
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_follow_gives_up_when_it_may_not(limited):
    with pytest.raises(ApiError, match="forbidden"):
        next(follow(limited, "v1", "Secret"))


def test_follow_gives_up_after_its_patience(gate):
    gate.shut()
    with Client.from_kubeconfig(gate.kubeconfig) as client, pytest.raises(ClusterUnreachable):
        next(follow(client, "v1", "Secret", patience_seconds=0.5))


def test_a_tunnel_leads_to_a_service(kube):
    with open_tunnel(kube, "kube-system", "kube-dns", 9153) as url, urllib3.PoolManager() as pool:
        assert url.startswith("http://127.0.0.1:")
        for _ in range(3):
            answer = pool.request("GET", f"{url}/metrics", timeout=10)
            assert answer.status == 200
            assert b"coredns_build_info" in answer.data


def test_a_tunnel_to_nowhere_says_why(kube, limited, namespace):
    with (
        pytest.raises(ClusterError, match="no Service kube-system/nothing"),
        open_tunnel(kube, "kube-system", "nothing", 1),
    ):
        pass
    with pytest.raises(ClusterError, match="no port 1"), open_tunnel(kube, "kube-system", "kube-dns", 1):
        pass
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "empty", "namespace": namespace},
        "spec": {"selector": {"app": "nothing"}, "ports": [{"port": 80}]},
    }
    apply(kube, [service], field_manager=MANAGER)
    with pytest.raises(ClusterError, match="has no ready pod"), open_tunnel(kube, namespace, "empty", 80):
        pass
    with pytest.raises(ApiError, match="forbidden"), open_tunnel(limited, namespace, "empty", 80):
        pass
