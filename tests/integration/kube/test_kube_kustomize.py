import shutil
from pathlib import Path

import pytest

from kubeop.devcluster import builds
from kubeop.devcluster.progress import Console
from kubeop.errors import InputError
from kubeop.kube import files

OVERLAY = "namePrefix: eu-\nresources: [../base]\nconfigMapGenerator: [{name: more, literals: [a=b]}]\n"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: motd}\n"


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    for name, text in (("base", "resources: [motd.yaml]\n"), ("overlay", OVERLAY)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kustomization.yaml").write_text(text)
    (tmp_path / "base" / "motd.yaml").write_text(CONFIG_MAP)
    return tmp_path / "overlay"


@pytest.fixture(params=["kustomize", "kubectl", "cache"])
def tool(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one place that a kustomize is found in. Every way ends in the kubectl that the cluster is built with."""
    kubectl = Path(builds.provide(Console.stderr()).paths["kubectl"])
    found = tmp_path / "bin"
    found.mkdir()
    monkeypatch.setenv("PATH", str(found))
    monkeypatch.setenv("KUBEOP_CACHE_DIR", str(tmp_path))
    if request.param == "cache":
        (tmp_path / "binaries" / "kubernetes-v1").mkdir(parents=True)
        (tmp_path / "binaries" / "kubernetes-v1" / "kubectl").symlink_to(kubectl)
    else:
        script = 'test "$1" = build && exec {} kustomize "$2"' if request.param == "kustomize" else 'exec {} "$@"'
        (found / request.param).write_text(f"#!/bin/sh\n{script.format(kubectl)}\n")
        (found / request.param).chmod(0o755)


def test_a_kustomization_is_built(tool: None, overlay: Path) -> None:
    for name in (overlay, overlay / "kustomization.yaml"):
        first, second = files.read(name)
        assert first["metadata"]["name"].startswith("eu-more-")
        assert second["metadata"]["name"] == "eu-motd"


def test_without_a_kustomize_the_error_says_what_to_do(
    overlay: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("KUBEOP_CACHE_DIR", str(tmp_path))
    assert shutil.which("kubectl") is None
    with pytest.raises(InputError, match=r"neither is on PATH.*kustomize build DIR"):
        list(files.read(overlay))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("resources: [none.yaml]\n", "none.yaml: no such file"),
        ("secretGenerator: [{name: s, literals: [hunter2]}]\n", "loading KV pairs"),
        ("patches: [{patch: hunter2}]\n", "PatchTransformer"),
        ("a: [\n", "line 1"),
    ],
)
def test_what_cannot_be_built_is_named_and_no_secret_is_repeated(
    overlay: Path, text: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubectl = Path(builds.provide(Console.stderr()).paths["kubectl"])
    monkeypatch.setenv("PATH", str(kubectl.parent))
    (overlay / "kustomization.yaml").write_text(text)
    with pytest.raises(InputError, match=told) as caught:
        list(files.read(overlay))
    assert str(overlay) in str(caught.value)
    assert "hunter2" not in str(caught.value)
