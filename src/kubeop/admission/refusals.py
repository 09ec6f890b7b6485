"""A refusal, and who is exempt from being refused what only the platform may do."""

from __future__ import annotations

from dataclasses import dataclass

from kubeop import names
from kubeop.admission.reviews import User
from kubeop.domain.policy import Policy

# Cluster administrators, by the groups that kubeadm and the API server itself give them, and the platform's services.
_ADMIN_GROUPS = frozenset(
    {"system:masters", "kubeadm:cluster-admins", f"system:serviceaccounts:{names.PLATFORM_NAMESPACE}"}
)
BASELINE_OBJECTS = frozenset(
    {names.LIMIT_RANGE, names.RESOURCE_QUOTA, names.NETWORK_POLICY_EGRESS, names.NETWORK_POLICY_INGRESS}
)


@dataclass(frozen=True)
class Refusal:
    """One reason: what is wrong and what to change.

    `unseen`: it rests on something that was not found; what was made a moment ago may still be on its way to us.
    """

    message: str
    unseen: bool = False


def is_platform_admin(user: User, policy: Policy) -> bool:
    """True for cluster administrators, the platform's own services, and those that the policy names."""
    groups = set(user.groups)
    return bool(groups & _ADMIN_GROUPS or groups & set(policy.admin_groups) or user.username in policy.admin_users)
