import io
import json
import tarfile
from pathlib import Path

import pytest

from kubeop.devcluster import images
from kubeop.errors import DevClusterError


def archive(path: Path, index: bytes) -> Path:
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("index.json")
        info.size = len(index)
        tar.addfile(info, io.BytesIO(index))
    return path


def test_the_same_binary_gives_the_same_digest(tmp_path: Path) -> None:
    binary = tmp_path / "tool"
    binary.write_bytes(b"\x7fELF")
    first = images.write_archive(tmp_path / "1.tar", "localhost/t/tool:1", binary, entrypoint="/tool")
    second = images.write_archive(tmp_path / "2.tar", "localhost/t/tool:1", binary, entrypoint="/tool")
    assert first == second
    assert images.read_archive(tmp_path / "1.tar") == (first,)
    binary.write_bytes(b"\x7fELF2")
    assert images.write_archive(tmp_path / "3.tar", "localhost/t/tool:1", binary, entrypoint="/tool") != first
    assert not list(tmp_path.glob("*.layer"))


@pytest.mark.parametrize("content", [b"", b"no tar at all", b"\x1f\x8b broken gzip"])
def test_what_is_no_archive_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "thing.tar"
    path.write_bytes(content)
    with pytest.raises(DevClusterError, match=r"thing\.tar is not an OCI image archive"):
        images.read_archive(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DevClusterError, match=r"no image archive .*absent\.tar"):
        images.read_archive(tmp_path / "absent.tar")


@pytest.mark.parametrize("index", [b"{}", b"[]", b'{"manifests": [{}]}', b'{"manifests": 3}'])
def test_an_index_of_another_shape(tmp_path: Path, index: bytes) -> None:
    with pytest.raises(DevClusterError, match=r"is not an OCI image archive|has no name"):
        images.read_archive(archive(tmp_path / "a.tar", index))


def test_an_image_without_a_full_name(tmp_path: Path) -> None:
    entry = {"digest": "sha256:0", "annotations": {"org.opencontainers.image.ref.name": "latest"}}
    index = json.dumps({"manifests": [entry]}).encode()
    with pytest.raises(DevClusterError, match="has no name such as localhost/name:tag"):
        images.read_archive(archive(tmp_path / "a.tar", index))
