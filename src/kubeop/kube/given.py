"""What somebody wants, object by object: taken out of lists, checked, and cleaned of what only the server writes.

An object that is none is one fault, which names it by its place, and keeps no other object back.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kubeop.errors import InputError
from kubeop.kube.client import Object, label

CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")
_SERVER_WRITES = ("creationTimestamp", "managedFields", "resourceVersion", "uid", "generation", "selfLink")


class Document(Object):
    """An object that knows where it was read: "document 2 of web.yaml"."""

    def __init__(self, content: Mapping[str, Any], where: str) -> None:
        super().__init__(content)
        self.where = where


def checked(objects: Iterable[Mapping[str, Any]]) -> Iterator[Object | InputError]:
    """Each object, ready to be sent, or what is wrong with it."""
    for number, given in enumerate(objects, 1):
        for where, obj in _items(given, getattr(given, "where", f"object {number}")):
            try:
                yield _clean(obj, where[0].upper() + where[1:])
            except InputError as fault:
                yield fault


def group_kind(obj: Mapping[str, Any]) -> tuple[str, str]:
    """The API group, empty for the core one, and the kind."""
    return obj["apiVersion"].rpartition("/")[0], obj["kind"]


def brings(obj: Mapping[str, Any]) -> set[tuple[str, str]]:
    """The kinds that a CustomResourceDefinition serves, as apiVersion and kind; none of any other object."""
    spec = obj.get("spec")
    if group_kind(obj) != CRD or not isinstance(spec, Mapping):
        return set()
    kind = (spec.get("names") or {}).get("kind") if isinstance(spec.get("names"), Mapping) else None
    versions = spec.get("versions")
    return {
        (f"{spec.get('group')}/{version.get('name')}", str(kind))
        for version in (versions if isinstance(versions, list) else [])
        if isinstance(version, Mapping) and version.get("served")
    }


def _items(obj: Any, where: str) -> Iterator[tuple[str, Any]]:
    """The object with its place, or the contents of a `kind: List` in the place of the list."""
    if (
        isinstance(obj, Mapping)
        and str(obj.get("kind", "")).endswith("List")
        and ("items" in obj and (obj["kind"] == "List" or isinstance(obj["items"], list)))
        and isinstance(obj["items"] or [], list)
    ):
        for number, item in enumerate(obj["items"] or [], 1):
            yield from _items(item, f"item {number} of {where}")
    else:
        yield where, obj


def _clean(obj: Any, where: str) -> Object:
    """A checked copy without what the server writes itself; a Secret's stringData, which it never shows, as data."""
    metadata = _metadata(obj, where)
    copy = dict(obj)
    for name in _SERVER_WRITES:
        metadata.pop(name, None)
    copy["metadata"] = metadata
    if not copy.get("status", True):
        del copy["status"]
    if (copy["apiVersion"], copy["kind"]) == ("v1", "Secret") and "stringData" in copy:
        texts = copy.pop("stringData")
        if texts:
            copy["data"] = {**_mapping(copy, copy.get("data"), "data"), **_encoded(copy, texts)}
    return copy


def _metadata(obj: Any, where: str) -> dict[str, Any]:
    """The metadata of what is an object. Raises InputError."""
    if not isinstance(obj, Mapping):
        raise InputError(
            f"{where} is {type(obj).__name__}, not a Kubernetes object.", hint="Give it apiVersion and kind."
        )
    for name in ("apiVersion", "kind"):
        if not obj.get(name) or not isinstance(obj[name], str):
            raise InputError(f"{where} has no {name}.", hint=f"Give it {name} as a text.")
    metadata = obj.get("metadata")
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        generated = isinstance(metadata, Mapping) and metadata.get("generateName")
        hint = "Applying needs a fixed name: generateName makes another one each time." if generated else "Name it."
        raise InputError(f"{where}, a {obj['kind']}, has no metadata.name that is a text.", hint=hint)
    for name in ("name", "namespace"):
        value = metadata.get(name) or ""
        if not isinstance(value, str) or value in (".", "..") or "/" in value or "%" in value:
            raise InputError(
                f"{where}, {label(obj)}: metadata.{name} is no name.",
                hint="A name is a text of lower case letters, digits, '-' and '.'; one that looks like a number needs "
                "quotes.",
            )
    return dict(metadata)


def _encoded(secret: Object, texts: Any) -> dict[str, str]:
    encoded = {}
    for key, value in _mapping(secret, texts, "stringData").items():
        if not isinstance(value, str):  # str() would make "True" of true, and something of 1e3
            raise InputError(
                f"{label(secret)}: stringData.{key} is {type(value).__name__}, not a text.", hint="Put it in quotes."
            )
        encoded[key] = base64.b64encode(value.encode()).decode()
    return encoded


def _mapping(secret: Object, value: Any, name: str) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise InputError(f"{label(secret)}: {name} is no mapping.", hint="Give it names with values.")
    return value or {}
