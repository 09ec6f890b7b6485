"""The few calls that starting a cluster needs of its API server, with the administrator's certificate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Self

import urllib3

from kubeop.devcluster.layout import API_PORT, Addresses, Layout
from kubeop.errors import DevClusterError

FIELD_MANAGER = "kubeop-dev"


class Api:
    """A connection pool to one cluster's API server. Use it as a context manager."""

    def __init__(self, layout: Layout, addresses: Addresses) -> None:
        self._base = f"https://{addresses.node}:{API_PORT}"
        self._pool = urllib3.PoolManager(
            ca_certs=f"{layout.pki}/ca.crt",
            cert_file=f"{layout.pki}/admin.crt",
            key_file=f"{layout.pki}/admin.key",
            timeout=urllib3.Timeout(connect=1, read=30),
            retries=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def ready(self) -> bool:
        """Whether the API server answers and all its checks pass."""
        try:
            return bool(self._pool.request("GET", f"{self._base}/readyz").status == 200)
        except urllib3.exceptions.HTTPError:
            return False

    def get(self, path: str) -> dict[str, Any] | None:
        """The object at `path`; None if there is none or the server does not answer."""
        try:
            response = self._pool.request("GET", self._base + path)
        except urllib3.exceptions.HTTPError:
            return None
        if response.status != 200:
            return None
        found: dict[str, Any] = response.json()
        return found

    def apply(self, path: str, document: Mapping[str, Any]) -> None:
        """Server-side apply of one object."""
        url = f"{self._base}{path}?fieldManager={FIELD_MANAGER}&force=true"
        headers = {"content-type": "application/apply-patch+yaml"}
        try:
            response = self._pool.request("PATCH", url, body=json.dumps(document), headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise DevClusterError(
                f"The API server at {self._base} does not answer ({type(error).__name__})."
            ) from error
        if response.status >= 300:
            raise DevClusterError(f"The API server refused {path} with status {response.status}.")
