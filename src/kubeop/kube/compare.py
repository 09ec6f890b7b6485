"""Whether applying an object would change anything, told without asking the API server.

It answers "settled" only when it is certain: the live object says in managedFields which fields our field manager owns,
and that is exactly the set of fields that we want, each with the value that we want. Fields of others and the server's
own defaults do not count; a field that we owned and no longer want does. Whatever is not certain is "not settled": the
caller then lets the server decide. managedFields also tells which lists are merged by key and which are replaced
whole, so that no schema is needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from kubeop.errors import QuantityError
from kubeop.kube import quantities

# Identity and what only the server writes: no manager owns these.
_UNOWNED_METADATA = frozenset(
    {"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink"}
)
# Fields whose values are quantities, by the name of the map that they are in, or by their own.
_QUANTITY_MAPS = frozenset(
    {
        "limits",
        "requests",
        "hard",
        "default",
        "defaultRequest",
        "min",
        "max",
        "maxLimitRequestRatio",
        "capacity",
        "podFixed",
    }
)
_QUANTITY_FIELDS = frozenset({"sizeLimit", "divisor", "averageValue"})
# What the server adds inside a list that it otherwise keeps whole. Only these: any other addition is "not certain".
_DEFAULTS = {"protocol": "TCP", "scope": "*"}

_Tree = Mapping[str, Any]


def settled(wanted: Mapping[str, Any], live: Mapping[str, Any], manager: str) -> bool:
    """Whether a server-side apply of `wanted` by `manager` would certainly leave `live` as it is."""
    version, owned, others = _ownership(live, manager)
    if version not in ("", wanted["apiVersion"]):
        return False
    group = wanted["apiVersion"].rpartition("/")[0]
    comparison = _Comparison(quantities_known="." not in group or group.endswith(".k8s.io"))
    metadata = {key: value for key, value in wanted["metadata"].items() if key not in _UNOWNED_METADATA}
    fields = {key: value for key, value in wanted.items() if key not in ("apiVersion", "kind", "metadata")}
    if metadata:
        fields["metadata"] = metadata
    return comparison.fields(fields, owned, live, others, "")


def touched(before: Mapping[str, Any], after: Mapping[str, Any], manager: str) -> bool:
    """Whether an apply by `manager` has changed the object: what it owns, or the value of a field that it owns.

    All the rest may differ without its doing: a status, a controller's annotation, and even the version, which counts
    up each time that an empty list is applied which the server does not store.
    """
    ownership = _ownership(after, manager)[:2]
    if _ownership(before, manager)[:2] != ownership:
        return True
    owned = ownership[1]
    return bool(owned) and _part(before, owned) != _part(after, owned)


def _ownership(obj: Mapping[str, Any], manager: str) -> tuple[str, _Tree, list[_Tree]]:
    """The API version and fields that `manager` has applied, empty when it has not, and the fields of the others."""
    version = ""
    owned: _Tree = {}
    others: list[_Tree] = []
    for entry in obj.get("metadata", {}).get("managedFields") or []:
        if entry.get("subresource"):
            continue
        if entry.get("manager") == manager and entry.get("operation") == "Apply":
            version, owned = str(entry.get("apiVersion")), entry.get("fieldsV1") or {}
        else:
            others.append(entry.get("fieldsV1") or {})
    return version, owned, others


def _part(value: Any, owned: _Tree) -> Any:
    """The part of a value that is owned, in a form that can be compared."""
    children = {key: tree for key, tree in owned.items() if key != "."}
    if not children:
        return value
    if isinstance(value, Mapping):
        return {key: _part(value.get(key[2:]), tree) for key, tree in children.items()}
    if not isinstance(value, list):
        return value
    if not all(key.startswith("k:") for key in children):
        return [item for item in value if f"v:{json.dumps(item)}" in children]
    found = []
    names = [name for name, _ in _parsed(next(iter(children)))]
    by_key = {_parsed(key): tree for key, tree in children.items()}
    for item in value:
        tree = by_key.get(_item_key(item, names) or ())
        if tree is not None:
            found.append(_part(item, tree))
    return found


class _Comparison:
    """One walk over what we want, what we own and what is live, side by side."""

    def __init__(self, *, quantities_known: bool) -> None:
        # A custom resource keeps "1000m" as it was written, a built-in one writes "1".
        self._quantities_known = quantities_known

    def fields(
        self, wanted: Mapping[str, Any], owned: _Tree, live: Mapping[str, Any], others: list[_Tree], name: str
    ) -> bool:
        """A map that is merged field by field; `name` is its own field's name."""
        if len(wanted) != len(owned) - ("." in owned):
            return False
        for key, value in wanted.items():
            child = owned.get(f"f:{key}")
            if child is None:
                return False
            if key not in live:
                if value == [] and not child:
                    continue  # ours and empty: the server does not store an empty list
                return False
            below = [tree[f"f:{key}"] for tree in others if f"f:{key}" in tree] if others else others
            if not self._value(value, child, live[key], below, name, key):
                return False
        return True

    def _value(self, wanted: Any, owned: _Tree, live: Any, others: list[_Tree], parent: str, name: str) -> bool:
        leaf = not owned or (len(owned) == 1 and "." in owned)
        if isinstance(wanted, Mapping):
            if not isinstance(live, Mapping):
                return False
            if not leaf:
                return self.fields(wanted, owned, live, others, name)
            # Owned as a whole; but when others own parts of it, it was only empty when we applied it.
            return not any(set(tree) - {"."} for tree in others) and self._whole(wanted, live, parent, name)
        if isinstance(wanted, list):
            if not isinstance(live, list):
                return False
            if leaf:
                return self._whole(wanted, live, parent, name)
            return self._items(wanted, owned, live, others, name)
        return leaf and self._scalar(wanted, live, parent, name)

    def _items(self, wanted: list[Any], owned: _Tree, live: list[Any], others: list[_Tree], name: str) -> bool:
        """A list that is merged item by item: sets by value, the others by their key fields."""
        entries = {key: tree for key, tree in owned.items() if key != "."}
        if all(key.startswith("v:") for key in entries):
            return _in_order([_frozen(item) for item in wanted], {_parsed(key) for key in entries}, map(_frozen, live))
        if not all(key.startswith("k:") for key in entries):
            return False
        names = [field for field, _ in _parsed(next(iter(entries)))]
        by_key = {_parsed(key): (key, tree) for key, tree in entries.items()}
        wanted_keys = [_item_key(item, names) for item in wanted]
        live_items = {_item_key(item, names): item for item in live}
        if None in live_items or not _in_order(wanted_keys, set(by_key), live_items):
            return False
        for key, item in zip(wanted_keys, wanted, strict=True):
            text, tree = by_key[key]
            below = [other[text] for other in others if text in other]
            if not self.fields(item, tree, live_items[key], below, name):
                return False
        return True

    def _whole(self, wanted: Any, live: Any, parent: str, name: str) -> bool:
        """What the server replaces as a whole: equal, but for known defaults that it adds inside."""
        if isinstance(wanted, Mapping):
            if not isinstance(live, Mapping) or not all(key in live for key in wanted):
                return False
            if any(key not in wanted and _DEFAULTS.get(key) != value for key, value in live.items()):
                return False
            return all(self._whole(value, live[key], name, key) for key, value in wanted.items())
        if isinstance(wanted, list):
            if not isinstance(live, list) or len(wanted) != len(live):
                return False
            return all(self._whole(one, other, parent, name) for one, other in zip(wanted, live, strict=True))
        return self._scalar(wanted, live, parent, name)

    def _scalar(self, wanted: Any, live: Any, parent: str, name: str) -> bool:
        if wanted is None or isinstance(live, (Mapping, list)):
            return False
        if isinstance(wanted, bool) or isinstance(live, bool):
            return wanted is live
        if wanted == live:
            return True
        if not self._quantities_known or not (parent in _QUANTITY_MAPS or name in _QUANTITY_FIELDS):
            return False
        try:
            return quantities.equal(wanted, live)
        except QuantityError:
            return False


def _in_order(wanted: list[Any], owned: set[Any], live: Any) -> bool:
    """Whether we want exactly what we own, each once, and the live list has these in the same order."""
    if len(wanted) != len(owned) or set(wanted) != owned:
        return False
    return [item for item in live if item in owned] == wanted


def _item_key(item: Any, names: list[str]) -> tuple[tuple[str, Any], ...] | None:
    if not isinstance(item, Mapping):
        return None
    try:
        return tuple((name, _frozen(item[name] if name in item else _DEFAULTS[name])) for name in names)
    except KeyError:
        return None


@lru_cache(maxsize=4096)
def _parsed(key: str) -> Any:
    """A managedFields key in a form that can be compared: `k:{"name":"web"}` or `v:"text"`."""
    value = json.loads(key[2:])
    return tuple((name, _frozen(one)) for name, one in value.items()) if key.startswith("k:") else _frozen(value)


def _frozen(value: Any) -> Any:
    """A scalar with its type, for True and 1 are equal in Python; anything else as text."""
    return (type(value).__name__, value if isinstance(value, (str, int, float, bool)) else json.dumps(value))
