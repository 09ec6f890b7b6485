import base64
import os
import stat

import pytest
import yaml

from kubeop.errors import KubeconfigError
from kubeop.kube import kubeconfig

PEM = b"-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"


def document(**changes):
    found = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": "https://example:6443/"}}],
        "users": [{"name": "u", "user": {"token": "s3cret"}}],
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
    }
    return found | changes


def test_every_form_of_a_kubeconfig_is_read(tmp_path):
    text = yaml.safe_dump(document())
    path = tmp_path / "config"
    path.write_text(text)
    found = [kubeconfig.load(source) for source in (document(), text, text.encode(), path, str(path))]
    assert {one.server for one in found} == {"https://example:6443"}
    assert {one.namespace for one in found} == {"shop"}
    assert {one.user["token"] for one in found} == {"s3cret"}


def test_secrets_do_not_show():
    assert "s3cret" not in repr(kubeconfig.load(document()))


def test_files_are_inlined_relative_to_the_kubeconfig(tmp_path, monkeypatch):
    (tmp_path / "ca.crt").write_bytes(PEM)
    (tmp_path / "client.crt").write_bytes(PEM)
    (tmp_path / "client.key").write_bytes(b"key")
    (tmp_path / "token").write_text("from-file\n")
    user = {"client-certificate": "client.crt", "client-key": "client.key", "tokenFile": "token"}
    cluster = {"server": "https://example", "certificate-authority": "ca.crt"}
    path = tmp_path / "config"
    path.write_text(
        yaml.safe_dump(
            document(clusters=[{"name": "c", "cluster": cluster}], users=[{"name": "u", "user": user}]),
        )
    )
    monkeypatch.chdir("/")
    found = kubeconfig.load(path)
    assert found.ca_pem == PEM
    assert found.token_file == str(tmp_path / "token")
    stored = yaml.safe_load(found.as_bytes())
    assert stored["users"][0]["user"]["token"] == "from-file"
    assert base64.b64decode(stored["users"][0]["user"]["client-key-data"]) == b"key"
    assert str(tmp_path) not in found.as_bytes().decode()


def test_the_stored_form_reads_the_same():
    found = kubeconfig.load(document())
    again = kubeconfig.load(found.as_bytes())
    assert (again.server, again.namespace, again.user) == (found.server, found.namespace, found.user)
    assert again.as_bytes() == kubeconfig.load(again.as_bytes()).as_bytes()


def test_a_path_list_is_merged_and_the_first_wins(tmp_path, monkeypatch):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text(yaml.safe_dump(document()))
    other.write_text(
        yaml.safe_dump(
            document(
                **{
                    "current-context": "two",
                    "clusters": [{"name": "d", "cluster": {"server": "https://other"}}],
                    "contexts": [{"name": "two", "context": {"cluster": "d", "user": "u"}}],
                }
            )
        )
    )
    monkeypatch.setenv("KUBECONFIG", f"{one}{os.pathsep}{other}{os.pathsep}{tmp_path / 'not-there'}")
    assert kubeconfig.load().server == "https://example:6443"
    assert kubeconfig.load(context="two").server == "https://other"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (document(**{"current-context": ""}), "no current-context"),
        (document(contexts=[]), "no context 'one'"),
        (document(clusters=[]), "no cluster 'c'"),
        (document(users=[]), "no user 'u'"),
        (document(clusters=[{"name": "c", "cluster": {}}]), "has no server"),
        (document(clusters=[{"name": "c", "cluster": {"server": "example:6443"}}]), "the server 'example:6443'"),
        (document(clusters="c"), "no list 'clusters'"),
        (
            document(
                clusters=[{"name": "c", "cluster": {"server": "https://x", "certificate-authority-data": "QUJD"}}]
            ),
            "not",
        ),
        (document(users=[{"name": "u", "user": {"client-certificate-data": "QUJD"}}]), "client-key-data"),
        ({"kind": "Pod"}, "not a kubeconfig"),
        ("a: [\nb: s3cret\n", "line [23] is not YAML"),
        (b"\xff\xfe\n", "not"),
    ],
)
def test_what_is_wrong_is_named_and_no_secret_is_told(source, said):
    with pytest.raises(KubeconfigError, match=said) as caught:
        kubeconfig.load(source)
    assert "s3cret" not in str(caught.value)
    assert caught.value.hint


def test_an_unreadable_file_is_named(tmp_path):
    with pytest.raises(KubeconfigError, match=f"{tmp_path}/none: No such file"):
        kubeconfig.load(tmp_path / "none")
    with pytest.raises(KubeconfigError, match="Is a directory"):
        kubeconfig.load(tmp_path)


def test_outside_of_a_pod_there_is_no_service_account(monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(KubeconfigError, match="does not run in a pod"):
        kubeconfig.in_cluster()


def test_a_pod_has_a_service_account(monkeypatch, tmp_path):
    for name, content in (("token", b"t"), ("ca.crt", PEM), ("namespace", b"shop")):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "token").chmod(stat.S_IRUSR)
    monkeypatch.setattr(kubeconfig, "_SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "6443")
    found = kubeconfig.in_cluster()
    assert (found.server, found.namespace, found.ca_pem) == ("https://[fd00::1]:6443", "shop", PEM)
    assert found.token_file == str(tmp_path / "token")


def test_data_that_is_no_base64_is_named():
    cluster = {"server": "https://example", "certificate-authority-data": "@@@"}
    with pytest.raises(KubeconfigError, match="certificate-authority-data of cluster of context one is not base64"):
        kubeconfig.load(document(clusters=[{"name": "c", "cluster": cluster}]))
