"""Rolling a Deployment out to other images, waiting for it, and taking it back when it fails."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kubeop import names
from kubeop.errors import InputError, WaitError
from kubeop.kube.address import service_url
from kubeop.kube.client import Client
from kubeop.kube.wait import wait_ready

_API_VERSION, _KIND = "apps/v1", "Deployment"
_REVISION = "deployment.kubernetes.io/revision"
_LOOK_SECONDS = 1.0
_STRATEGIC_MERGE = "application/strategic-merge-patch+json"


@dataclass(frozen=True)
class Rollout:
    """What a Deployment runs after a rollout.

    `before` and `images` give the image by container; `url` is where the Service of the same name answers, if any.
    """

    changed: bool
    revision: int
    version: str
    replicas: int
    ready_replicas: int
    url: str = ""
    before: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)


def roll_out(
    client: Client,
    namespace: str,
    name: str,
    images: Mapping[str, str],
    *,
    awaited: Collection[str] = (),
    undo: bool = True,
    dry_run: bool = False,
    timeout_seconds: float = 300,
) -> Rollout:
    """Set the images of the named containers and wait until every pod runs them.

    A rollout that fails is taken back to the images before it (unless `undo` is false), and raises WaitError as well.
    Without images, waits for the rollout that is going on; `awaited` are images that somebody else brings, and that are
    waited for first, all within `timeout_seconds`. Raises InputError for a Deployment or container not there.
    """
    deadline = time.monotonic() + timeout_seconds
    deployment = _read(client, namespace, name)
    while not dry_run and (missing := sorted(set(awaited) - set(_images(deployment).values()))):
        if time.monotonic() > deadline:
            runs = ", ".join(_images(deployment).values())
            raise WaitError(
                f"Deployment {namespace}/{name} has not got the image {missing[0]} in {timeout_seconds:g} s: "
                f"it runs {runs}.",
                hint="See what should bring it, such as the manager.",
            )
        time.sleep(_LOOK_SECONDS)
        deployment = _read(client, namespace, name)
    before = _images(deployment)
    if missing := sorted(set(images) - set(before)):
        raise InputError(
            f"Deployment {namespace}/{name} has no container {missing[0]!r}.", hint=f"It has {', '.join(before)}."
        )
    wanted = {container: image for container, image in images.items() if before[container] != image}
    if wanted:
        changed = _patch(client, namespace, name, wanted, dry_run=dry_run)
        if dry_run:
            return _describe(client, changed, before, changed=True)
    if not dry_run:
        with _taken_back(client, namespace, name, {container: before[container] for container in wanted}, undo=undo):
            wait_ready(client, [deployment], timeout_seconds=max(0.0, deadline - time.monotonic()))
    return _describe(client, _read(client, namespace, name), before, changed=bool(wanted))


@contextlib.contextmanager
def _taken_back(client: Client, namespace: str, name: str, before: Mapping[str, str], *, undo: bool) -> Iterator[None]:
    try:
        yield
    except WaitError as error:
        if not undo or not before:
            raise
        _patch(client, namespace, name, before)
        raise WaitError(f"{error.message} The images before it were put back.", hint=error.hint) from error


def _read(client: Client, namespace: str, name: str) -> dict[str, Any]:
    deployment = client.get(_API_VERSION, _KIND, name, namespace)
    if deployment is None:
        raise InputError(f"There is no Deployment {namespace}/{name}.", hint="Check its name and namespace.")
    return deployment


def _patch(
    client: Client, namespace: str, name: str, images: Mapping[str, str], *, dry_run: bool = False
) -> dict[str, Any]:
    containers = [{"name": container, "image": image} for container, image in images.items()]
    body = {"spec": {"template": {"spec": {"containers": containers}}}}
    return client.patch(_API_VERSION, _KIND, name, body, namespace, content_type=_STRATEGIC_MERGE, dry_run=dry_run)


def _images(deployment: Mapping[str, Any]) -> dict[str, str]:
    return {item["name"]: item["image"] for item in deployment["spec"]["template"]["spec"]["containers"]}


def _describe(client: Client, deployment: Mapping[str, Any], before: Mapping[str, str], *, changed: bool) -> Rollout:
    metadata, status = deployment["metadata"], deployment.get("status") or {}
    return Rollout(
        changed=changed,
        revision=int((metadata.get("annotations") or {}).get(_REVISION, 0)),
        version=(metadata.get("labels") or {}).get(names.LABEL_VERSION, ""),
        replicas=deployment["spec"].get("replicas", 1),
        ready_replicas=status.get("readyReplicas", 0),
        url=service_url(client, metadata["namespace"], metadata["name"]),
        before=dict(before),
        images=_images(deployment),
    )
