"""Tenants and projects: their names, and the namespace that a project gets.

A project's namespace is `kubeop-<tenant>-<project>`, and its Project object is `<tenant>-<project>`. Two pairs can meet
in one name (tenant a-b with project c, tenant a with project b-c): the object's name is then taken, its tenant cannot
be changed, and so the second one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubeop import names
from kubeop.domain.quotas import Quota
from kubeop.errors import InputError

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
MAX_NAMESPACE = 63
MAX_TENANT = MAX_NAMESPACE - len(names.project_namespace("", "x"))


def check_name(name: object, what: str, longest: int = MAX_NAMESPACE) -> str:
    """Return the name if it is a DNS label; raise InputError that says what it is the name of."""
    if not isinstance(name, str) or not _LABEL.fullmatch(name) or len(name) > longest:
        raise InputError(
            f"{what} is {name!r}.",
            hint=f"Use up to {longest} lowercase letters, digits and dashes, with a letter or digit at both ends.",
        )
    return name


@dataclass(frozen=True)
class Tenant:
    """A customer or team: the owner of projects, with a quota that all of them share. Raises InputError."""

    name: str
    quota: Quota = field(default_factory=Quota)

    def __post_init__(self) -> None:
        check_name(self.name, "Tenant name", MAX_TENANT)

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Tenant:
        """Read a Tenant object. Raises InputError for one that cannot be used."""
        spec = obj.get("spec") or {}
        return cls(name=spec.get("name", ""), quota=Quota.of(spec.get("quotas")))

    @property
    def labels(self) -> dict[str, str]:
        """The ownership labels of the Tenant object."""
        return {names.LABEL_TENANT: self.name}

    def to_object(self) -> dict[str, Any]:
        """The Tenant object (cluster-scoped)."""
        return {
            "apiVersion": names.GROUP_VERSION,
            "kind": "Tenant",
            "metadata": {"name": self.name, "labels": self.labels},
            "spec": {"name": self.name, "quotas": self.quota.to_dict()},
        }


@dataclass(frozen=True)
class Project:
    """One namespace of a tenant. `tenant` and `name` are names, not object names. Raises InputError."""

    tenant: str
    name: str
    quota: Quota = field(default_factory=Quota)

    def __post_init__(self) -> None:
        check_name(self.tenant, "Tenant name", MAX_TENANT)
        check_name(self.name, "Project name")
        if len(self.namespace) > MAX_NAMESPACE:
            raise InputError(
                f"The namespace {self.namespace} of project {self.name} has {len(self.namespace)} characters.",
                hint=f"At most {MAX_NAMESPACE} are allowed: use a shorter project name.",
            )

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Project:
        """Read a Project object. Raises InputError for one that cannot be used."""
        spec = obj.get("spec") or {}
        return cls(tenant=spec.get("tenantRef", ""), name=spec.get("name", ""), quota=Quota.of(spec.get("quotas")))

    @property
    def namespace(self) -> str:
        """The namespace that the project gets."""
        return names.project_namespace(self.tenant, self.name)

    @property
    def object_name(self) -> str:
        """`metadata.name` of the Project object."""
        return f"{self.tenant}-{self.name}"

    @property
    def labels(self) -> dict[str, str]:
        """The ownership labels of the Project object and of everything that the platform makes for it."""
        return {names.LABEL_TENANT: self.tenant, names.LABEL_PROJECT: self.name}

    def to_object(self) -> dict[str, Any]:
        """The Project object (cluster-scoped)."""
        return {
            "apiVersion": names.GROUP_VERSION,
            "kind": "Project",
            "metadata": {"name": self.object_name, "labels": self.labels},
            "spec": {"tenantRef": self.tenant, "name": self.name, "quotas": self.quota.to_dict()},
        }
