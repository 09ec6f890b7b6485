"""A PostgreSQL inside a cluster of the user's own, to try the platform with: prints its URL, with the password.

    python tools/trial_database.py --kubeconfig FILE --image REFERENCE

It has a namespace of its own and a volume of the cluster's default StorageClass. A second run changes nothing, and
`kubectl delete namespace kubeop-trial` removes it with everything that it holds.
"""

from __future__ import annotations

import argparse
import base64
import secrets
import sys
from pathlib import Path
from typing import Any

from kubeop import names
from kubeop.errors import InputError, KubeopError
from kubeop.kube.apply import apply
from kubeop.kube.client import Client
from kubeop.kube.wait import wait_ready
from kubeop.manifests.common import restricted_container, restricted_pod

NAMESPACE = "kubeop-trial"
NAME = "kubeop-database"
PORT = 5432
READY_SECONDS = 300.0
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_LABELS = {names.LABEL_NAME: NAME, names.LABEL_PART_OF: names.PLATFORM}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="A PostgreSQL inside a cluster, to try the platform with.")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="the cluster")
    parser.add_argument("--image", required=True, help="what images/database.py has built, in the cluster's registry")
    options = parser.parse_args()
    try:
        with Client.from_kubeconfig(options.kubeconfig) as client:
            print(ensure(client, options.image))
    except KubeopError as error:
        print(f"database: {error}", file=sys.stderr)
        return 1
    return 0


def ensure(client: Client, image: str) -> str:
    """Start it unless it runs; its URL as the cluster's pods reach it. Raises InputError, ClusterError."""
    secret = client.get("v1", "Secret", NAME, NAMESPACE)
    if secret is None and not _default_class(client):
        raise InputError(
            f"The cluster at {client.host} has no default StorageClass to keep a trial database on.",
            hint="Add DATABASE_URL=postgresql://user:password@host/name of a PostgreSQL of your own.",
        )
    password = base64.b64decode(secret["data"]["password"]).decode() if secret else secrets.token_urlsafe(24)
    wanted = objects(image, password)
    apply(client, wanted, field_manager=names.FIELD_MANAGER_CLI)
    wait_ready(client, wanted, READY_SECONDS)
    return f"postgresql://kubeop:{password}@{NAME}.{NAMESPACE}.svc:{PORT}/postgres"


def objects(image: str, password: str) -> list[dict[str, Any]]:
    """All of it, with a pod that Pod Security's `restricted` lets in."""
    levels = names.pod_security("restricted")
    container = {
        "name": "postgresql",
        "image": image,
        "ports": [{"name": "postgresql", "containerPort": PORT}],
        "readinessProbe": {"exec": {"command": ["sh", "-c", "/usr/lib/postgresql/*/bin/pg_isready -h 127.0.0.1"]}},
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": restricted_container(),
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": "password", "mountPath": "/run/secrets/kubeop", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
        ],
    }
    pod = {
        "automountServiceAccountToken": False,
        "securityContext": restricted_pod() | {"fsGroupChangePolicy": "OnRootMismatch"},
        "containers": [container],
        "volumes": [{"name": "password", "secret": {"secretName": NAME}}, {"name": "tmp", "emptyDir": {}}],
    }
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    service = {"selector": _LABELS, "ports": [{"name": "postgresql", "port": PORT, "targetPort": "postgresql"}]}
    database = {
        "serviceName": NAME,
        "replicas": 1,
        "selector": {"matchLabels": _LABELS},
        "template": {"metadata": {"labels": _LABELS}, "spec": pod},
        "volumeClaimTemplates": [claim],
    }
    meta = {"name": NAME, "namespace": NAMESPACE, "labels": _LABELS}
    data = {"password": base64.b64encode(password.encode()).decode()}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": _LABELS | levels}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": service},
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta, "spec": database},
    ]


def _default_class(client: Client) -> bool:
    classes = client.list("storage.k8s.io/v1", "StorageClass")
    return any((one["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true" for one in classes)


if __name__ == "__main__":
    sys.exit(main())
