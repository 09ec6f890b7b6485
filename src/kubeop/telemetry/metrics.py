"""The services' metrics, in the text format of Prometheus; nothing else imports prometheus-client.

One registry for the process. Label values come from small sets (a route's template, never its path; a kind, never an
object's name), so that the number of time series stays bounded.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from kubeop import BUILD_COMMIT, BUILD_VERSION

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

# Seconds. Admission answers in under a millisecond, a bootstrap takes tens of seconds.
_REQUEST_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_RECONCILE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)

_requests = Histogram(
    "http_request_duration_seconds",
    "How long an HTTP request took to answer, in seconds.",
    ("method", "route", "status"),
    buckets=_REQUEST_BUCKETS,
    registry=REGISTRY,
)
_request_errors = Counter(
    "http_request_errors_total",
    "HTTP requests answered with a status of 500 or above.",
    ("method", "route", "status"),
    registry=REGISTRY,
)
_reconciles = Counter(
    "controller_runtime_reconcile_total",
    "Reconciliations of an object, by how they ended.",
    ("group", "version", "kind", "result"),
    registry=REGISTRY,
)
_reconcile_time = Histogram(
    "controller_runtime_reconcile_time_seconds",
    "How long a reconciliation took, in seconds.",
    ("group", "version", "kind"),
    buckets=_RECONCILE_BUCKETS,
    registry=REGISTRY,
)
_admissions = Counter(
    "admission_requests_total",
    "Admission reviews, by decision.",
    ("webhook", "operation", "kind", "decision"),
    registry=REGISTRY,
)
_admission_time = Histogram(
    "admission_request_duration_seconds",
    "How long an admission review took, in seconds.",
    ("webhook",),
    buckets=_REQUEST_BUCKETS,
    registry=REGISTRY,
)
_leader = Gauge("kubeop_leader", "1 while this process leads, 0 while it stands by.", ("lease",), registry=REGISTRY)
_generation_lag = Gauge(
    "kubeop_observed_generation_lag",
    "By how many generations the statuses of all objects of a kind are behind their specs.",
    ("kind",),
    registry=REGISTRY,
)
Gauge("kubeop_build_info", "The running build.", ("version", "commit"), registry=REGISTRY).labels(
    BUILD_VERSION, BUILD_COMMIT
).set(1)


def observe_request(*, method: str, route: str, status: int, seconds: float) -> None:
    """Count one HTTP request. `route` is the template (`/v1/clusters/{id}`), or "unmatched"."""
    _requests.labels(method, route, str(status)).observe(seconds)
    if status >= 500:
        _request_errors.labels(method, route, str(status)).inc()


def observe_reconcile(*, group: str, version: str, kind: str, result: str, seconds: float) -> None:
    """Count one reconciliation. `result` is "success", "error" or "requeue"."""
    _reconciles.labels(group, version, kind, result).inc()
    _reconcile_time.labels(group, version, kind).observe(seconds)


def observe_admission(*, webhook: str, operation: str, kind: str, decision: str, seconds: float) -> None:
    """Count one admission review. `webhook` is "validate" or "mutate", `decision` "allowed", "denied" or "error"."""
    _admissions.labels(webhook, operation, kind, decision).inc()
    _admission_time.labels(webhook).observe(seconds)


def set_leader(lease: str, *, leading: bool) -> None:
    """Say whether this process holds the lease."""
    _leader.labels(lease).set(1 if leading else 0)


def set_generation_lag(kind: str, generations: int) -> None:
    """Say how far the operator is behind with the objects of a kind."""
    _generation_lag.labels(kind).set(generations)


def value(name: str, labels: dict[str, str] | None = None) -> float:
    """A sample's present value, 0 before it was first counted; for tests and status pages."""
    return REGISTRY.get_sample_value(name, labels or {}) or 0.0


def exposition() -> tuple[str, bytes]:
    """The content type and body of `/metrics`."""
    return CONTENT_TYPE_LATEST, generate_latest(REGISTRY)
