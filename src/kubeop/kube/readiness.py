"""Whether one live object is ready, still on its way (and why), or will never be: pure functions on its status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kubeop import names
from kubeop.kube.client import Object

Outcome = Literal["ready", "waiting", "failed"]


@dataclass(frozen=True)
class State:
    """How an object is doing, in words that fit after its name.

    `doubtful`: a trouble that may pass (a webhook or a quota in the way), and means failure when it lasts.
    """

    outcome: Outcome
    reason: str = ""
    doubtful: bool = False


READY = State("ready")
MISSING = State("waiting", "it is not there")


def has_readiness(obj: Mapping[str, Any]) -> bool:
    """Whether an object of this kind becomes ready some time after it is there."""
    return _rule(obj) is not None


def state(live: Object) -> State:
    """How a live object is doing."""
    rule = _rule(live)
    return READY if rule is None else rule(live)


def selects_pods(obj: Mapping[str, Any]) -> bool:
    """Whether the object runs pods whose failures are its own, or is a pod."""
    return _group_kind(obj) in _WORKLOADS or _group_kind(obj) == ("", "Pod")


def _group_kind(obj: Mapping[str, Any]) -> tuple[str, str]:
    return str(obj["apiVersion"]).rpartition("/")[0], str(obj["kind"])


def _condition(live: Object, name: str) -> Mapping[str, Any]:
    for condition in (live.get("status") or {}).get("conditions") or []:
        if condition.get("type") == name:
            return dict(condition)
    return {}


def _says(condition: Mapping[str, Any]) -> str:
    return ": ".join(str(condition[key]) for key in ("reason", "message") if condition.get(key)) or "no reason given"


def _observed(live: Object) -> bool:
    status = live.get("status") or {}
    return int(status.get("observedGeneration", 0)) >= int(live["metadata"].get("generation", 0))


def _deployment(live: Object) -> State:
    status, wanted = live.get("status") or {}, live["spec"].get("replicas", 1)
    if not _observed(live):
        return State("waiting", "its controller has not seen it yet")
    progressing, failure = _condition(live, "Progressing"), _condition(live, "ReplicaFailure")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return State("failed", _says(progressing))
    if failure.get("status") == "True":
        return State("waiting", _says(failure), doubtful=True)
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if updated < wanted or status.get("replicas", 0) > updated or available < wanted:
        return State("waiting", f"{min(updated, available)} of {wanted} new pods are available")
    return READY


def _stateful_set(live: Object) -> State:
    status, wanted = live.get("status") or {}, live["spec"].get("replicas", 1)
    updated, ready = status.get("updatedReplicas", 0), status.get("readyReplicas", 0)
    renewed = _renewed(live, wanted)
    if not _observed(live) or updated < renewed or ready < wanted:
        if renewed < wanted:
            return State("waiting", f"{updated} of {renewed} pods to be renewed are new, {ready} of {wanted} are ready")
        return State("waiting", f"{min(updated, ready)} of {wanted} new pods are ready")
    return READY


def _renewed(live: Object, wanted: int) -> int:
    """How many pods are renewed by themselves: with OnDelete none, of a StatefulSet those from the partition on."""
    strategy = live["spec"].get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return 0
    return max(0, wanted - int((strategy.get("rollingUpdate") or {}).get("partition") or 0))


def _daemon_set(live: Object) -> State:
    status = live.get("status") or {}
    wanted = status.get("desiredNumberScheduled", 0)
    updated, available = status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)
    renewed = _renewed(live, wanted)
    if not _observed(live) or updated < renewed or available < wanted:
        counted = min(updated, available) if renewed else available
        return State("waiting", f"{counted} of {wanted} {'new ' if renewed else ''}pods are available")
    return READY


def _job(live: Object) -> State:
    failed = _condition(live, "Failed")
    if failed.get("status") == "True":
        return State("failed", _says(failed))
    if _condition(live, "Complete").get("status") == "True":
        return READY
    status = live.get("status") or {}
    return State("waiting", f"{status.get('succeeded', 0)} pods succeeded, {status.get('active', 0)} run")


def _namespace(live: Object) -> State:
    phase = (live.get("status") or {}).get("phase", "Active")
    return READY if phase == "Active" else State("waiting", f"it is {phase}")


def _crd(live: Object) -> State:
    accepted = _condition(live, "NamesAccepted")
    if accepted.get("status") == "False":
        return State("failed", _says(accepted))
    established = _condition(live, "Established").get("status") == "True"
    return READY if established else State("waiting", "it is not established")


def _pod(live: Object) -> State:
    status = live.get("status") or {}
    if status.get("phase") == "Failed":
        return State("failed", str(status.get("message") or status.get("reason") or "it failed"))
    ready = status.get("phase") == "Succeeded" or _condition(live, "Ready").get("status") == "True"
    return READY if ready else State("waiting", f"it is {status.get('phase', 'Pending')}")


def _api_service(live: Object) -> State:
    available = _condition(live, "Available")
    return READY if available.get("status") == "True" else State("waiting", _says(available))


def _custom(live: Object) -> State:
    """A custom resource with a Ready condition; without one it is ready, unless it is ours, which always get one."""
    ready = _condition(live, "Ready")
    if not ready:
        ours = _group_kind(live)[0] == names.API_GROUP
        return State("waiting", "its controller has not seen it yet") if ours else READY
    generation = live["metadata"].get("generation", 0)
    if ready.get("status") == "True" and int(ready.get("observedGeneration", generation)) >= generation:
        return READY
    return State("waiting", _says(ready))


_WORKLOADS: dict[tuple[str, str], Callable[[Object], State]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("batch", "Job"): _job,
}
_RULES: dict[tuple[str, str], Callable[[Object], State]] = {
    **_WORKLOADS,
    ("", "Namespace"): _namespace,
    ("", "Pod"): _pod,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _crd,
    ("apiregistration.k8s.io", "APIService"): _api_service,
}


def _rule(obj: Mapping[str, Any]) -> Callable[[Object], State] | None:
    group_kind = _group_kind(obj)
    if group_kind in _RULES:
        return _RULES[group_kind]
    group = group_kind[0]
    return _custom if "." in group and not group.endswith(".k8s.io") else None
