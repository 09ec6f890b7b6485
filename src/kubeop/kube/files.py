"""Manifests in files, folders and kustomizations, as the command line and the Ansible module read them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kubeop.errors import InputError
from kubeop.kube import go_yaml, kustomize
from kubeop.kube.given import Document

_MARKER = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_SUFFIXES = frozenset({".yaml", ".yml", ".json"})


@dataclass
class Manifests:
    """What could be read, and why the rest could not: one fault for each file, or for each document of a file."""

    objects: list[dict[str, Any]] = field(default_factory=list)
    faults: list[InputError] = field(default_factory=list)

    def add(self, name: str | Path) -> None:
        """Read a file, a folder or a kustomization; what `read` would raise becomes a fault."""
        try:
            for text, where in _texts(Path(name)):
                self._take(text, where)
        except InputError as fault:
            self.faults.append(fault)

    def add_text(self, text: str, where: str) -> None:
        """Read a text of many documents; `where` names it in faults."""
        self._take(text, where)

    def _take(self, text: str | InputError, where: str) -> None:
        if isinstance(text, InputError):
            self.faults.append(text)
            return
        try:
            self.objects += list(documents(text, where))
        except InputError:  # what is wrong in one document is no reason to lose the others
            for number, (part, line) in enumerate(_parts(text), 1):
                try:
                    self.objects += _documents(part, where, number, line)
                except InputError as fault:
                    self.faults.append(fault)


def read(name: str | Path) -> Iterator[dict[str, Any]]:
    """The objects in a file, or in a folder's files (by name, not in sub-folders); a kustomization is built.

    Raises InputError that names file and line, or file and document.
    """
    for text, where in _texts(Path(name)):
        if isinstance(text, InputError):
            raise text
        yield from documents(text, where)


def documents(text: str, where: str) -> Iterator[dict[str, Any]]:
    """The objects of a text of many documents, YAML or JSON; `where` names it in errors."""
    return _documents(text, where, 1, 0)


def _texts(path: Path) -> Iterable[tuple[str | InputError, str]]:
    """The text of each file, or why it cannot be read, and its name."""
    if path.name in kustomize.KUSTOMIZATIONS and path.is_file():
        path = path.parent
    if kustomize.is_kustomization(path):
        yield kustomize.build(path), f"the kustomization {path}"
        return
    paths = [path]
    if path.is_dir():
        try:
            paths = sorted(one for one in path.iterdir() if one.suffix in _SUFFIXES)
        except OSError as error:
            raise InputError(f"Cannot read {path}: {error.strerror}.", hint="Check the folder's owner.") from None
        if not paths:
            raise InputError(f"There is no manifest in {path}.", hint="A manifest ends in .yaml, .yml or .json.")
    for one in paths:
        try:
            yield one.read_text(encoding="utf-8"), str(one)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            yield InputError(f"Cannot read {one}: {reason}.", hint="Check the path."), str(one)


def _parts(text: str) -> Iterator[tuple[str, int]]:
    """The text cut where documents begin, each part with the number of lines before it.

    Three dashes at the start of a line begin a document wherever they stand: YAML allows them nowhere else.
    """
    starts = [found.start() for found in _MARKER.finditer(text)]
    for start, end in zip([0, *starts], [*starts, len(text)], strict=True):
        part = text[start:end]
        if any(line.strip() and line.lstrip()[0] not in "#%" for line in part.splitlines()):
            yield part, text.count("\n", 0, start)


def _documents(text: str, where: str, first: int, lines: int) -> Iterator[dict[str, Any]]:
    """The objects of a text whose first document is number `first` and that has `lines` lines before it."""
    try:
        for number, document in enumerate(yaml.load_all(text, Loader=go_yaml.Loader), first):
            if document is None:
                continue
            if not isinstance(document, dict):
                raise InputError(
                    f"Document {number} of {where} is no object.", hint="Give it apiVersion, kind and metadata."
                )
            yield Document(document, f"document {number} of {where}")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {lines + mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise InputError(f"{where}{line} is not YAML: {problem}.", hint="Correct it there.") from None
