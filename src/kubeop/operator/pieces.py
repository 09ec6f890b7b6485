"""Putting one object of a baseline right: look first, write only what differs, and leave nothing extra in its spec.

Server-side apply takes back every field that the baseline names. What someone added beside them (a second rule in a
quota, another policy type) is not ours to apply away, and yet bends the baseline: a patch takes it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubeop import names
from kubeop.errors import QuantityError
from kubeop.kube import quantities
from kubeop.kube.client import Client
from kubeop.kube.openshift import OpenShift

Object = Mapping[str, Any]


def put_right(client: Client | OpenShift, wanted: Object, found: Object | None) -> tuple[dict[str, Any], bool]:
    """Make the object as wanted. Returns it as it is then, and whether anything was written."""
    if found is not None and is_right(wanted, found):
        return dict(found), False
    result = client.server_side_apply(dict(wanted), field_manager=names.FIELD_MANAGER_OPERATOR, force=True)
    if not is_right(wanted, result):
        metadata = wanted["metadata"]
        undo: dict[str, Any] = {"metadata": {"labels": dict.fromkeys(_foreign_labels(wanted, result))}}
        if "spec" in wanted:
            undo["spec"] = _undo(wanted["spec"], result.get("spec"))
        result = client.patch(
            wanted["apiVersion"],
            wanted["kind"],
            metadata["name"],
            undo,
            metadata.get("namespace"),
            field_manager=names.FIELD_MANAGER_OPERATOR,
        )
    return result, True


def is_right(wanted: Object, found: Object) -> bool:
    """True if the wanted labels are there, no foreign Pod Security label is, and the spec says just what is wanted."""
    labels = found["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in (wanted["metadata"].get("labels") or {}).items()):
        return False
    if _foreign_labels(wanted, found):
        return False
    return "spec" not in wanted or _same(wanted["spec"], found.get("spec"))


def _foreign_labels(wanted: Object, found: Object) -> list[str]:
    """Pod Security labels that someone added, such as an `enforce-version` that brings old rules back."""
    ours = wanted["metadata"].get("labels") or {}
    labels = found["metadata"].get("labels") or {}
    return [label for label in labels if label.startswith(names.POD_SECURITY_PREFIX) and label not in ours]


def _undo(wanted: Any, found: Any) -> Any:
    """The merge patch that makes `found` the same as `wanted`: nulls for what is too much."""
    if not isinstance(wanted, Mapping) or not isinstance(found, Mapping):
        return wanted
    changed = {key: _undo(value, found.get(key)) for key, value in wanted.items() if not _same(value, found.get(key))}
    return {**dict.fromkeys(found.keys() - wanted.keys()), **changed}


def _same(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping) or wanted.keys() != found.keys():
            return False
        return all(_same(value, found[key]) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(wanted) == len(found) and all(map(_same, wanted, found))
    if wanted == found:
        return True
    try:  # "1" and "1000m" are the same quantity
        return isinstance(wanted, str) and isinstance(found, str) and quantities.equal(wanted, found)
    except QuantityError:
        return False
