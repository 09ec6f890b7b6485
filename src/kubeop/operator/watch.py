"""kopf as the watch engine: it lists and watches, and hands every event on. Nothing is decided or written here.

Only `on.event` handlers are used, so kopf never writes an annotation or finalizer of its own. Its watch requests are
retried without end: an API server that is away must not end the operator.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from kubeop import names
from kubeop.errors import ClusterError
from kubeop.kube.client import Client
from kubeop.kube.credentials import Credentials
from kubeop.kube.kubeconfig import Kubeconfig
from kubeop.operator.engine import kopf
from kubeop.operator.openshift import QUOTA_RESOURCE
from kubeop.telemetry.logs import get_logger

Resources = tuple[tuple[str, str, str, str], ...]
# (kind, "ADDED" | "MODIFIED" | "DELETED" | None for what the first list found, the object)
OnEvent = Callable[[str, str | None, Mapping[str, Any]], None]

# What the platform puts its managed-by label on is filtered by the API server; an object that loses the label arrives
# as DELETED, which is just what is wanted.
OWN_RESOURCES = (
    (names.API_GROUP, names.API_VERSION, "tenants", "Tenant"),
    (names.API_GROUP, names.API_VERSION, "projects", "Project"),
)
BASELINE_RESOURCES = (
    ("", "v1", "namespaces", "Namespace"),
    ("", "v1", "limitranges", "LimitRange"),
    ("", "v1", "resourcequotas", "ResourceQuota"),
    ("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
)

_TOKEN_SECONDS = 240  # a token that can be renewed is looked at again this often; pods' tokens live an hour
_RESTART_SECONDS = 1.0
_IDENTITY: Any = names.OPERATOR  # a private str type of the engine; only peering, which is off, looks at it


class Backoffs:
    """Waits between tries of a watch request, in seconds: short at first, never over."""

    def __iter__(self) -> Iterator[float]:
        yield from (0.1, 0.2, 0.5)
        while True:
            yield 1.0


def run_watches(client: Client, on_event: OnEvent, stop: threading.Event) -> None:
    """Watch until `stop` is set, in a thread of its own. An engine that fails is started anew, with new lists.

    The engine is told not to look for new kinds, which would take the right to read every CRD: so it is started only
    when ours are there, and anew if they are taken away.
    """
    log = get_logger(__name__)
    # The engine says so at "warning" when it runs in a thread, and every failed request at "error"; the election
    # already says once that the API server is away.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    logging.getLogger("kopf._cogs.clients").setLevel(logging.CRITICAL)
    while not stop.is_set():
        try:
            if _kinds_are_there(client):
                asyncio.run(_watch(client.kubeconfig, _labelled(client), on_event, stop))
            else:
                log.warning("the CRDs Tenant and Project are not installed yet")
        except ClusterError as error:
            log.debug("the API server is away", error=str(error))
        except Exception:  # whatever ended the watches, they are needed again
            log.exception("the watches ended and are started anew")
        stop.wait(_RESTART_SECONDS)


def _kinds_are_there(client: Client) -> bool:
    client.forget_resources()
    return all(client.find_resource(names.GROUP_VERSION, kind) for *_, kind in OWN_RESOURCES)


def _labelled(client: Client) -> Resources:
    """What carries the platform's label on this cluster: an OpenShift has one kind more."""
    group, version, _, kind = QUOTA_RESOURCE
    served = client.find_resource(f"{group}/{version}", kind)
    return (*BASELINE_RESOURCES, QUOTA_RESOURCE) if served else BASELINE_RESOURCES


async def _watch(kubeconfig: Kubeconfig, labelled: Resources, on_event: OnEvent, stop: threading.Event) -> None:
    await kopf.operator(
        registry=_registry(kubeconfig, labelled, on_event),
        settings=_settings(labelled),
        standalone=True,
        clusterwide=True,
        # Without one, the engine asks for the user's name, and a container's UID has none.
        identity=_IDENTITY,
        stop_flag=stop,
    )


def _settings(labelled: Resources) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.process.ultimate_exiting_timeout = None  # ending the process is not the engine's business
    settings.posting.enabled = False
    settings.scanning.disabled = True
    # Each object seen gets a worker that lingers; a limit on their number would stall the others behind it.
    settings.queueing.idle_timeout = 0.2
    settings.queueing.exit_timeout = 0.5
    settings.watching.connect_timeout = 5
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.chunk_size = 500
    settings.networking.connect_timeout = 5
    settings.networking.request_timeout = 60
    settings.networking.error_backoffs = Backoffs()
    for group, version, plural, _ in labelled:
        settings.watching.label_selectors[group, version, plural] = f"{names.LABEL_MANAGED_BY}={names.PLATFORM}"
    return settings


def _registry(kubeconfig: Kubeconfig, labelled: Resources, on_event: OnEvent) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()
    credentials = Credentials(kubeconfig)

    @kopf.on.login(registry=registry)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return _connection(kubeconfig, credentials)

    for group, version, plural, kind in (*OWN_RESOURCES, *labelled):
        kopf.on.event(group, version, plural, id=plural, registry=registry)(_handler(kind, on_event))
    return registry


def _handler(kind: str, on_event: OnEvent) -> Any:
    async def handle(event: Mapping[str, Any], **_: Any) -> None:
        on_event(kind, event["type"], event["object"])

    return handle


def _connection(kubeconfig: Kubeconfig, credentials: Credentials) -> kopf.ConnectionInfo:
    """The same access that kube.Client uses, in the engine's words."""
    scheme, _, token = credentials.headers().get("Authorization", "").partition(" ")
    certificate = credentials.certificate()
    renewable = bool(kubeconfig.token_file or kubeconfig.user.get("exec") or kubeconfig.user.get("auth-provider"))
    return kopf.ConnectionInfo(
        server=kubeconfig.server,
        ca_data=kubeconfig.ca_pem or None,
        insecure=kubeconfig.insecure,
        scheme=scheme or None,
        token=token or None,
        certificate_data=certificate[0] if certificate else None,
        private_key_data=certificate[1] if certificate else None,
        proxy_url=kubeconfig.cluster.get("proxy-url"),
        expiration=datetime.now(UTC) + timedelta(seconds=_TOKEN_SECONDS) if renewable else None,
    )
