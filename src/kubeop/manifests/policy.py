"""ConfigMap `kubeop-policy`: the rules of one cluster, which the operator and the webhook watch.

Lists are one item a line. `kubeop.domain.policy` reads it; the keys are in `kubeop.names`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kubeop import names
from kubeop.manifests.common import metadata


def policy_configmap(
    *,
    image_allowlist: Iterable[str] = (),
    egress_baseline: Iterable[str] = (),
    quota_max: Mapping[str, str] | None = None,
    cluster: str = "",
    admin_groups: Iterable[str] = (),
    admin_users: Iterable[str] = (),
    version: str = "",
) -> dict[str, Any]:
    """The ConfigMap.

    `image_allowlist`: see `kubeop.domain.images`; empty restricts nothing. `egress_baseline`: CIDRs that projects may
    reach besides DNS; empty means none. `quota_max`: `{requestsCPU, requestsMemory}`, the most that one project may
    get. `cluster`: the name under which the cluster is registered. `admin_groups` and `admin_users`: who, besides
    cluster administrators and the platform itself, may make and change project namespaces directly.
    """
    limits = dict(quota_max or {})
    data = {
        names.POLICY_CLUSTER: cluster,
        names.POLICY_IMAGES: "\n".join(image_allowlist),
        names.POLICY_EGRESS: "\n".join(egress_baseline),
        names.POLICY_MAX_CPU: limits.get("requestsCPU", ""),
        names.POLICY_MAX_MEMORY: limits.get("requestsMemory", ""),
        names.POLICY_ADMIN_GROUPS: "\n".join(admin_groups),
        names.POLICY_ADMIN_USERS: "\n".join(admin_users),
    }
    found = metadata(names.POLICY_CONFIGMAP, "policy", version)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": found, "data": data}
