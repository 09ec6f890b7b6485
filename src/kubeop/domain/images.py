"""Image references, and whether one is on an allow-list.

Names are compared in their full spelling (`nginx` is docker.io/library/nginx) and on whole path components: the entry
`ghcr.io/acme` allows ghcr.io/acme/app, not ghcr.io/acme-evil/app.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from kubeop.errors import InputError

_HOST_PART = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"{_HOST_PART}(?:\.{_HOST_PART})*(?::\d+)?")
_IPV6_HOST = re.compile(r"\[[0-9a-fA-F:]+\](?::\d+)?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}")
_DOCKER_HUB = "docker.io"


@dataclass(frozen=True)
class ImageReference:
    """An image in its full spelling: where it is, its path there, and which one (a tag, a digest, or both)."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.registry}/{self.repository}"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


@lru_cache(maxsize=4096)
def parse(reference: str) -> ImageReference:
    """Read an image reference; without a registry it is Docker Hub's, without tag and digest it is `latest`.

    Raises InputError for a text that no container runtime takes either.
    """
    rest, _, digest = reference.partition("@")
    head, slash, last = rest.rpartition("/")
    last, _, tag = last.partition(":")
    path = f"{head}{slash}{last}"
    registry, repository = _split(path)
    components_fit = repository and all(_COMPONENT.fullmatch(part) for part in repository.split("/"))
    if (
        not components_fit
        or not (_HOST.fullmatch(registry) or _IPV6_HOST.fullmatch(registry))
        or (":" in rest.rpartition("/")[2] and not _TAG.fullmatch(tag))
        or ("@" in reference and not _DIGEST.fullmatch(digest))
    ):
        raise InputError(
            f"{reference!r} is not an image reference.", hint="Use registry/path:tag or registry/path@digest."
        )
    if not tag and not digest:
        tag = "latest"
    return ImageReference(registry=registry, repository=repository, tag=tag, digest=digest)


def allowed(reference: str, allowlist: Iterable[str]) -> bool:
    """True if the image is under one of the list's entries; an empty list restricts nothing.

    An entry is a registry (`registry.k8s.io`), a path in one (`ghcr.io/acme/`), or one image, with a tag or digest
    if only that one is meant. Docker Hub's folders need their slash: `docker.io/acme/`, for `docker.io/acme` is the
    image `acme`. Raises InputError for a reference or entry that cannot be read.
    """
    entries = tuple(allowlist)
    if not entries:
        return True
    image = parse(reference)
    return any(_matches(image, _entry(entry)) for entry in entries)


def parse_allowlist(entries: Iterable[str]) -> tuple[str, ...]:
    """Check every entry of an allow-list and return them. Raises InputError that names the first of no use."""
    checked = tuple(dict.fromkeys(entries))
    for entry in checked:
        _entry(entry)
    return checked


@lru_cache(maxsize=1024)
def _entry(entry: str) -> ImageReference:
    """An allow-list entry: an ImageReference whose repository may be empty (a whole registry)."""
    path = entry.rstrip("/")
    if "/" not in path and _is_host(path, entry):
        if not _HOST.fullmatch(path) and not _IPV6_HOST.fullmatch(path):
            raise _bad_entry(entry)
        return ImageReference(registry=_registry(path), repository="")
    try:
        # A trailing slash means "everything below": Docker Hub's `acme/` is no `library/acme`.
        image = parse(f"{path}/x" if entry.endswith("/") else path)
    except InputError:
        raise _bad_entry(entry) from None
    if entry.endswith("/"):
        return ImageReference(registry=image.registry, repository=image.repository.removesuffix("/x"))
    given_tag = ":" in path.partition("@")[0].rpartition("/")[2]
    return ImageReference(image.registry, image.repository, image.tag if given_tag else "", image.digest)


def _matches(image: ImageReference, entry: ImageReference) -> bool:
    if image.registry != entry.registry:
        return False
    if entry.tag or entry.digest:
        return (
            image.repository == entry.repository
            and (not entry.tag or image.tag == entry.tag)
            and (not entry.digest or image.digest == entry.digest)
        )
    return not entry.repository or f"{image.repository}/".startswith(f"{entry.repository}/")


def _split(path: str) -> tuple[str, str]:
    first, slash, rest = path.partition("/")
    if slash and _is_host(first):
        registry = _registry(first)
        return registry, _library(rest) if registry == _DOCKER_HUB else rest
    return _DOCKER_HUB, _library(path)


def _is_host(first: str, entry: str = "") -> bool:
    """Docker's rule: the first part is a registry if it has a dot or a port, or is localhost."""
    if entry and not entry.endswith("/"):  # an allow-list entry of one part: `nginx:1` is an image with a tag
        return "." in first.partition(":")[0] or first.partition(":")[0] == "localhost" or first.startswith("[")
    return "." in first or ":" in first or first == "localhost" or first != first.lower()


def _registry(host: str) -> str:
    host = host.lower()
    return _DOCKER_HUB if host in ("index.docker.io", "registry-1.docker.io") else host


def _library(repository: str) -> str:
    return repository if "/" in repository or not repository else f"library/{repository}"


def _bad_entry(entry: str) -> InputError:
    return InputError(
        f"Image allow-list entry {entry!r} cannot be read.",
        hint="Use a registry or a path in one, such as registry.k8s.io/ or ghcr.io/acme/; an empty list allows all.",
    )
