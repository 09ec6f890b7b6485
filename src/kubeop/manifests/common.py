"""What all of the platform's own objects share: labels, and pods that need nothing from their node."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kubeop import names

Object = dict[str, Any]

IMAGE_ANNOTATION = "kubeop.io/image"  # what a Job was made from: a Job cannot be changed, so it is made anew
DRAIN_SECONDS = 5  # a pod that is to stop goes on answering until Services have forgotten it
GRACE_SECONDS = 30


@dataclass(frozen=True)
class Service:
    """One of our Deployments: its name, what it runs, and what it needs.

    `requests` as in a container (`cpu`, `memory`); CPU has no limit. `ports` maps a name to a number, and `probe_port`
    is one of these names. `mounts` maps a path to a volume source. `annotations` are the pods'.
    """

    name: str
    component: str
    image: str
    pull_policy: str
    version: str
    command: Sequence[str]
    args: Sequence[str]
    requests: Mapping[str, str]
    memory_limit: str
    ports: Mapping[str, int]
    probe_port: str
    probe_scheme: str = "HTTP"
    replicas: int = 2
    env: Mapping[str, str] = field(default_factory=dict)
    env_secret: str = ""
    mounts: Mapping[str, Object] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    needs_cluster_api: bool = False
    priority_class: str = ""


def labels(name: str, component: str, version: str) -> dict[str, str]:
    """The labels of one of our objects. A version that no label can hold is shortened and cleaned."""
    clean = re.sub(r"[^A-Za-z0-9._-]", "-", version)[:63].strip("._-")
    found = {
        names.LABEL_NAME: name,
        names.LABEL_COMPONENT: component,
        names.LABEL_PART_OF: names.PLATFORM,
        names.LABEL_MANAGED_BY: names.PLATFORM,
    }
    return found | {names.LABEL_VERSION: clean} if clean else found


def metadata(name: str, component: str, version: str, *, namespaced: bool = True) -> Object:
    """The metadata of one of our objects; in `kubeop-system` unless it is cluster-scoped."""
    found: Object = {"name": name}
    if namespaced:
        found["namespace"] = names.PLATFORM_NAMESPACE
    return found | {"labels": labels(name, component, version)}


def platform_namespace(version: str) -> Object:
    """The namespace `kubeop-system`, held to Pod Security's `restricted` as projects are."""
    found = metadata(names.PLATFORM_NAMESPACE, "namespace", version, namespaced=False)
    found["labels"] |= names.pod_security("restricted")
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": found}


def tls_secret(meta: Object, *, cert_pem: bytes, key_pem: bytes, ca_pem: bytes) -> Object:
    """A Secret with a server's certificate in the usual form, with the authority beside it."""
    data = {"tls.crt": cert_pem, "tls.key": key_pem, "ca.crt": ca_pem}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": meta,
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }


def service_account(name: str, component: str, version: str) -> Object:
    """A ServiceAccount; no pod gets its token unless the pod asks for it."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(name, component, version),
        "automountServiceAccountToken": False,
    }


def cluster_role(name: str, component: str, version: str, rules: list[Object]) -> list[Object]:
    """A ClusterRole and its binding to the ServiceAccount of the same name."""
    return _role("ClusterRole", name, metadata(name, component, version, namespaced=False), rules)


def role(name: str, component: str, version: str, rules: list[Object]) -> list[Object]:
    """A Role in `kubeop-system` and its binding to the ServiceAccount of the same name."""
    return _role("Role", name, metadata(name, component, version), rules)


def disruption_budget(name: str, component: str, version: str) -> Object:
    """One pod stays while nodes are drained."""
    spec = {"minAvailable": 1, "selector": {"matchLabels": {names.LABEL_NAME: name}}}
    found = metadata(name, component, version)
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": found, "spec": spec}


def ingress_policy(name: str, component: str, version: str, ports: Sequence[int]) -> Object:
    """Only these ports of the pods can be reached; probes, scrapes and the API server come from anywhere."""
    rules = [{"ports": [{"protocol": "TCP", "port": port} for port in ports]}]
    spec = {"podSelector": {"matchLabels": {names.LABEL_NAME: name}}, "policyTypes": ["Ingress"], "ingress": rules}
    found = metadata(name, component, version)
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": found, "spec": spec}


def kube_service(
    name: str,
    component: str,
    version: str,
    ports: Mapping[str, tuple[int, str]],
    *,
    service_type: str = "ClusterIP",
    node_ports: Mapping[str, int] | None = None,
) -> Object:
    """A Service; `ports` maps a port's name to its number and the name of the container's port."""
    listed = []
    for port_name, (number, target) in ports.items():
        port: Object = {"name": port_name, "port": number, "targetPort": target, "protocol": "TCP"}
        if node_ports and port_name in node_ports:
            port["nodePort"] = node_ports[port_name]
        listed.append(port)
    spec = {"type": service_type, "selector": {names.LABEL_NAME: name}, "ports": listed}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata(name, component, version), "spec": spec}


def deployment(service: Service) -> Object:
    """The Deployment: a new pod is ready before an old one goes, and pods keep to different nodes where they can."""
    selector = {"matchLabels": {names.LABEL_NAME: service.name}}
    spec = {
        "replicas": service.replicas,
        "selector": selector,
        "revisionHistoryLimit": 3,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": pod_template(service),
    }
    found = metadata(service.name, service.component, service.version)
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": found, "spec": spec}


def pod_template(service: Service) -> Object:
    """The pods of a Deployment."""
    container = base_container(service) | _probes(service)
    container["lifecycle"] = {"preStop": {"sleep": {"seconds": DRAIN_SECONDS}}}
    spec = base_pod(service, container)
    spec["topologySpreadConstraints"] = [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {names.LABEL_NAME: service.name}},
        }
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ]
    if service.priority_class:
        spec["priorityClassName"] = service.priority_class
    found: Object = {"labels": labels(service.name, service.component, service.version)}
    if service.annotations:
        found["annotations"] = dict(service.annotations)
    return {"metadata": found, "spec": spec}


def restricted_pod() -> Object:
    """The security context that Pod Security's `restricted` asks of a pod, as the platform's user."""
    return {
        "runAsNonRoot": True,
        "runAsUser": names.UID,
        "runAsGroup": names.UID,
        "fsGroup": names.UID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def restricted_container() -> Object:
    """The security context that `restricted` asks of a container, and a file system that cannot be written."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def base_pod(service: Service, container: Object) -> Object:
    """A pod specification that Pod Security's `restricted` accepts."""
    volumes: list[Object] = [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}]
    volumes += [{"name": _volume_name(path)} | source for path, source in service.mounts.items()]
    return {
        "serviceAccountName": service.name,
        "automountServiceAccountToken": service.needs_cluster_api,
        "enableServiceLinks": False,
        "securityContext": restricted_pod(),
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "containers": [container],
        "volumes": volumes,
    }


def base_container(service: Service) -> Object:
    """The one container: read-only but for /tmp, without any capability."""
    container: Object = {
        "name": service.component,
        "image": service.image,
        "imagePullPolicy": service.pull_policy,
        "command": list(service.command),
        "args": list(service.args),
        "env": [{"name": name, "value": value} for name, value in sorted(service.env.items())],
        "ports": [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in service.ports.items()],
        "resources": {"requests": dict(service.requests), "limits": {"memory": service.memory_limit}},
        "securityContext": restricted_container(),
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - a volume of the pod's own
        + [{"name": _volume_name(path), "mountPath": path, "readOnly": True} for path in service.mounts],
    }
    if service.env_secret:
        container["envFrom"] = [{"secretRef": {"name": service.env_secret}}]
    return {key: value for key, value in container.items() if value != []}


def _probes(service: Service) -> Object:
    def get(path: str) -> Object:
        request: Object = {"path": path, "port": service.probe_port, "scheme": service.probe_scheme}
        return {"httpGet": request, "timeoutSeconds": 3}

    steady = {"periodSeconds": 5, "failureThreshold": 3}
    return {
        "startupProbe": get("/healthz") | {"periodSeconds": 1, "failureThreshold": 60},
        "livenessProbe": get("/healthz") | steady,
        "readinessProbe": get("/readyz") | steady,
    }


def _role(kind: str, name: str, found: Object, rules: list[Object]) -> list[Object]:
    api = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": name, "namespace": names.PLATFORM_NAMESPACE}
    return [
        {"apiVersion": f"{api}/v1", "kind": kind, "metadata": found, "rules": rules},
        {
            "apiVersion": f"{api}/v1",
            "kind": f"{kind}Binding",
            "metadata": found,
            "roleRef": {"apiGroup": api, "kind": kind, "name": name},
            "subjects": [subject],
        },
    ]


def _volume_name(path: str) -> str:
    return path.strip("/").replace("/", "-")
