"""What the cluster itself runs as Kubernetes objects: CoreDNS, and the API server's right to use kubelets."""

from __future__ import annotations

from typing import Any

from kubeop.devcluster.api import Api
from kubeop.devcluster.layout import CLUSTER_DOMAIN, Addresses
from kubeop.devcluster.pki import KUBELET_CLIENT

NAMESPACE = "kube-system"
COREDNS = "coredns"
_RBAC = "rbac.authorization.k8s.io"
_LABELS = {"k8s-app": "kube-dns", "app.kubernetes.io/name": COREDNS}

# No `forward`: nothing outside the cluster is known, and saying so at once is better than a far server's timeout.
COREFILE = f""".:53 {{
    errors
    health {{
        lameduck 1s
    }}
    ready
    kubernetes {CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {{
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 5
    }}
    prometheus :9153
    cache 5
    reload
    loadbalance
}}
"""


def apply(api: Api, addresses: Addresses, coredns_image: str) -> None:
    """Create or repair all of it."""
    for obj in objects(addresses, coredns_image):
        api.apply(obj)


def ready(api: Api) -> bool:
    """Whether CoreDNS answers."""
    deployment = api.get("apps/v1", "Deployment", COREDNS, NAMESPACE)
    status = deployment.get("status", {})
    current = status.get("observedGeneration") == deployment.get("metadata", {}).get("generation")
    return bool(current and status.get("updatedReplicas", 0) >= 1 and status.get("availableReplicas", 0) >= 1)


def objects(addresses: Addresses, coredns_image: str) -> list[dict[str, Any]]:
    """Every object, what another needs before it."""
    apiserver = {"apiGroup": _RBAC, "kind": "User", "name": KUBELET_CLIENT}
    coredns = {"kind": "ServiceAccount", "name": COREDNS, "namespace": NAMESPACE}
    return [
        _binding("kubeop:kubelet-api-admin", "system:kubelet-api-admin", apiserver),
        _object("v1", "ServiceAccount", COREDNS),
        _role(),
        _binding("system:coredns", "system:coredns", coredns),
        _object("v1", "ConfigMap", COREDNS) | {"data": {"Corefile": COREFILE}},
        _service(addresses),
        _deployment(coredns_image),
    ]


def _object(api_version: str, kind: str, name: str, *, namespaced: bool = True) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": dict(_LABELS)}
    if namespaced:
        metadata["namespace"] = NAMESPACE
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _binding(name: str, role: str, subject: dict[str, str]) -> dict[str, Any]:
    return _object(f"{_RBAC}/v1", "ClusterRoleBinding", name, namespaced=False) | {
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }


def _role() -> dict[str, Any]:
    return _object(f"{_RBAC}/v1", "ClusterRole", "system:coredns", namespaced=False) | {
        "rules": [
            {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        ]
    }


def _service(addresses: Addresses) -> dict[str, Any]:
    return _object("v1", "Service", "kube-dns") | {
        "spec": {
            "clusterIP": addresses.dns,
            "selector": {"k8s-app": "kube-dns"},
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP"},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
                {"name": "metrics", "port": 9153, "protocol": "TCP"},
            ],
        }
    }


def _deployment(image: str) -> dict[str, Any]:
    def probe(path: str, port: int) -> dict[str, Any]:
        return {"httpGet": {"path": path, "port": port}, "periodSeconds": 2, "failureThreshold": 5}

    container = {
        "name": COREDNS,
        "image": image,
        "imagePullPolicy": "Never",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
            {"name": "metrics", "containerPort": 9153, "protocol": "TCP"},
        ],
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "170Mi"}},
        "livenessProbe": {**probe("/health", 8080), "initialDelaySeconds": 30},
        "readinessProbe": probe("/ready", 8181),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
    }
    return _object("apps/v1", "Deployment", COREDNS) | {
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"k8s-app": "kube-dns"}},
            "template": {
                "metadata": {"labels": dict(_LABELS)},
                "spec": {
                    "serviceAccountName": COREDNS,
                    "priorityClassName": "system-cluster-critical",
                    "dnsPolicy": "Default",
                    "tolerations": [{"operator": "Exists"}],
                    "containers": [container],
                    "volumes": [{"name": "config", "configMap": {"name": COREDNS}}],
                },
            },
        }
    }
