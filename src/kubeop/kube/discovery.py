"""Where the API server keeps a kind: its plural name and whether it lives in namespaces. Asked once a group version."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from kubeop.errors import ApiError

_REREAD_SECONDS = 1.0  # a kind that is not there is looked for again, but not more often than this


@dataclass(frozen=True)
class Resource:
    """A kind as the API server serves it."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str = "") -> str:
        """The URL path of the collection, of one object, or of a part of it."""
        parts = [base_path(self.api_version)]
        if self.namespaced and namespace:
            parts.append(f"namespaces/{quote(namespace, safe='')}")
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        if subresource:
            parts.append(subresource)
        return "/".join(parts)


def base_path(api_version: str) -> str:
    """Where a group version lives: "v1" under /api, all others under /apis."""
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


class Discovery:
    """Resources by group version; thread-safe. `fetch` gets a path's JSON, or None when it is not there."""

    def __init__(self, fetch: Callable[[str], Any | None]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, Resource]] = {}
        self._read_at: dict[str, float] = {}

    def find(self, api_version: str, kind: str) -> Resource | None:
        """The resource, None when the server has no such kind. A miss asks the server again: a CRD may be new."""
        with self._lock:
            found = self._known.get(api_version, {}).get(kind)
            if found is None and time.monotonic() - self._read_at.get(api_version, -_REREAD_SECONDS) >= _REREAD_SECONDS:
                self._known[api_version] = self._read(api_version)
                self._read_at[api_version] = time.monotonic()
                found = self._known[api_version].get(kind)
            return found

    def forget(self) -> None:
        """Drop what is known, after CRDs have changed."""
        with self._lock:
            self._known.clear()
            self._read_at.clear()

    def _read(self, api_version: str) -> dict[str, Resource]:
        answer = self._fetch(base_path(api_version)) or {}
        return {
            item["kind"]: Resource(api_version, item["kind"], item["name"], bool(item["namespaced"]))
            for item in answer.get("resources", [])
            if "/" not in item["name"]
        }


def unknown_kind(api_version: str, kind: str, host: str) -> ApiError:
    """What to say of a kind that the server does not have."""
    return ApiError(
        f"The API server at {host} has no kind {kind} in {api_version}.",
        status=404,
        reason="NotFound",
        hint="Check apiVersion and kind, or install the CustomResourceDefinition first.",
    )
