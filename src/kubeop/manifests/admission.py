"""The admission webhook: two replicas behind a Service, TLS from a Secret, and what the API server asks them about.

Project namespaces, Tenants and Projects are asked about; `kubeop-system` and `kube-system` never are, so that the
webhook can always be repaired. If no replica answers, changes there are refused (`/validate` fails closed); labels
that `/mutate` would have added are then missing, and nothing else.
"""

from __future__ import annotations

from kubeop import names
from kubeop.manifests import common
from kubeop.manifests.common import (
    Object,
    Service,
    cluster_role,
    deployment,
    disruption_budget,
    ingress_policy,
    kube_service,
    metadata,
    role,
    service_account,
)
from kubeop.manifests.webhooks import webhook_configurations

_COMPONENT = "admission"
TLS_PATH = "/tls"
SERVICE_PORT = 443
# The names that the API server uses for the Service: the certificate must carry the first.
DNS_NAMES = (
    f"{names.ADMISSION}.{names.PLATFORM_NAMESPACE}.svc",
    f"{names.ADMISSION}.{names.PLATFORM_NAMESPACE}.svc.cluster.local",
)
_TLS_ANNOTATION = "kubeop.io/tls-checksum"
_WATCH = ["get", "list", "watch"]
_CLUSTER_RULES: list[Object] = [
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": _WATCH},
    {"apiGroups": [names.API_GROUP], "resources": ["tenants", "projects"], "verbs": _WATCH},
]
_RULES: list[Object] = [
    {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [names.POLICY_CONFIGMAP], "verbs": _WATCH},
]


def admission(
    *,
    image: str,
    pull_policy: str,
    version: str,
    ca_bundle_b64: str,
    tls_checksum: str,
    replicas: int = 2,
    log_level: str = "info",
) -> list[Object]:
    """The webhook's objects, its configurations last; Secret `kubeop-admission-tls` is the caller's to make.

    `tls_checksum` is any text that changes with the certificate: it rolls the pods.
    """
    who = (names.ADMISSION, _COMPONENT, version)
    service = Service(
        name=names.ADMISSION,
        component=_COMPONENT,
        image=image,
        pull_policy=pull_policy,
        version=version,
        command=["kubeop", "webhook"],
        args=["serve"],
        requests={"cpu": "200m", "memory": "256Mi"},
        memory_limit="512Mi",
        ports={"https": names.ADMISSION_PORT, "metrics": names.ADMISSION_METRICS_PORT},
        probe_port="https",
        probe_scheme="HTTPS",
        replicas=replicas,
        env={"LOG_LEVEL": log_level},
        mounts={TLS_PATH: {"secret": {"secretName": names.ADMISSION_TLS_SECRET, "defaultMode": 0o440}}},
        annotations={_TLS_ANNOTATION: tls_checksum},
        needs_cluster_api=True,
        priority_class="system-cluster-critical",
    )
    ports = {"https": (SERVICE_PORT, "https"), "metrics": (names.ADMISSION_METRICS_PORT, "metrics")}
    return [
        service_account(*who),
        *cluster_role(*who, _CLUSTER_RULES),
        *role(*who, _RULES),
        ingress_policy(*who, [names.ADMISSION_PORT, names.ADMISSION_METRICS_PORT]),
        kube_service(*who, ports),
        disruption_budget(*who),
        deployment(service),
        *webhook_configurations(ca_bundle_b64, version=version),
    ]


def tls_secret(*, cert_pem: bytes, key_pem: bytes, ca_pem: bytes, version: str = "") -> Object:
    """Secret `kubeop-admission-tls`."""
    meta = metadata(names.ADMISSION_TLS_SECRET, _COMPONENT, version)
    return common.tls_secret(meta, cert_pem=cert_pem, key_pem=key_pem, ca_pem=ca_pem)
