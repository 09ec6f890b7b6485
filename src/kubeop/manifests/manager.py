"""The manager: stateless replicas over PostgreSQL, its settings in a Secret, its schema kept by a Job."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace

from kubeop import names
from kubeop.manifests.common import (
    IMAGE_ANNOTATION,
    Object,
    Service,
    base_container,
    base_pod,
    deployment,
    disruption_budget,
    ingress_policy,
    kube_service,
    labels,
    metadata,
    service_account,
)

_COMPONENT = "manager"
_ENV_ANNOTATION = "kubeop.io/env-checksum"
_MIGRATION_SECONDS = 600


def manager(
    *,
    image: str,
    pull_policy: str,
    version: str,
    env_checksum: str,
    replicas: int = 2,
    service_type: str = "ClusterIP",
    node_port: int | None = None,
    env: Mapping[str, str] | None = None,
) -> list[Object]:
    """The manager's objects, without its namespace, its Secret (`env_secret`) and its migrations (`migrations_job`).

    `env_checksum` is any text that changes with the Secret (a keyed digest, never the values): it rolls the pods.
    `env` is for what is no secret.
    """
    who = (names.MANAGER, _COMPONENT, version)
    service = replace(
        _service(image, pull_policy, version, env),
        replicas=replicas,
        annotations={_ENV_ANNOTATION: env_checksum},
    )
    node_ports = {"http": node_port} if node_port is not None else None
    ports = {"http": (names.MANAGER_PORT, "http")}
    return [
        service_account(*who),
        ingress_policy(*who, [names.MANAGER_PORT]),
        kube_service(*who, ports, service_type=service_type, node_ports=node_ports),
        disruption_budget(*who),
        deployment(service),
    ]


def env_secret(env: Mapping[str, str], *, version: str = "") -> Object:
    """Secret `kubeop-manager-env`: the KUBEOP_* variables that hold secrets."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": metadata(names.MANAGER_ENV_SECRET, _COMPONENT, version),
        "data": {name: base64.b64encode(value.encode()).decode() for name, value in sorted(env.items())},
    }


def migrations_job(*, image: str, pull_policy: str, version: str, env: Mapping[str, str] | None = None) -> Object:
    """Job `kubeop-manager-migrations`. A Job cannot be changed: make it anew when `kubeop.io/image` differs.

    It runs as the manager's ServiceAccount, so that one has to exist.
    """
    service = replace(_service(image, pull_policy, version, env), args=["migrate"], ports={})
    pod = base_pod(service, base_container(service)) | {"restartPolicy": "Never"}
    found = metadata(names.MIGRATIONS_JOB, _COMPONENT, version)
    found["annotations"] = {IMAGE_ANNOTATION: image}
    template = {"metadata": {"labels": labels(names.MIGRATIONS_JOB, _COMPONENT, version)}, "spec": pod}
    spec = {"backoffLimit": 4, "activeDeadlineSeconds": _MIGRATION_SECONDS, "template": template}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": found, "spec": spec}


def _service(image: str, pull_policy: str, version: str, env: Mapping[str, str] | None) -> Service:
    return Service(
        name=names.MANAGER,
        component=_COMPONENT,
        image=image,
        pull_policy=pull_policy,
        version=version,
        command=["kubeop", "manager"],
        args=["serve"],
        requests={"cpu": "250m", "memory": "512Mi"},
        memory_limit="1Gi",
        ports={"http": names.MANAGER_PORT},
        probe_port="http",
        env=dict(env or {}),
        env_secret=names.MANAGER_ENV_SECRET,
    )
