"""Manifests in files, folders and kustomizations, as the command line and the Ansible module read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from kubeop.errors import InputError
from kubeop.kube import kustomize

_SUFFIXES = frozenset({".yaml", ".yml", ".json"})


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as Kubernetes reads it: a date is a text, for JSON has none."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


def read(name: str | Path) -> Iterator[dict[str, Any]]:
    """The objects in a file, or in a folder's files (by name, not in sub-folders); a kustomization is built.

    Raises InputError that names file and line, or file and document.
    """
    path = Path(name)
    if path.name in kustomize.KUSTOMIZATIONS and path.is_file():
        path = path.parent
    if kustomize.is_kustomization(path):
        yield from documents(kustomize.build(path), f"the kustomization {path}")
        return
    paths = [path]
    if path.is_dir():
        paths = sorted(one for one in path.iterdir() if one.suffix in _SUFFIXES)
        if not paths:
            raise InputError(f"There is no manifest in {name}.", hint="A manifest ends in .yaml, .yml or .json.")
    for one in paths:
        try:
            text = one.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise InputError(f"Cannot read {one}: {reason}.", hint="Check the path.") from None
        yield from documents(text, str(one))


def documents(text: str, where: str) -> Iterator[dict[str, Any]]:
    """The objects of a text of many documents, YAML or JSON; `where` names it in errors."""
    try:
        for number, document in enumerate(yaml.load_all(text, Loader=_Loader), 1):
            if document is None:
                continue
            if not isinstance(document, dict):
                raise InputError(
                    f"Document {number} of {where} is no object.", hint="Give it apiVersion, kind and metadata."
                )
            yield document
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise InputError(f"{where}{line} is not YAML: {problem}.", hint="Correct it there.") from None
