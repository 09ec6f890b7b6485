"""What the controllers say about a Tenant or Project: the Ready condition, and writing it only when it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kubeop import names
from kubeop.kube.client import Client

READY = "Ready"


@dataclass(frozen=True)
class Status:
    """The outcome of one reconcile.

    `reason` is one CamelCase word for machines, `message` a sentence for people. `fields` are the status fields besides
    the conditions. `retry`: try again with backoff, for something outside the object may change without an event.
    `gone`: the object's finalizer was taken off, there is nothing left to write a status to. `repaired`: what had been
    deleted or edited and is right again, as Kind/name.
    """

    ready: bool
    reason: str
    message: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    retry: bool = False
    gone: bool = False
    repaired: tuple[str, ...] = ()

    def to_status(self, obj: Mapping[str, Any]) -> dict[str, Any]:
        """The object's whole status. The condition keeps its transition time while its status stays."""
        generation = obj["metadata"].get("generation", 0)
        value = "True" if self.ready else "False"
        before = condition(obj)
        unchanged = before.get("status") == value and "lastTransitionTime" in before
        ready = {
            "type": READY,
            "status": value,
            "reason": self.reason,
            "message": self.message,
            "observedGeneration": generation,
            "lastTransitionTime": before["lastTransitionTime"] if unchanged else _now(),
        }
        return {**self.fields, "observedGeneration": generation, "conditions": [ready]}


def condition(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object's Ready condition, empty if it has none."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    return next((item for item in conditions if item.get("type") == READY), {})


def write_status(client: Client, obj: Mapping[str, Any], status: Status) -> dict[str, Any]:
    """Make the object's status so, if it is not so already. Returns the object as it is then."""
    wanted = status.to_status(obj)
    found = obj.get("status") or {}
    if wanted == found:
        return dict(obj)
    # A merge patch keeps what it does not name: fields that are no longer said are named as null.
    body = {
        "metadata": {"uid": obj["metadata"]["uid"]},  # not an object that has since been made anew under this name
        "status": {**dict.fromkeys(found.keys() - wanted.keys()), **wanted},
    }
    return client.patch(names.GROUP_VERSION, obj["kind"], obj["metadata"]["name"], body, subresource="status")


def set_finalizer(client: Client, obj: Mapping[str, Any], *, present: bool) -> dict[str, Any]:
    """Put the cleanup finalizer on the object or take it off; other finalizers stay. Returns the object."""
    found = list(obj["metadata"].get("finalizers") or [])
    if (names.FINALIZER in found) == present:
        return dict(obj)
    wanted = [*found, names.FINALIZER] if present else [item for item in found if item != names.FINALIZER]
    body = {"metadata": {"resourceVersion": obj["metadata"]["resourceVersion"], "finalizers": wanted}}
    return client.patch(names.GROUP_VERSION, obj["kind"], obj["metadata"]["name"], body)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
