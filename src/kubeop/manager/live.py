"""What a cluster itself says of the platform's parts at this moment; nothing here is remembered."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from kubeop import names
from kubeop.errors import ClusterError, ClusterUnreachable
from kubeop.kube import kubeconfig as kubeconfigs
from kubeop.kube.client import Client
from kubeop.manager import intake
from kubeop.manager.schemas import ClusterStatus, Component
from kubeop.manager.services import Services
from kubeop.manager.tenancy import find_cluster

LOOK_SECONDS = 5
_WEBHOOK_KINDS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
_NO_ANSWER = "The cluster's API server does not answer."


def status(services: Services, reference: str) -> ClusterStatus:
    """A cluster as recorded and as seen just now; a cluster that does not answer is an answer too."""
    with services.database.transaction() as session:
        row = find_cluster(session, reference)
        kubeconfig = kubeconfigs.load(services.vault.open_kubeconfig(session, row))
    version, components = "", [Component(name="cluster", ready=False, detail=_NO_ANSWER)]
    try:
        with services.connect(kubeconfig, LOOK_SECONDS) as client:
            version = client.version()
            components = look(client, admission=row.install_admission)
    except ClusterUnreachable:
        version = ""
    except ClusterError as error:
        components = [Component(name="cluster", ready=False, detail=intake.scrub(error.message, kubeconfig))]
    return ClusterStatus.model_validate(
        {
            "id": row.id,
            "name": row.name,
            "state": row.state,
            "message": row.message,
            "reachable": bool(version),
            "kubernetes_version": version,
            "components": components,
        }
    )


def look(client: Client, *, admission: bool) -> list[Component]:
    """The platform's components in a cluster. Raises ClusterError."""
    seen = [_deployment(client, "operator", names.OPERATOR)]
    if admission:
        seen += [_deployment(client, "admission", names.ADMISSION), _ca_bundle(client)]
    return seen


def _deployment(client: Client, component: str, name: str) -> Component:
    found = client.get("apps/v1", "Deployment", name, names.PLATFORM_NAMESPACE)
    if found is None:
        return Component(name=component, ready=False, detail=f"There is no Deployment {name}.")
    wanted = found["spec"].get("replicas", 1)
    current = found.get("status", {})
    observed = current.get("observedGeneration", 0) >= found["metadata"]["generation"]
    updated, available = current.get("updatedReplicas", 0), current.get("availableReplicas", 0)
    return Component(
        name=component,
        ready=observed and updated >= wanted and available >= wanted,
        detail=f"{available} of {wanted} replicas are available, {updated} are of the present version.",
    )


def _ca_bundle(client: Client) -> Component:
    """Ready when every webhook of ours trusts exactly the authority in the Secret that admission serves with."""
    secret = client.get("v1", "Secret", names.ADMISSION_TLS_SECRET, names.PLATFORM_NAMESPACE)
    if secret is None:
        return _bundle(f"There is no Secret {names.ADMISSION_TLS_SECRET}.")
    authority = _decoded((secret.get("data") or {}).get("ca.crt"))
    for kind in _WEBHOOK_KINDS:
        found = client.get("admissionregistration.k8s.io/v1", kind, names.ADMISSION)
        webhooks: list[Mapping[str, Any]] = (found or {}).get("webhooks") or []
        if not webhooks:
            return _bundle(f"There is no {kind} {names.ADMISSION}.")
        if any(_decoded(hook["clientConfig"].get("caBundle")) != authority for hook in webhooks):
            return _bundle(f"The {kind} {names.ADMISSION} trusts another authority than that of the Secret.")
    return Component(
        name="caBundle", ready=bool(authority), detail="The webhooks trust the certificate that admission serves."
    )


def _bundle(detail: str) -> Component:
    return Component(name="caBundle", ready=False, detail=detail)


def _decoded(value: object) -> bytes:
    return base64.b64decode(str(value)).strip() if value else b""
