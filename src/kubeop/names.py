"""Every name that the platform gives to something: API group, labels, objects, ports. Nothing else spells them out."""

from __future__ import annotations

from typing import Final

API_GROUP: Final = "platform.kubeop.io"
API_VERSION: Final = "v1alpha1"
GROUP_VERSION: Final = f"{API_GROUP}/{API_VERSION}"

# Labels and annotations. The `-id` labels hold a name: of the Tenant, Project or App, or of the registered cluster.
LABEL_CLUSTER: Final = "app.kubeop.io/cluster-id"
LABEL_TENANT: Final = "app.kubeop.io/tenant-id"
LABEL_PROJECT: Final = "app.kubeop.io/project-id"
LABEL_APP: Final = "app.kubeop.io/app-id"
LABEL_MANAGED_BY: Final = "app.kubeop.io/managed-by"
LABEL_COMPONENT: Final = "app.kubernetes.io/component"
LABEL_NAME: Final = "app.kubernetes.io/name"
LABEL_PART_OF: Final = "app.kubernetes.io/part-of"
LABEL_VERSION: Final = "app.kubernetes.io/version"
LABEL_NAMESPACE_NAME: Final = "kubernetes.io/metadata.name"
# Of a NetworkPolicy that a namespace has besides the two of its preset: it goes when it is no longer listed.
LISTED_POLICY: Final = "listed-network-policy"
FINALIZER: Final = "kubeop.io/cleanup"
PLATFORM: Final = "kubeop"

# Pod Security Admission's namespace labels: prefix + enforce | warn | audit.
POD_SECURITY_PREFIX: Final = "pod-security.kubernetes.io/"
# An OpenShift sets these labels by itself, after the rights of the namespace's accounts, unless this one says "false".
LABEL_POD_SECURITY_SYNC: Final = "security.openshift.io/scc.podSecurityLabelSync"

# Server-side apply field managers: one for each part that writes, so that a conflict says who owns a field.
FIELD_MANAGER_ANSIBLE: Final = "kubeop-ansible"
FIELD_MANAGER_MANAGER: Final = "kubeop-manager"
FIELD_MANAGER_OPERATOR: Final = "kubeop-operator"
FIELD_MANAGER_CLI: Final = "kubeop-cli"
# Of webhooks' caBundle only: who applies the rest of a configuration must not lose it by this.
FIELD_MANAGER_CERTIFICATES: Final = "kubeop-certificates"

# The platform's own objects.
PLATFORM_NAMESPACE: Final = "kubeop-system"
MANAGER: Final = "kubeop-manager"
MANAGER_ENV_SECRET: Final = "kubeop-manager-env"  # noqa: S105 - a Secret's name, not a secret
MIGRATIONS_JOB: Final = "kubeop-manager-migrations"
OPERATOR: Final = "kubeop-operator"
OPERATOR_LEASE: Final = "kubeop-operator-leader"
ADMISSION: Final = "kubeop-admission"
ADMISSION_TLS_SECRET: Final = "kubeop-admission-tls"  # noqa: S105 - a Secret's name, not a secret
POLICY_CONFIGMAP: Final = "kubeop-policy"
POLICY_CLUSTER: Final = "cluster"  # the keys of its data
POLICY_IMAGES: Final = "imageAllowlist"
POLICY_EGRESS: Final = "egressBaseline"
POLICY_MAX_CPU: Final = "quotaMaxRequestsCPU"
POLICY_MAX_MEMORY: Final = "quotaMaxRequestsMemory"
POLICY_ADMIN_GROUPS: Final = "adminGroups"
POLICY_ADMIN_USERS: Final = "adminUsers"

# A project namespace's baseline.
LIMIT_RANGE: Final = "kubeop-defaults"
RESOURCE_QUOTA: Final = "kubeop-quota"
NETWORK_POLICY_EGRESS: Final = "kubeop-egress"
NETWORK_POLICY_INGRESS: Final = "kubeop-ingress"

# Ports, all TCP.
MANAGER_PORT: Final = 8080
OPERATOR_METRICS_PORT: Final = 8081
OPERATOR_HEALTH_PORT: Final = 8082
ADMISSION_PORT: Final = 8443
ADMISSION_METRICS_PORT: Final = 8083

UID: Final = 1000  # the user that every container of ours runs as


def pod_security(level: str) -> dict[str, str]:
    """The labels of a namespace that is held to a level of Pod Security, in all three of its modes."""
    return {f"{POD_SECURITY_PREFIX}{mode}": level for mode in ("enforce", "audit", "warn")}


def project_namespace(tenant: str, project: str) -> str:
    """The namespace of a project: `kubeop-<tenant>-<project>`."""
    return f"kubeop-{tenant}-{project}"


def tenant_quota(tenant: str) -> str:
    """The ClusterResourceQuota of a tenant, on OpenShift: `kubeop-<tenant>`."""
    return f"kubeop-{tenant}"
