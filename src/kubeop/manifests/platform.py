"""All that one registered cluster gets: the manager applies it, `kubeop deploy generate-all` prints it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kubeop.manifests.admission import admission
from kubeop.manifests.common import Object, platform_namespace
from kubeop.manifests.crds import crds
from kubeop.manifests.operator import operator
from kubeop.manifests.policy import policy_configmap


@dataclass(frozen=True)
class Admission:
    """The webhook: its image, the authority's PEM in base64, and a text that changes with the certificate."""

    image: str
    ca_bundle_b64: str
    tls_checksum: str


@dataclass(frozen=True)
class Policy:
    """What stands in ConfigMap `kubeop-policy`; see `policy_configmap`."""

    image_allowlist: Iterable[str] = ()
    egress_baseline: Iterable[str] = ()
    quota_max: Mapping[str, str] = field(default_factory=dict)
    admin_groups: Iterable[str] = ()
    admin_users: Iterable[str] = ()


def platform(
    *,
    operator_image: str,
    pull_policy: str,
    version: str,
    cluster: str = "",
    policy: Policy | None = None,
    webhook: Admission | None = None,
    log_level: str = "info",
) -> list[Object]:
    """The namespace, the CRDs, the policy, the operator, and the webhook if wanted (its Secret is the caller's)."""
    policy = policy or Policy()
    found = [
        platform_namespace(version),
        *crds(version),
        policy_configmap(
            image_allowlist=policy.image_allowlist,
            egress_baseline=policy.egress_baseline,
            quota_max=policy.quota_max,
            cluster=cluster,
            admin_groups=policy.admin_groups,
            admin_users=policy.admin_users,
            version=version,
        ),
        *operator(image=operator_image, pull_policy=pull_policy, version=version, log_level=log_level),
    ]
    if webhook is not None:
        found += admission(
            image=webhook.image,
            pull_policy=pull_policy,
            version=version,
            ca_bundle_b64=webhook.ca_bundle_b64,
            tls_checksum=webhook.tls_checksum,
            log_level=log_level,
        )
    return found
