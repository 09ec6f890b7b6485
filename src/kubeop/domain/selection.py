"""Which of a cluster's namespaces a pattern or a label selector may pick, and whose they are.

What Kubernetes, OpenShift and the platform itself run in is never picked, and neither is `default`: such a namespace
can be governed by its name only. Projects are the operator's, and another tenant's namespace stays that tenant's.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from kubeop import names
from kubeop.errors import InputError

_SYSTEM = re.compile(r"default|kube-.*|openshift|openshift-.*")
_PATTERN = re.compile(r"[a-z0-9*?!\[\]-]+")


@dataclass(frozen=True)
class Pick:
    """A namespace that was found: whose it is (both empty: nobody's), or why it is `skipped`."""

    namespace: str
    tenant: str = ""
    project: str = ""
    skipped: str = ""


def check_pattern(pattern: str) -> str:
    """Return the pattern if it can match a namespace. Raises InputError."""
    if not _PATTERN.fullmatch(pattern):
        raise InputError(
            f"The pattern {pattern!r} matches no namespace's name.",
            hint="Use lowercase letters, digits and dashes, with * for any letters and ? for one.",
        )
    return pattern


def matches(name: str, pattern: str) -> bool:
    """Whether a namespace's name matches; an empty pattern matches each."""
    return not pattern or fnmatch.fnmatchcase(name, pattern)


def pick(namespace: Mapping[str, Any], projects: Collection[str] = (), *, tenant: str = "", project: str = "") -> Pick:
    """Read a Namespace object. `projects`: the namespaces of Projects. `tenant`, `project`: whose it is to be.

    Without these it stays whose it is by its labels; a tenant's namespace of no project is a project of its own name.
    """
    metadata = namespace["metadata"]
    name, labels = metadata["name"], metadata.get("labels") or {}
    if _SYSTEM.fullmatch(name) or name == names.PLATFORM_NAMESPACE:
        return Pick(name, skipped="it is part of the system")
    if metadata.get("deletionTimestamp"):
        return Pick(name, skipped="it is being deleted")
    if name in projects:
        return Pick(name, skipped="it is a project's, which the operator governs")
    owner = labels.get(names.LABEL_TENANT, "")
    if tenant and owner not in ("", tenant):
        return Pick(name, skipped=f"it belongs to tenant {owner}")
    tenant = tenant or owner
    project = project or labels.get(names.LABEL_PROJECT, "") or (name if tenant else "")
    return Pick(name, tenant, project)
