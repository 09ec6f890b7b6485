"""One leader among the replicas: whoever holds the Lease works, the others wait.

Every write is a compare-and-swap on the Lease's resourceVersion, so two replicas cannot both believe the API server.
Clocks are never compared between machines: a follower counts, on its own clock, how long the record has stood as it is.
A leader counts the time since its last renewal *began*; past the renew deadline it is no leader any more, whatever
request may still be on its way, and that is 5 s before any follower may take the Lease. It leads again only by a
renewal of a Lease that still names it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kubeop import names
from kubeop.errors import ApiError, ClusterError
from kubeop.kube.client import Client
from kubeop.kube.transport import Stop
from kubeop.telemetry.logs import get_logger

LEASE_API = "coordination.k8s.io/v1"
LEASE_KIND = "Lease"
_BREATH = 0.2  # seconds between tries that would otherwise follow each other at once


@dataclass(frozen=True)
class Timing:
    """Seconds: how long a Lease counts, how long a leader may go without renewing, and the pause between tries."""

    lease_seconds: int = 15
    renew_deadline: float = 10.0
    retry_period: float = 2.0


class LeaderElector:
    """Acquires, renews and releases the Lease under one identity, which must be this process's alone."""

    def __init__(
        self,
        client: Client,
        identity: str,
        *,
        namespace: str = names.PLATFORM_NAMESPACE,
        name: str = names.OPERATOR_LEASE,
        timing: Timing | None = None,
    ) -> None:
        self.identity = identity
        self.lost = False  # another one holds what this process held
        self._client = client
        self._namespace = namespace
        self._name = name
        self._timing = timing or Timing()
        self._renewed_at: float | None = None  # when the last successful renewal began; None while not the leader
        self._seen = ("", "")  # holder and renewal that were read last
        self._seen_at = 0.0
        self._log = get_logger(__name__)

    def is_leader(self) -> bool:
        """True while this process may act. Needs no API server to turn false."""
        renewed_at = self._renewed_at
        return renewed_at is not None and time.monotonic() - renewed_at < self._timing.renew_deadline

    def acquire(self, stop: Stop) -> bool:
        """Wait until this process is the leader; False if `stop` came first. Never gives up on an API server."""
        complaint = ""
        while not stop.is_set():
            try:
                lease = self._try_to_take()
                if self._renewed_at is not None:
                    return True
                complaint = ""
                self._wait_for_change(lease, stop)
            except ClusterError as error:
                if str(error) != complaint:
                    complaint = str(error)
                    self._log.warning("the Lease cannot be read or written", error=complaint)
                stop.wait(self._timing.retry_period)
        return False

    def keep(self, stop: Stop) -> None:
        """Renew until `stop` is set or another one holds the Lease; `lost` tells which it was.

        While the API server is away `is_leader` turns false when the deadline passes, and true again if the Lease is
        still this process's when the server is back: an outage that hits every replica moves no leadership.
        """
        while not stop.wait(self._timing.retry_period):
            try:
                if not self._renew():
                    self._renewed_at, self.lost = None, True
                    return
            except ClusterError as error:
                self._log.warning("the Lease could not be renewed", error=str(error))

    def release(self) -> None:
        """Give the Lease up, so that a follower takes it at once. Harmless for a process that does not hold it."""
        if self._renewed_at is None:
            return
        self._renewed_at = None
        try:
            lease = self._read()
            if lease is not None and _holder(lease) == self.identity:
                spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _now()}
                self._client.replace({**lease, "spec": spec})
        except ClusterError as error:
            self._log.warning("the Lease could not be released; it runs out by itself", error=str(error))

    def _read(self) -> dict[str, Any] | None:
        return self._client.get(LEASE_API, LEASE_KIND, self._name, self._namespace)

    def _try_to_take(self) -> dict[str, Any] | None:
        """Take a Lease that is free, expired, or was this process's; returns the one of another holder."""
        started = time.monotonic()
        lease = self._read()
        if lease is not None and self._held_by_another(lease):
            return lease
        try:
            if lease is None:
                self._client.create(self._new_lease())
            else:
                self._client.replace({**lease, "spec": self._taken(lease.get("spec") or {})})
        except ApiError as error:
            if error.status != 409:
                raise
            return None  # another replica was quicker: look again
        self._renewed_at = started
        return lease

    def _held_by_another(self, lease: Mapping[str, Any]) -> bool:
        spec = lease.get("spec") or {}
        seen = (_holder(lease), str(spec.get("renewTime", "")))
        if seen != self._seen:
            self._seen, self._seen_at = seen, time.monotonic()
        if seen[0] in ("", self.identity):
            return False
        return time.monotonic() - self._seen_at < int(spec.get("leaseDurationSeconds") or self._timing.lease_seconds)

    def _renew(self) -> bool:
        """Write a new renewal. False if the Lease is another's now; raises ClusterError if that cannot be told."""
        started = time.monotonic()
        lease = self._read()
        if lease is None or _holder(lease) != self.identity:
            return False
        try:
            self._client.replace({**lease, "spec": {**lease["spec"], "renewTime": _now()}})
        except ApiError as error:
            if error.status != 409:
                raise
            return True  # somebody touched the Lease: the next round reads who holds it, and the deadline still runs
        self._renewed_at = started
        return True

    def _wait_for_change(self, lease: Mapping[str, Any] | None, stop: Stop) -> None:
        """Follow the Lease while another one renews it; return when it is released or deleted, or has run out."""
        if lease is None:
            stop.wait(_BREATH)
            return
        began = time.monotonic()
        duration = float(lease["spec"].get("leaseDurationSeconds") or self._timing.lease_seconds)
        events = self._client.watch(
            LEASE_API,
            LEASE_KIND,
            self._namespace,
            resource_version=lease["metadata"]["resourceVersion"],
            timeout_seconds=math.ceil(max(1.0, self._seen_at + duration - began)),
            field_selector=f"metadata.name={self._name}",
            stop=stop,
        )
        for kind, seen in events:
            if stop.is_set() or kind == "DELETED" or (kind != "BOOKMARK" and not self._held_by_another(seen)):
                return
        # A watch that ends early (an API server that is stopping) must not become a busy loop.
        stop.wait(max(0.0, _BREATH - (time.monotonic() - began)))

    def _new_lease(self) -> dict[str, Any]:
        metadata = {"name": self._name, "namespace": self._namespace}
        return {"apiVersion": LEASE_API, "kind": LEASE_KIND, "metadata": metadata, "spec": self._taken({})}

    def _taken(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        now = _now()
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": self._timing.lease_seconds,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": int(spec.get("leaseTransitions") or 0) + (1 if spec else 0),
        }


def _holder(lease: Mapping[str, Any]) -> str:
    return str((lease.get("spec") or {}).get("holderIdentity") or "")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
