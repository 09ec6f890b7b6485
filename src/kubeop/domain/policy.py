"""The rules of one cluster, as ConfigMap `kubeop-policy` holds them (`kubeop.manifests.policy` writes it).

An empty image allow-list restricts nothing: a new cluster can be used before anyone has written a list. An empty egress
baseline allows nothing: a project then reaches DNS and itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubeop import names
from kubeop.domain.images import parse_allowlist
from kubeop.domain.networks import parse_cidrs
from kubeop.domain.quotas import Quota
from kubeop.errors import InputError


@dataclass(frozen=True)
class Policy:
    """`quota_max` is the most that one project may get. Admins may make and change project namespaces directly."""

    cluster: str = ""
    image_allowlist: tuple[str, ...] = ()
    egress_baseline: tuple[str, ...] = ()
    quota_max: Quota = field(default_factory=Quota)
    admin_groups: tuple[str, ...] = ()
    admin_users: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_allowlist", parse_allowlist(self.image_allowlist))
        object.__setattr__(self, "egress_baseline", parse_cidrs(self.egress_baseline))

    @classmethod
    def of(cls, configmap: Mapping[str, Any]) -> Policy:
        """Read the ConfigMap object; lists are separated by commas or white space. Raises InputError."""
        data = configmap.get("data") or {}
        try:
            return cls(
                cluster=str(data.get(names.POLICY_CLUSTER, "")).strip(),
                image_allowlist=_items(data, names.POLICY_IMAGES),
                egress_baseline=_items(data, names.POLICY_EGRESS),
                quota_max=Quota(cpu=_text(data, names.POLICY_MAX_CPU), memory=_text(data, names.POLICY_MAX_MEMORY)),
                admin_groups=_items(data, names.POLICY_ADMIN_GROUPS),
                admin_users=_items(data, names.POLICY_ADMIN_USERS),
            )
        except InputError as error:
            where = f"ConfigMap {names.PLATFORM_NAMESPACE}/{names.POLICY_CONFIGMAP}"
            raise InputError(f"{where} cannot be used: {error.message}", hint=error.hint) from error


def _items(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(str(data.get(key, "")).replace(",", " ").split())


def _text(data: Mapping[str, Any], key: str) -> str | None:
    return str(data.get(key, "")).strip() or None
