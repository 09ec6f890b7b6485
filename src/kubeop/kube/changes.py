"""What an apply did or would do, object by object, and how it is shown: secrets hidden, bookkeeping left out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from kubeop.kube.client import named

Action = Literal["create", "update", "unchanged", "delete"]

HIDDEN = "(hidden)"
HIDDEN_CHANGED = "(hidden, changed)"

# What the server counts and stamps; it differs between a dry run and the real thing.
_BOOKKEEPING = frozenset({"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"})
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"  # holds a copy of the whole object
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SECRET_FIELDS = ("data", "stringData")


@dataclass(frozen=True)
class Change:
    """What happens to one object. `before` and `after` are None where there is none, and for `unchanged`.

    They have no status, no managedFields and no secret value. `note` says what the two do not show.
    """

    action: Action
    api_version: str
    kind: str
    namespace: str
    name: str
    before: Mapping[str, Any] | None = field(default=None, repr=False)
    after: Mapping[str, Any] | None = field(default=None, repr=False)
    note: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that differ between `before` and `after`, such as `spec.hard[requests.cpu]`."""
        if self.before is None or self.after is None:
            return ()
        return tuple(_differing(self.before, self.after, ""))

    def __str__(self) -> str:
        return f"{self.action} {named(self.kind, self.name, self.namespace)}"


@dataclass(frozen=True)
class ApplyResult:
    """All changes, in the order in which the objects were given, deleted ones last. `dry_run`: nothing was done."""

    changes: tuple[Change, ...]
    dry_run: bool = False

    @property
    def changed(self) -> bool:
        """Whether anything differs from before (or would, in a dry run)."""
        return any(change.action != "unchanged" for change in self.changes)

    @property
    def present(self) -> tuple[dict[str, Any], ...]:
        """The objects that are there after it, each by apiVersion, kind, name and the namespace that it really has."""
        return tuple(_reference(change) for change in self.changes if change.action != "delete")

    def count(self, action: Action) -> int:
        """How many objects this happened to."""
        return sum(change.action == action for change in self.changes)

    def summary(self) -> str:
        """Such as "3 created, 1 updated, 196 unchanged"."""
        words = {"create": "created", "update": "updated", "delete": "deleted", "unchanged": "unchanged"}
        counts = ((self.count(action), word) for action, word in words.items())  # type: ignore[arg-type]
        return ", ".join(f"{number} {word}" for number, word in counts if number) or "nothing to do"

    def diff(self) -> dict[str, str]:
        """Before and after in YAML, of what changes only; the form that Ansible shows as a diff."""
        changed = [change for change in self.changes if change.action != "unchanged"]
        return {
            "before": "".join(_document(change, change.before) for change in changed),
            "after": "".join(_document(change, change.after, change.note) for change in changed),
        }

    def unified_diff(self) -> str:
        """The same for a terminal: lines with + and -, object by object."""
        lines: list[str] = []
        for change in self.changes:
            if change.action != "unchanged":
                before = _document(change, change.before).splitlines(keepends=True)
                after = _document(change, change.after, change.note).splitlines(keepends=True)
                name = named(change.kind, change.name, change.namespace)
                lines += difflib.unified_diff(before, after, f"live: {name}", f"wanted: {name}")
        return "".join(lines)


def _reference(change: Change) -> dict[str, Any]:
    where = {"namespace": change.namespace} if change.namespace else {}
    return {"apiVersion": change.api_version, "kind": change.kind, "metadata": {"name": change.name, **where}}


def shown(obj: Mapping[str, Any]) -> dict[str, Any]:
    """An object without status and the server's bookkeeping. Parts are shared with the original."""
    result = {key: value for key, value in obj.items() if key != "status"}
    result["metadata"] = {key: value for key, value in obj["metadata"].items() if key not in _BOOKKEEPING}
    return result


def shown_pair(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Both sides of a change, ready to be shown: a Secret's values only say whether they change."""
    left, right = (shown(side) if side is not None else None for side in (before, after))
    if not any(side is not None and (side["apiVersion"], side["kind"]) == ("v1", "Secret") for side in (left, right)):
        return left, right
    return _masked(left, None), _masked(right, left)


def _differing(left: Any, right: Any, path: str) -> Iterator[str]:
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        for key in sorted({*left, *right}):
            step = f".{key}" if path and _PLAIN_KEY.fullmatch(key) else f"[{key}]" if path else key
            yield from _differing(left.get(key), right.get(key), path + step)
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from _differing(one, other, f"{path}[{index}]")
    elif left != right:
        yield path


def _masked(side: dict[str, Any] | None, other: dict[str, Any] | None) -> dict[str, Any] | None:
    if side is None:
        return None
    result = dict(side)
    for name in _SECRET_FIELDS:
        if isinstance(side.get(name), Mapping):
            known = (other or {}).get(name) or {}
            result[name] = {
                key: HIDDEN_CHANGED if other is not None and known.get(key) != value else HIDDEN
                for key, value in side[name].items()
            }
    annotations = side["metadata"].get("annotations") or {}
    if _LAST_APPLIED in annotations:
        result["metadata"] = {**side["metadata"], "annotations": {**annotations, _LAST_APPLIED: HIDDEN}}
    return result


def _document(change: Change, side: Mapping[str, Any] | None, note: str = "") -> str:
    if side is None:
        return ""
    text = yaml.dump(_plain(side), Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=True)
    remark = f"# {note}\n" if note else ""
    return f"--- # {named(change.kind, change.name, change.namespace)}\n{remark}{text}"


def _plain(value: Any) -> Any:
    """A copy with no part in it twice, or YAML would write anchors."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
