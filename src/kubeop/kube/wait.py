"""Waiting until objects are ready, by watch, and no longer than there is hope.

A workload or a bare pod whose containers cannot start (an image that is not there, a crash loop, a quota that forbids
them) fails at once with pod, container and reason, instead of when the time is over.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from kubeop.errors import ClusterError, NotReady, WaitError
from kubeop.kube.changes import ApplyResult
from kubeop.kube.client import Client, Object, label
from kubeop.kube.pods import PodDoctor
from kubeop.kube.readiness import MISSING, State, has_readiness, selects_pods, state
from kubeop.kube.transport import Stop
from kubeop.kube.watch import Event, follow

Key = tuple[str, str, str, str]  # api version, kind, namespace, name

_FEW_NAMESPACES = 5  # up to so many are watched one by one
_LOOK_SECONDS = 1.0  # how often events are looked for and lasting troubles counted while nothing changes
_LASTING_SECONDS = 5.0  # a doubtful state, or a workload that makes no pod, is a failure after so long


def wait_ready(client: Client, objects: Iterable[Mapping[str, Any]], timeout_seconds: float) -> None:
    """Wait until all are ready: Deployments and the like, Jobs done, Namespaces, CRDs, whatever has a Ready condition.

    Only apiVersion, kind, name and namespace of the objects are used. Raises WaitError that says which is not ready and
    why: as soon as that is certain, or after `timeout_seconds`.
    """
    wanted = {_key(client, obj): obj for obj in objects if has_readiness(obj)}
    if wanted:
        stop = Stop()
        try:
            _Waiting(client, wanted, timeout_seconds, stop).run()
        finally:
            stop.set()


def wait_applied(client: Client, result: ApplyResult, timeout_seconds: float) -> None:
    """Wait until what was applied is ready; a dry run has nothing to wait for. Raises NotReady, which has the result.

    The caller has changed something, whatever becomes of it.
    """
    if result.dry_run:
        return
    try:
        wait_ready(client, result.present, timeout_seconds)
    except ClusterError as error:
        raise NotReady(error.message, failures=(error,), result=result, summary=error, hint=error.hint) from error


class _Waiting:
    """One wait: threads that watch, and one place that judges."""

    def __init__(self, client: Client, wanted: Mapping[Key, Mapping[str, Any]], timeout: float, stop: Stop) -> None:
        self._client = client
        self._states: dict[Key, State] = dict.fromkeys(wanted, MISSING)
        self._wanted = wanted
        self._timeout = timeout
        self._began = time.monotonic()
        self._stop = stop
        self._events: queue.SimpleQueue[Event | ClusterError] = queue.SimpleQueue()
        self._live: dict[Key, Object] = {}
        self._pods: dict[Key, Object] = {}
        self._doubtful_since: dict[Key, float] = {}
        self._doctor = PodDoctor(client)

    def run(self) -> None:
        """Return when all are ready."""
        for api_version, kind, namespace in self._places():
            threading.Thread(target=self._follow, args=(api_version, kind, namespace), daemon=True).start()
        while any(state.outcome != "ready" for state in self._states.values()):
            left = self._began + self._timeout - time.monotonic()
            if left <= 0:
                raise self._late()
            try:
                self._take(self._events.get(timeout=min(left, _LOOK_SECONDS)))
            except queue.Empty:
                self._look()

    def _places(self) -> Iterable[tuple[str, str, str | None]]:
        """What to watch: kinds, in each namespace when these are few; pods too where workloads run them."""
        places: dict[tuple[str, str], set[str]] = defaultdict(set)
        for (api_version, kind, namespace, _), obj in self._wanted.items():
            places[api_version, kind].add(namespace)
            if selects_pods(obj):
                places["v1", "Pod"].add(namespace)
        for (api_version, kind), namespaces in places.items():
            if len(namespaces) > _FEW_NAMESPACES:
                yield api_version, kind, None
            else:
                yield from ((api_version, kind, namespace or None) for namespace in namespaces)

    def _follow(self, api_version: str, kind: str, namespace: str | None) -> None:
        try:
            for event in follow(
                self._client, api_version, kind, namespace, stop=self._stop, timeout_seconds=self._timeout + 1
            ):
                self._events.put(event)
        except ClusterError as error:
            self._events.put(error)

    def _take(self, event: Event | ClusterError) -> None:
        if isinstance(event, ClusterError):
            raise event
        if event.type == "SYNCED":
            return
        key = _live_key(event.object)
        gone = event.type == "DELETED"
        if key[:2] == ("v1", "Pod"):
            if gone:
                self._pods.pop(key, None)
            else:
                self._pods[key] = event.object
                self._look()
        if key in self._states:
            self._live[key] = event.object
            found = self._states[key] = MISSING if gone else state(event.object)
            if found.outcome == "failed":
                raise self._failed(key, found.reason)
            if found.doubtful:
                self._doubtful_since.setdefault(key, time.monotonic())
            else:
                self._doubtful_since.pop(key, None)

    def _look(self) -> None:
        """Look for a reason to give up among the pods, and among the events of workloads without any."""
        for key, found in self._states.items():
            owner = self._live.get(key)
            if found.outcome == "ready" or owner is None or not selects_pods(owner):
                continue
            complaint = self._doctor.complaint(owner, self._pods.values())
            if not complaint and time.monotonic() - self._doubtful_since.get(key, self._began) > _LASTING_SECONDS:
                complaint = found.reason if found.doubtful else self._forbidden(key, owner)
            if complaint:
                raise self._failed(key, complaint)

    def _forbidden(self, key: Key, owner: Object) -> str:
        """A controller that may not make a pod says so in an event only (Deployments: in a condition)."""
        if owner["kind"] in ("Deployment", "Pod") or any(_made_by(pod, key) for pod in self._pods.values()):
            return ""
        uid, namespace = owner["metadata"]["uid"], owner["metadata"]["namespace"]
        try:
            events = self._client.list("v1", "Event", namespace, field_selector=f"involvedObject.uid={uid}")
        except ClusterError:  # the events are a help, not needed
            return ""
        found = [event for event in events if event.get("reason") == "FailedCreate"]
        return f"FailedCreate: {found[-1].get('message', '')}" if found else ""

    def _failed(self, key: Key, reason: str) -> WaitError:
        named = label(self._wanted[key])
        if key[1] == "Job" and (last := self._last_line(key)):
            reason = f"{reason.rstrip('.')}, last log line: {last}"
        return WaitError(f"{named} will not become ready: {reason.rstrip('.')}.", hint="Correct it, then run again.")

    def _late(self) -> WaitError:
        late = [(key, found) for key, found in self._states.items() if found.outcome != "ready"]
        shown = "; ".join(f"{label(self._wanted[key])}: {found.reason}" for key, found in late[:5])
        more = f"; and {len(late) - 5} more" if len(late) > 5 else ""
        return WaitError(
            f"Not ready after {self._timeout:.0f} s: {shown}{more}.",
            hint="See `kubectl describe` on it, or allow more time.",
        )

    def _last_line(self, key: Key) -> str:
        """What the Job's last pod said before it failed."""
        pods = [pod for pod in self._pods.values() if _made_by(pod, key)]
        pods.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp")))
        if not pods:
            return ""
        metadata = pods[-1]["metadata"]
        container = pods[-1]["spec"]["containers"][0]["name"]
        try:
            log = self._client.logs(metadata["namespace"], metadata["name"], container, lines=1)
        except ClusterError:  # the log is a help, not needed
            return ""
        return log.strip().rpartition("\n")[2][:300]


def _made_by(pod: Object, key: Key) -> bool:
    owners = pod["metadata"].get("ownerReferences") or []
    same_place = pod["metadata"].get("namespace") == key[2]
    return same_place and any(owner["kind"] == key[1] and owner["name"] == key[3] for owner in owners)


def _key(client: Client, obj: Mapping[str, Any]) -> Key:
    metadata = obj["metadata"]
    namespaced = client.resource(obj["apiVersion"], obj["kind"]).namespaced
    namespace = metadata.get("namespace") or client.kubeconfig.namespace if namespaced else ""
    return obj["apiVersion"], obj["kind"], namespace, metadata["name"]


def _live_key(obj: Object) -> Key:
    return obj["apiVersion"], obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
