"""The images as they leave the build: who they run as, what they say of themselves, what is not in them, how large."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MEGABYTE = 1_000_000
# Names of programs that build or install software; a service needs none of them.
BUILD_TOOLS = {"gcc", "cc", "make", "ld", "go", "cargo", "git", "pip", "pip3", "uv", "apt", "apt-get", "mmdebstrap"}


@dataclass(frozen=True)
class Image:
    reference: str
    config: dict
    layers: tuple[str, ...]
    compressed_bytes: int
    files: frozenset[str]


@pytest.fixture(scope="module", params=["controller", "webhook"])
def image(request: pytest.FixtureRequest) -> Image:
    built = subprocess.run(
        [sys.executable, ROOT / "images/build.py"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.splitlines()
    reference, archive = next(line.split("=", 1)[1] for line in built if line.startswith(request.param)).split()
    return read(reference, Path(archive))


def read(reference: str, archive: Path) -> Image:
    with tarfile.open(archive) as tar:

        def blob(digest: str) -> bytes:
            member = tar.extractfile(f"blobs/{digest.replace(':', '/')}")
            assert member is not None
            return member.read()

        index = json.load(tar.extractfile("index.json"))
        manifest = json.loads(blob(index["manifests"][0]["digest"]))
        files: set[str] = set()
        for layer in manifest["layers"]:
            with tarfile.open(fileobj=io.BytesIO(blob(layer["digest"]))) as content:
                files |= {member.name for member in content if not member.isdir()}
        return Image(
            reference=reference,
            config=json.loads(blob(manifest["config"]["digest"]))["config"],
            layers=tuple(layer["digest"] for layer in manifest["layers"]),
            compressed_bytes=sum(layer["size"] for layer in manifest["layers"]),
            files=frozenset(files),
        )


def test_runs_as_uid_1000(image: Image) -> None:
    assert image.config["User"] == "1000:1000"


def test_labels_tell_version_and_commit(image: Image) -> None:
    labels = image.config["Labels"]
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    assert labels["org.opencontainers.image.revision"] == head
    assert labels["org.opencontainers.image.version"] == image.reference.rsplit(":", 1)[1]
    assert f"KUBEOP_VERSION={labels['org.opencontainers.image.version']}" in image.config["Env"]


def test_holds_no_build_tools(image: Image) -> None:
    programs = {Path(name).name for name in image.files if Path(name).parent.name in ("bin", "sbin")}
    assert programs & BUILD_TOOLS == set()
    assert "kubeop" in programs


def test_is_under_120_megabytes_compressed(image: Image) -> None:
    assert image.compressed_bytes < 120 * MEGABYTE
