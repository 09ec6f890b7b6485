"""Container images: reading OCI archives, making the cluster's own two out of one static binary each, and loading them.

No registry takes part: an archive goes straight into the cluster's containerd, in the namespace that kubelet looks in.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubeop.devcluster.layout import Layout
from kubeop.devcluster.shell import run
from kubeop.errors import DevClusterError

_NAMESPACE = "k8s.io"
_REF_ANNOTATIONS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_OCI = "application/vnd.oci.image"


@dataclass(frozen=True)
class Image:
    """An image by its reference and the digest of its manifest (or index)."""

    reference: str
    digest: str


def read_archive(archive: Path) -> tuple[Image, ...]:
    """The images in an OCI archive. DevClusterError if it is none, or an image in it has no reference."""
    hint = "Write one with `buildah push IMAGE oci-archive:FILE:IMAGE`."
    try:
        with tarfile.open(archive) as tar:
            member = tar.extractfile("index.json")
            manifests = json.loads(member.read() if member is not None else b"")["manifests"]
            found = [Image(_reference(entry), entry["digest"]) for entry in manifests]
    except FileNotFoundError as error:
        raise DevClusterError(f"There is no image archive {archive}.", hint=hint) from error
    except (tarfile.TarError, KeyError, TypeError, ValueError, OSError) as error:
        raise DevClusterError(f"{archive} is not an OCI image archive.", hint=hint) from error
    if not found or not all(image.reference for image in found):
        raise DevClusterError(f"An image in {archive} has no name such as localhost/name:tag.", hint=hint)
    return tuple(found)


def loaded(layout: Layout) -> dict[str, str]:
    """The references in the cluster's containerd and their digests."""
    lines = _ctr(layout, "images", "ls").splitlines()[1:]
    rows = [line.split() for line in lines]
    return {row[0]: row[2] for row in rows if len(row) > 2}


def load(layout: Layout, archive: Path) -> tuple[tuple[Image, bool], ...]:
    """Load an archive's images; with each, whether it was new. One with the same reference and digest is left alone."""
    wanted = read_archive(archive)
    present = loaded(layout)
    new = {image for image in wanted if present.get(image.reference) != image.digest}
    if new:
        _ctr(layout, "images", "import", str(archive))
        after = loaded(layout)
        for image in new:
            if after.get(image.reference) != image.digest:
                raise DevClusterError(f"containerd did not take the image {image.reference} from {archive}.")
    return tuple((image, image in new) for image in wanted)


def write_archive(archive: Path, reference: str, binary: Path, *, entrypoint: str) -> Image:
    """Write an OCI archive of an image with one static binary and nothing else: the same binary, the same digest."""
    layer = archive.with_suffix(".layer")
    with tarfile.open(layer, "w") as tar:
        info = tarfile.TarInfo(entrypoint.lstrip("/"))
        info.size, info.mode = binary.stat().st_size, 0o755
        with binary.open("rb") as file:
            tar.addfile(info, file)
    try:
        with layer.open("rb") as file:
            layer_digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        config = _json({
            "architecture": _architecture(), "os": "linux", "config": {"Entrypoint": [entrypoint], "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
        })  # fmt: skip
        manifest = _json({
            "schemaVersion": 2, "mediaType": f"{_OCI}.manifest.v1+json",
            "config": _descriptor(f"{_OCI}.config.v1+json", config),
            "layers": [{"mediaType": f"{_OCI}.layer.v1.tar", "digest": layer_digest, "size": layer.stat().st_size}],
        })  # fmt: skip
        entry = _descriptor(f"{_OCI}.manifest.v1+json", manifest)
        index = _json({"schemaVersion": 2, "manifests": [{**entry, "annotations": {_REF_ANNOTATIONS[1]: reference}}]})
        with tarfile.open(archive, "w") as tar:
            _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
            _add(tar, "index.json", index)
            for blob in (config, manifest):
                _add(tar, f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob)
            tar.add(layer, arcname=f"blobs/sha256/{layer_digest.partition(':')[2]}")
    finally:
        layer.unlink()
    return Image(reference, entry["digest"])


def _ctr(layout: Layout, *arguments: str) -> str:
    # In the cluster's network namespace, where `down` finds the child of an `up` that was killed.
    return run("nsenter", f"--net={layout.netns}", "--", "ctr", f"--address={layout.containerd_socket}",
               f"--namespace={_NAMESPACE}", *arguments, timeout_seconds=600).stdout  # fmt: skip


def _reference(entry: Mapping[str, Any]) -> str:
    annotations = entry.get("annotations") or {}
    name = next((annotations[key] for key in _REF_ANNOTATIONS if annotations.get(key)), "")
    return str(name) if "/" in name and ":" in name else ""


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _descriptor(media_type: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{hashlib.sha256(blob).hexdigest()}", "size": len(blob)}


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
