"""Why a workload's pods will not run: container states that do not get better by waiting, with the last log line."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kubeop.errors import ClusterError
from kubeop.kube.client import Client, Object

_TERMINAL = frozenset({"ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"})
# What a Secret or ConfigMap that comes a moment later cures: only failing when it lasts.
_LASTING = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_LASTING_SECONDS = 10.0
_CRASHES = 3  # restarts after which a crash loop is taken for one
_REVISION = "deployment.kubernetes.io/revision"
_MAX_CHARACTERS = 300


@dataclass
class PodDoctor:
    """Looks at the pods of workloads, and at bare ones; remembers since when a container is in a bad state."""

    client: Client
    _since: dict[tuple[str, str, str], float] = field(default_factory=dict)

    def complaint(self, owner: Object, pods: Iterable[Object]) -> str:
        """Why the owner's pods will never be ready, empty as long as they may. A bare pod is its own owner."""
        for pod in pods:
            if not _selected(owner, pod) or pod["metadata"].get("deletionTimestamp"):
                continue
            for container in _containers(pod):
                reason = self._reason(pod, container)
                if reason and self._current(owner, pod):
                    return f"container {container['name']} of pod {pod['metadata']['name']}: {reason}"
        return ""

    def _reason(self, pod: Object, container: Mapping[str, Any]) -> str:
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason, message = str(waiting.get("reason") or ""), str(waiting.get("message") or "")
        if reason in _TERMINAL:
            return _joined(reason, message)
        if reason in _LASTING:
            key = (pod["metadata"]["uid"], container["name"], reason)
            since = self._since.setdefault(key, time.monotonic())
            return _joined(reason, message) if time.monotonic() - since > _LASTING_SECONDS else ""
        if reason == "CrashLoopBackOff" and container.get("restartCount", 0) >= _CRASHES:
            return self._crash(pod, container)
        return ""

    def _crash(self, pod: Object, container: Mapping[str, Any]) -> str:
        ended = (container.get("lastState") or {}).get("terminated") or {}
        why = f"{ended.get('reason', 'Error')}, exit code {ended.get('exitCode', '?')}"
        metadata = pod["metadata"]
        try:
            log = self.client.logs(metadata["namespace"], metadata["name"], container["name"], lines=1, previous=True)
        except ClusterError:  # the log is a help, not needed
            log = ""
        last = log.strip().rpartition("\n")[2][:_MAX_CHARACTERS]
        return f"CrashLoopBackOff ({why})" + (f", last log line: {last}" if last else "")

    def _current(self, owner: Object, pod: Object) -> bool:
        """Whether the pod is of the owner's present revision; the pods that it replaces may well be broken."""
        labels = pod["metadata"].get("labels") or {}
        if owner["kind"] == "StatefulSet":
            update = (owner.get("status") or {}).get("updateRevision")
            return not update or labels.get("controller-revision-hash") == update
        if owner["kind"] == "Deployment":
            return self._of_newest_set(owner, pod)
        return True

    def _of_newest_set(self, owner: Object, pod: Object) -> bool:
        for reference in pod["metadata"].get("ownerReferences") or []:
            if reference.get("kind") == "ReplicaSet":
                try:
                    found = self.client.get("apps/v1", "ReplicaSet", reference["name"], pod["metadata"]["namespace"])
                except ClusterError:  # who may not read it waits as long as there is time: the pod may be an old one
                    return False
                revision = ((found or {}).get("metadata", {}).get("annotations") or {}).get(_REVISION)
                return bool(found) and revision == (owner["metadata"].get("annotations") or {}).get(_REVISION)
        return False


def _selected(owner: Object, pod: Object) -> bool:
    if owner["kind"] == "Pod":
        return bool(pod["metadata"]["uid"] == owner["metadata"]["uid"])
    wanted = (owner["spec"].get("selector") or {}).get("matchLabels") or {}
    labels = pod["metadata"].get("labels") or {}
    same_place = pod["metadata"].get("namespace") == owner["metadata"].get("namespace")
    return bool(wanted) and same_place and all(labels.get(key) == value for key, value in wanted.items())


def _containers(pod: Object) -> Iterator[Mapping[str, Any]]:
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or []
    yield from status.get("containerStatuses") or []


def _joined(reason: str, message: str) -> str:
    return f"{reason}: {message[:_MAX_CHARACTERS]}" if message else reason
