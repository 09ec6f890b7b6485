"""Kubernetes Events on a Tenant or Project, for `kubectl describe`. Losing one is no harm, repeating one is noise."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kubeop import names
from kubeop.errors import ClusterError
from kubeop.kube.client import Client
from kubeop.telemetry.logs import get_logger

QUIET_SECONDS = 60.0  # the same event on the same object is not posted again within this time
_NAMESPACE = "default"  # where the events of cluster-scoped objects live
_MAX_MESSAGE = 1024
_MAX_REMEMBERED = 4096


class Recorder:
    """Posts events; thread-safe. A failure is logged and forgotten."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._posted: dict[tuple[str, str, str], float] = {}

    def post(self, obj: Mapping[str, Any], reason: str, message: str, *, warning: bool = False) -> None:
        """Post an event about the object, unless the same one was posted just now."""
        metadata = obj["metadata"]
        if not self._is_new((metadata["uid"], reason, message)):
            return
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{time.time_ns():x}", "namespace": _NAMESPACE},
            "involvedObject": {
                "apiVersion": obj["apiVersion"],
                "kind": obj["kind"],
                "name": metadata["name"],
                "uid": metadata["uid"],
                "resourceVersion": metadata.get("resourceVersion", ""),
            },
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "message": message[:_MAX_MESSAGE],
            "source": {"component": names.OPERATOR},
            "reportingComponent": names.OPERATOR,
            "reportingInstance": socket.gethostname(),
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }
        try:
            self._client.create(event)
        except ClusterError as error:
            get_logger(__name__).warning("an event could not be posted", reason=reason, error=str(error))

    def _is_new(self, key: tuple[str, str, str]) -> bool:
        now = time.monotonic()
        with self._lock:
            if now - self._posted.get(key, now - QUIET_SECONDS) < QUIET_SECONDS:
                return False
            if len(self._posted) >= _MAX_REMEMBERED:
                self._posted = {known: at for known, at in self._posted.items() if now - at < QUIET_SECONDS}
            self._posted[key] = now
            return True
