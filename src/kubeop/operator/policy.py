"""The cluster's policy as the operator uses it, from ConfigMap kubeop-policy in kubeop-system."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kubeop import names
from kubeop.domain.networks import parse_cidrs
from kubeop.errors import InputError

EGRESS_KEY = "egressBaseline"


@dataclass(frozen=True)
class Policy:
    """`cluster`: the name this cluster is registered under, or empty. `egress_cidrs`: reachable besides DNS."""

    cluster: str = ""
    egress_cidrs: tuple[str, ...] = ()


def read_policy(configmap: Mapping[str, Any], default: Policy) -> Policy:
    """The policy that a ConfigMap sets, `default` where it says nothing. Raises InputError for a bad CIDR."""
    text = (configmap.get("data") or {}).get(EGRESS_KEY)
    if text is None:
        return default
    try:
        return replace(default, egress_cidrs=parse_cidrs(item for item in re.split(r"[\s,]+", text) if item))
    except InputError as error:
        where = f"{EGRESS_KEY} of ConfigMap {names.POLICY_CONFIGMAP} in {names.PLATFORM_NAMESPACE}"
        raise InputError(f"{where}: {error.message}", hint=error.hint) from error
