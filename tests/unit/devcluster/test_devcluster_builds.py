import contextlib
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubeop.devcluster import builds, gotoolchain
from kubeop.devcluster.progress import Silent
from kubeop.errors import DevClusterError


class Recorder(Silent):
    """Remembers the phases."""

    def __init__(self) -> None:
        self.phases: list[str] = []

    @contextlib.contextmanager
    def phase(self, text: str) -> Iterator[None]:
        self.phases.append(text)
        yield


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("KUBEOP_CACHE_DIR", str(folder))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return folder


def fake_assets(folder: Path, *without: str) -> Path:
    folder.mkdir()
    for module in builds.MODULES:
        for name in set(module.binaries) - set(without):
            (folder / name).write_text("#!/bin/sh\n")
            (folder / name).chmod(0o755)
    return folder


def test_versions_are_those_of_go_mod() -> None:
    found = {module.name: builds.version(module) for module in builds.MODULES}
    assert found["kubernetes"].startswith("v1.")
    assert found["etcd"].startswith("v3.")
    assert found["coredns"].startswith("v1.")
    assert len(found["pause"]) == 12


def test_the_users_folder_comes_first(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assets = fake_assets(tmp_path / "assets", "kubelet")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    found, missing = builds.find()
    assert found.path("etcd") == assets / "etcd"
    assert [binary for _, binary in missing] == ["kubelet"]
    assert found.path("kubelet").is_relative_to(cache)
    kubernetes = next(module for module in builds.MODULES if module.name == "kubernetes")
    assert builds.version(kubernetes) in str(found.path("kubelet"))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DevClusterError, match="nowhere"):
        builds.find(tmp_path / "nowhere")


def test_two_at_once_build_once(cache: Path, tmp_path: Path) -> None:
    assets = fake_assets(tmp_path / "assets", "pause")
    reports = [Recorder(), Recorder()]
    threads = [threading.Thread(target=builds.provide, args=(report, assets)) for report in reports]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    built = [phase for report in reports for phase in report.phases if phase.startswith("building")]
    assert len(built) == 1
    assert "pause" in built[0]
    assert "(1 of 1)" in built[0]
    pause = builds.find(assets)[0].path("pause")
    assert pause.stat().st_mode & stat.S_IXUSR
    assert [path.name for path in pause.parent.iterdir()] == ["pause"]
    with subprocess.Popen([pause]) as process:
        process.terminate()
        assert process.wait(timeout=30) in (0, -15)


def test_a_failed_build_leaves_nothing(cache: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho 'main.go:1: this is no Go'\nexit 2\n")
    go.chmod(0o755)
    pause = builds.MODULES[0]
    with pytest.raises(DevClusterError, match=r"Building pause failed: main\.go:1: this is no Go"):
        builds._build(go, pause, "pause", Silent(), "building")
    assert list(builds.cached(pause, "pause").parent.iterdir()) == []


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KUBEOP_CACHE_DIR", str(tmp_path / "file" / "below"))
    with pytest.raises(DevClusterError, match=r"file/below/binaries cannot be made.*KUBEOP_CACHE_DIR"):
        builds.provide(Silent(), fake_assets(tmp_path / "assets", "pause"))


def test_versions_of_go_compare_as_numbers() -> None:
    assert gotoolchain.parse("1.26.10") > gotoolchain.parse("1.26.9")
    assert gotoolchain.parse("1.26rc1")[:2] == (1, 26)
    assert gotoolchain.on_path("99.0") is None


def test_without_go_the_error_says_what_to_do(cache: Path) -> None:
    with pytest.raises(DevClusterError, match=r"no Go 99\.0 or newer on PATH.*--assets"):
        gotoolchain.provide("99.0", Silent())
    assert not (cache / "go-toolchain.new").exists()
