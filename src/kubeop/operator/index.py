"""The few facts about Projects and Tenants that are kept in memory: who belongs to whom, what it asks for, how far
behind its status is. Kept up by watch events, and set right by every full resync."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

from kubeop.domain.quotas import Quota
from kubeop.errors import InputError
from kubeop.operator.ledger import Ref


class Index:
    """Thread-safe. Every method takes or gives names of objects."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._projects: dict[str, tuple[str, Quota]] = {}
        self._behind: dict[Ref, int] = {}

    def put_project(self, project: Mapping[str, Any]) -> set[str]:
        """Remember a Project. Returns the tenants whose count or usage changes with that."""
        spec = project.get("spec") or {}
        entry = (str(spec.get("tenantRef", "")), _quota(spec))
        with self._lock:
            before = self._projects.get(project["metadata"]["name"])
            self._projects[project["metadata"]["name"]] = entry
        if before == entry:
            return set()
        return {entry[0]} if before is None else {entry[0], before[0]}

    def drop_project(self, name: str) -> set[str]:
        """Forget a Project. Returns its tenant, if it was known."""
        with self._lock:
            before = self._projects.pop(name, None)
        return set() if before is None else {before[0]}

    def has_project(self, name: str) -> bool:
        """True if there is a Project of this name."""
        return name in self._projects

    def projects(self) -> list[str]:
        """Every Project."""
        with self._lock:
            return list(self._projects)

    def projects_of(self, tenant: str) -> list[str]:
        """The Projects of a tenant."""
        with self._lock:
            return [name for name, (owner, _) in self._projects.items() if owner == tenant]

    def quotas_of(self, tenant: str) -> list[Quota]:
        """What the Projects of a tenant ask for; one whose quota cannot be read counts as the default."""
        with self._lock:
            return [quota for owner, quota in self._projects.values() if owner == tenant]

    def note_generation(self, ref: Ref, obj: Mapping[str, Any] | None) -> None:
        """Remember how many generations the object's status is behind its spec; None forgets the object."""
        lag = 0
        if obj is not None:
            observed = (obj.get("status") or {}).get("observedGeneration", 0)
            lag = max(0, obj["metadata"].get("generation", 0) - observed)
        with self._lock:
            if lag:
                self._behind[ref] = lag
            else:
                self._behind.pop(ref, None)

    def lag(self) -> Mapping[str, int]:
        """How many generations the statuses are behind, summed by kind."""
        with self._lock:
            summed: Counter[str] = Counter()
            for ref, lag in self._behind.items():
                summed[ref.kind] += lag
            return summed


def _quota(spec: Mapping[str, Any]) -> Quota:
    try:
        return Quota.of(spec.get("quotas"))
    except InputError:
        return Quota()
