"""A real single-node Kubernetes cluster with a PostgreSQL beside it, for trial, molecule and benchmarks.

Each cluster has a name, a folder and a network namespace of its own; several run side by side.
"""

from __future__ import annotations

from kubeop.devcluster.cluster import ComponentStatus, Status, down, get, load_image, status, up
from kubeop.devcluster.layout import DEFAULT_NAME, Cluster

__all__ = ["DEFAULT_NAME", "Cluster", "ComponentStatus", "Status", "down", "get", "load_image", "status", "up"]
