"""What the rules know about the cluster: policy, tenants, projects, and whose a namespace is. All in memory.

One thread a kind writes, the server's loop reads. What a rule goes through in one go is replaced as a whole, never
changed in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from kubeop import names
from kubeop.domain.policy import Policy
from kubeop.domain.projects import Project, Tenant

_NO_PROJECTS: Mapping[str, Project] = MappingProxyType({})


@dataclass(frozen=True)
class Ownership:
    """Whose a namespace is, by its labels; empty where it has none."""

    tenant: str = ""
    project: str = ""
    cluster: str = ""

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Ownership:
        """Read the labels of any object."""
        labels = (obj.get("metadata") or {}).get("labels") or {}
        return cls(
            tenant=labels.get(names.LABEL_TENANT, ""),
            project=labels.get(names.LABEL_PROJECT, ""),
            cluster=labels.get(names.LABEL_CLUSTER, ""),
        )

    def __bool__(self) -> bool:
        return bool(self.tenant or self.project)

    def __str__(self) -> str:
        return f"tenant {self.tenant or '(none)'}, project {self.project or '(none)'}"


@dataclass
class State:
    """The view that rules get. Every mapping is keyed by `metadata.name`; `by_tenant` by the tenant's name."""

    policy: Policy = field(default_factory=Policy)
    namespaces: dict[str, Ownership] = field(default_factory=dict)
    tenants: dict[str, Tenant] = field(default_factory=dict)
    projects: dict[str, Project] = field(default_factory=dict)
    by_tenant: dict[str, Mapping[str, Project]] = field(default_factory=dict)

    def projects_of(self, tenant: str) -> Mapping[str, Project]:
        """The tenant's projects by `metadata.name`: a mapping that stays as it is."""
        return self.by_tenant.get(tenant, _NO_PROJECTS)

    def put_project(self, name: str, project: Project | None) -> None:
        """Note a Project as it is now; None for one that is gone or cannot be used."""
        before = self.projects.get(name)
        if before is not None and (project is None or project.tenant != before.tenant):
            rest = {key: value for key, value in self.projects_of(before.tenant).items() if key != name}
            self.by_tenant[before.tenant] = MappingProxyType(rest)
        if project is None:
            self.projects.pop(name, None)
            return
        self.projects[name] = project
        self.by_tenant[project.tenant] = MappingProxyType({**self.projects_of(project.tenant), name: project})

    def put_tenant(self, name: str, tenant: Tenant | None) -> None:
        """Note a Tenant as it is now; None for one that is gone or cannot be used."""
        if tenant is None:
            self.tenants.pop(name, None)
        else:
            self.tenants[name] = tenant

    def put_namespace(self, name: str, ownership: Ownership | None) -> None:
        """Note a namespace as it is now. Only those that are or could be the platform's are kept."""
        if ownership is None or not (ownership or name.startswith(f"{names.PLATFORM}-")):
            self.namespaces.pop(name, None)
        else:
            self.namespaces[name] = ownership
