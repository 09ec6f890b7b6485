"""The cluster's own API server, seen by what starts the cluster: not answering is an answer here, not an error."""

from __future__ import annotations

import functools
from types import TracebackType
from typing import Any, Self

from kubeop.devcluster.layout import Layout
from kubeop.errors import ClusterError, KubeconfigError
from kubeop.kube.client import Client
from kubeop.kube.transport import RetryPolicy

FIELD_MANAGER = "kubeop-dev"
_TIMEOUT_SECONDS = 15.0


class Api:
    """The API with the administrator's kubeconfig, which is read at the first call."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if "_client" in self.__dict__:
            self._client.close()

    @functools.cached_property
    def _client(self) -> Client:
        never = RetryPolicy(connection_seconds=0, first_seconds=0, busy_seconds=0)
        return Client.from_kubeconfig(self._layout.kubeconfig, timeout_seconds=_TIMEOUT_SECONDS, retry=never)

    def ready(self) -> bool:
        """Whether the API server answers and all its checks pass."""
        try:
            return self._client.send("GET", "/readyz").status == 200
        except (ClusterError, KubeconfigError):
            return False

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        """An object; an empty one if there is none or the server does not answer."""
        try:
            return self._client.get(api_version, kind, name, namespace) or {}
        except (ClusterError, KubeconfigError):
            return {}

    def apply(self, obj: dict[str, Any]) -> None:
        """Server-side apply of one object. Raises ClusterError."""
        self._client.server_side_apply(obj, field_manager=FIELD_MANAGER, force=True)

    def node_ready(self) -> bool:
        """Whether the cluster's node is Ready."""
        conditions = self.get("v1", "Node", self._layout.name).get("status", {}).get("conditions", ())
        return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
