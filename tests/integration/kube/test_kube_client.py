import subprocess
import sys

import pytest
import yaml

from kubeop.errors import ApiError, ClusterUnreachable, KubeconfigError
from kubeop.kube.client import Client


def changed(kube, **cluster):
    config = yaml.safe_load(kube.kubeconfig.as_bytes())
    config["clusters"][0]["cluster"] |= cluster
    return config


def test_the_version_is_read(kube):
    assert kube.version().startswith("v1.")


def test_an_object_goes_in_and_out(kube, namespace):
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": namespace}}
    assert kube.get("v1", "ConfigMap", "a", namespace) is None
    assert kube.create(config_map, dry_run=True)["metadata"]["name"] == "a"
    assert kube.get("v1", "ConfigMap", "a", namespace) is None
    made = kube.create(config_map)
    with pytest.raises(ApiError, match="already exists") as caught:
        kube.create(config_map)
    assert caught.value.status == 409
    replaced = kube.replace({**made, "data": {"x": "1"}})
    assert replaced["data"] == {"x": "1"}
    with pytest.raises(ApiError) as caught:
        kube.replace({**made, "data": {"x": "2"}})
    assert caught.value.reason == "Conflict"
    assert kube.patch("v1", "ConfigMap", "a", {"data": {"y": "2"}}, namespace)["data"] == {"x": "1", "y": "2"}
    assert not kube.delete("v1", "ConfigMap", "b", namespace)
    with pytest.raises(ApiError):
        kube.delete("v1", "ConfigMap", "a", namespace, uid="another")
    assert kube.delete("v1", "ConfigMap", "a", namespace, dry_run=True)
    assert kube.get("v1", "ConfigMap", "a", namespace)
    assert kube.delete("v1", "ConfigMap", "a", namespace)


def test_an_unknown_kind_is_named(kube):
    with pytest.raises(ApiError, match="has no kind Nothing in v1"):
        kube.list("v1", "Nothing")


def test_an_old_watch_is_refused_as_gone(kube):
    with pytest.raises(ApiError) as caught:
        list(kube.watch("v1", "ConfigMap", resource_version="1", timeout_seconds=2))
    assert caught.value.status == 410


def test_the_wrong_authority_is_told(kube):
    authority = kube.kubeconfig.cluster["certificate-authority-data"]
    assert authority
    config = changed(kube)
    del config["clusters"][0]["cluster"]["certificate-authority-data"]
    with pytest.raises(ClusterUnreachable, match="not from the kubeconfig's certificate authority"):
        Client.from_kubeconfig(config).version()


def test_another_name_than_the_certificates_is_told(kube):
    with pytest.raises(ClusterUnreachable, match="its certificate is for another name"):
        Client.from_kubeconfig(changed(kube, **{"tls-server-name": "elsewhere.example"})).version()


def test_an_unverified_connection_is_one_that_was_asked_for(kube):
    config = changed(kube, **{"insecure-skip-tls-verify": True})
    del config["clusters"][0]["cluster"]["certificate-authority-data"]
    with Client.from_kubeconfig(config) as client:
        assert client.version() == kube.version()


def test_a_wrong_token_is_told(kube):
    config = changed(kube)
    config["users"][0]["user"] = {"token": "s3cret"}
    with Client.from_kubeconfig(config) as client, pytest.raises(ApiError, match="Unauthorized") as caught:
        client.list("v1", "Namespace")
    assert "s3cret" not in str(caught.value)
    assert "log in again" in caught.value.hint


def test_a_key_that_does_not_fit_is_told(kube):
    config = changed(kube)
    config["users"][0]["user"] = {"client-certificate-data": "QUJD", "client-key-data": "QUJD"}
    with pytest.raises(KubeconfigError, match="not readable PEM"):
        Client.from_kubeconfig(config).version()


def test_no_key_is_left_in_a_file(kube, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert "client-key-data" in kube.kubeconfig.user
    with Client(kube.kubeconfig) as client:
        assert client.version()
        assert list(tmp_path.iterdir()) == []


def test_the_command_applies(kube, cluster, namespace, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, namespace: {namespace}}}\ndata: {{x: '1'}}\n"
    )

    script = [sys.executable, "-c", "from kubeop.cli.main import main; main()"]
    base = [*script, "apply", "--kubeconfig", str(cluster.kubeconfig), "-f", str(path)]

    def run(*more):
        return subprocess.run([*base, *more], capture_output=True, text=True, check=False)

    assert "1 created (dry run)" in run("--dry-run").stdout
    done = run("--diff", "--wait")
    assert f"+ create ConfigMap a in namespace {namespace}" in done.stdout
    assert "+  x: '1'" in done.stdout
    assert done.returncode == 0
    assert run().stdout == "1 unchanged\n"
    path.write_text("a: [1\n")
    failed = run()
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"kubeop: {path}, line ")
