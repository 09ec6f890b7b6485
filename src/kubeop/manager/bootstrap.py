"""The platform into a registered cluster: namespace, CRDs, policy, operator, admission, and the webhooks last.

Every step finds out for itself what is left to do, so that an attempt that was cut short (a killed manager, an API
server that restarts) is finished by the next one. Later attempts put back what was edited and renew the certificate.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

from kubeop import BUILD_VERSION, names
from kubeop.crypto import certificates
from kubeop.errors import InputError, WaitError
from kubeop.kube.apply import apply
from kubeop.kube.client import Client
from kubeop.kube.wait import wait_ready
from kubeop.manager import live, serving
from kubeop.manager.storage.models import Cluster
from kubeop.manager.work import RESYNC_SECONDS, Outcome
from kubeop.manifests import admission, platform
from kubeop.settings import Settings

WAIT_SECONDS = 5.0  # an attempt waits no longer, so that the worker is free for other clusters
AGAIN_SECONDS = 10.0  # at most, between attempts that find the platform not ready yet
PATIENCE = 30  # so many such attempts, some minutes, before that is called a failure
SERVING = serving.Serving(
    namespace=names.PLATFORM_NAMESPACE,
    secret=names.ADMISSION_TLS_SECRET,
    dns_names=admission.DNS_NAMES,
    authority_name=f"{names.ADMISSION} authority",
)

Object = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A cluster's row, as it was when it was claimed."""

    id: str
    name: str
    generation: int
    attempts: int
    auto_bootstrap: bool
    install_admission: bool


def job(row: Cluster) -> Job:
    """What the row asks for."""
    return Job(row.id, row.name, row.generation, row.attempts, row.auto_bootstrap, row.install_admission)


def run(client: Client, settings: Settings, work: Job) -> Outcome:
    """Bring the platform in the cluster one attempt further. Raises ClusterUnreachable, ApiError, InputError."""
    if not work.auto_bootstrap:
        return _look(client, work, "autoBootstrap is off: install it with `kubeop deploy`.")
    try:
        _install(client, settings, work)
    except WaitError as error:
        # Images may still be on their way. The objects are there, and tenants and projects need no more than these.
        return _waiting(work, str(error), installed=True)
    return _look(client, work, "")


def _look(client: Client, work: Job, note: str) -> Outcome:
    missing = [part for part in live.look(client, admission=work.install_admission) if not part.ready]
    if not missing:
        return Outcome("ready", again_seconds=RESYNC_SECONDS, synced=True, installed=True)
    said = " ".join([f"{part.name}: {part.detail}" for part in missing] + [note]).strip()
    return _waiting(work, said, installed=work.auto_bootstrap)


def _waiting(work: Job, reason: str, *, installed: bool) -> Outcome:
    """Not ready yet; after a while a failure, though it still is tried."""
    state = "failed" if work.attempts >= PATIENCE else "bootstrapping" if work.auto_bootstrap else "pending"
    return Outcome(state, reason, at_most_seconds=AGAIN_SECONDS, installed=installed)


def _install(client: Client, settings: Settings, work: Job) -> None:
    choice = serving.choose(client, SERVING) if work.install_admission else None
    tls = choice.tls if choice else None
    objects = wanted(settings, work, tls)
    webhooks = [obj for obj in objects if obj["kind"] in serving.WEBHOOK_KINDS]
    others = [obj for obj in objects if obj["kind"] not in serving.WEBHOOK_KINDS]
    _put(client, [obj for obj in others if obj["kind"] == "Namespace"])
    if choice is not None and tls is not None:
        # Webhooks that are there already must trust the new certificate before any pod serves with it.
        present = [obj for obj in webhooks if client.get(serving.WEBHOOK_API, obj["kind"], obj["metadata"]["name"])]
        if present and choice.reason:
            _put(client, present)
        _put(
            client,
            [
                admission.tls_secret(
                    cert_pem=tls.cert_pem, key_pem=tls.key_pem, ca_pem=tls.ca_pem, version=BUILD_VERSION
                )
            ],
        )
    _put(client, others)
    wait_ready(client, others, WAIT_SECONDS)
    _put(client, webhooks)


def wanted(settings: Settings, work: Job, tls: certificates.Certificate | None) -> list[Object]:
    """The platform's objects for a cluster, without the certificate's Secret. Raises InputError without images."""
    operator_image = settings.operator_image or settings.manager_image
    if not operator_image:
        raise InputError(
            "KUBEOP_OPERATOR_IMAGE is not set.", hint="Set it to the operator's image, or autoBootstrap to false."
        )
    webhook = None
    if tls is not None:
        if not settings.admission_image:
            raise InputError(
                "KUBEOP_ADMISSION_IMAGE is not set.",
                hint="Set it to the webhook's image, or installAdmission to false.",
            )
        webhook = platform.Admission(
            image=settings.admission_image,
            ca_bundle_b64=base64.b64encode(tls.ca_pem).decode(),
            tls_checksum=hashlib.sha256(tls.cert_pem).hexdigest()[:16],
        )
    maximum = {"requestsCPU": settings.quota_max_requests_cpu, "requestsMemory": settings.quota_max_requests_memory}
    return platform.platform(
        operator_image=operator_image,
        pull_policy=settings.operator_image_pull_policy,
        version=BUILD_VERSION,
        cluster=work.name,
        policy=platform.Policy(
            image_allowlist=settings.image_allowlist,
            egress_baseline=settings.egress_baseline,
            quota_max={key: value for key, value in maximum.items() if value},
        ),
        webhook=webhook,
        log_level=settings.log_level,
    )


def _put(client: Client, objects: list[Object]) -> None:
    if objects:
        apply(client, objects, field_manager=names.FIELD_MANAGER_MANAGER)
