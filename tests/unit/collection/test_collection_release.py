"""What a release is made of: one version everywhere, a changelog with every fragment, an artifact with nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest
import yaml

import kubeop

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent
VERSION = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
# What the artifact holds, by its first folder.
SHIPPED = {"COPYING", "README.md", "changelogs", "docs", "meta", "playbooks", "plugins", "roles"}


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in the collection's artifact, as `make dist` builds it."""
    folder = tmp_path_factory.mktemp("dist")
    built = subprocess.run(
        [sys.executable, ROOT / "tools/dist.py", folder], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split()
    assert [Path(path).name for path in built] == [
        f"kubeop-platform-{VERSION}.tar.gz",
        f"kubeop-{VERSION}-py3-none-any.whl",
    ]
    with tarfile.open(built[0]) as tar:
        return {member.name for member in tar if member.isfile()} - {"MANIFEST.json", "FILES.json"}


def test_the_collection_and_the_library_have_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == kubeop.__version__ == VERSION
    assert (ROOT / "meta/ee-requirements.txt").read_text() == f"kubeop>={VERSION}\n"
    environment = yaml.safe_load((ROOT / "execution-environment.yml").read_text())
    collections = environment["dependencies"]["galaxy"]["collections"]
    assert [found["name"] for found in collections] == [f"dist/kubeop-platform-{VERSION}.tar.gz"]


def test_the_artifact_holds_what_git_knows_and_nothing_else(artifact: set[str]) -> None:
    known = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert artifact <= set(known)
    assert {name.split("/")[0] for name in artifact} - {"CHANGELOG.rst"} == SHIPPED
    for folder in ("plugins", "playbooks", "roles", "meta"):
        assert {name for name in known if name.startswith(f"{folder}/")} <= artifact


def test_every_fragment_comes_out_in_the_changelog(tmp_path: Path) -> None:
    for name in ("README.md", "galaxy.yml"):
        shutil.copy(ROOT / name, tmp_path)
    passing = shutil.ignore_patterns("__pycache__", ".plugin-cache.yaml")
    for name in ("changelogs", "meta", "playbooks", "plugins", "roles"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=passing)
    fragments = [yaml.safe_load(path.read_text()) for path in sorted((tmp_path / "changelogs/fragments").glob("*.yml"))]
    subprocess.run(
        [BIN / "antsibull-changelog", "release", "--version", "9.9.9"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        env={"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    written = " ".join((tmp_path / "CHANGELOG.rst").read_text().split())
    assert "v9.9.9" in written
    for fragment in fragments:
        for lines in fragment.values():
            for line in [lines] if isinstance(lines, str) else lines:
                assert " ".join(line.split()) in written
    assert list((tmp_path / "changelogs/fragments").glob("*.yml")) == []
