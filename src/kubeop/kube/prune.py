"""Deleting what is no longer wanted: objects of named kinds that carry our label and are not in the wanted set."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from kubeop.errors import ApiError, InputError
from kubeop.kube.client import Client, Object

_FEW_NAMESPACES = 5  # up to so many are listed one by one

Key = tuple[str, str, str, str]  # group, kind, namespace, name

# What a person means by "everything with this label": no pods or replica sets, whose owners look after them, and no
# namespaces or volumes, whose loss loses data: these must be named to be pruned.
DEFAULT_KINDS = (
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "CronJob"),
    ("batch/v1", "Job"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "ServiceAccount"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("networking.k8s.io/v1", "Ingress"),
    ("policy/v1", "PodDisruptionBudget"),
)


@dataclass(frozen=True)
class Prune:
    """What may be deleted: objects of `kinds` (apiVersion, kind) that match `label_selector`.

    `namespaces`: only there, all when empty. The selector must ask for at least one label to be present.
    """

    label_selector: str
    kinds: tuple[tuple[str, str], ...] = DEFAULT_KINDS
    namespaces: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not any(_asks(part.strip()) for part in self.label_selector.split(",")):
            raise InputError(
                f"The prune selector {self.label_selector!r} asks for no label.",
                hint="Use one that only your own objects have, such as app=web.",
            )


def candidates(client: Client, prune: Prune, wanted: Collection[Key]) -> tuple[list[Object], list[ApiError]]:
    """The live objects that would be deleted, and why a kind could not be read.

    Kinds that the server does not have are passed over.
    """
    found: list[Object] = []
    refused: list[ApiError] = []
    for api_version, kind in prune.kinds:
        try:
            found += _of_kind(client, prune, wanted, api_version, kind)
        except ApiError as error:
            refused.append(error)
    return found, refused


def _of_kind(client: Client, prune: Prune, wanted: Collection[Key], api_version: str, kind: str) -> Iterator[Object]:
    resource = client.find_resource(api_version, kind)
    if resource is None:
        return
    chosen = prune.namespaces if resource.namespaced else ()
    group = api_version.rpartition("/")[0]
    for obj in _labelled(client, api_version, kind, prune.label_selector, chosen):
        metadata = obj["metadata"]
        key = (group, kind, metadata.get("namespace", ""), metadata["name"])
        # What a controller made from an object of ours may carry its labels: it goes with its owner.
        owned = any(owner.get("controller") for owner in metadata.get("ownerReferences") or [])
        if key not in wanted and not owned and not metadata.get("deletionTimestamp"):
            yield obj


def _labelled(
    client: Client, api_version: str, kind: str, selector: str, namespaces: Collection[str]
) -> Iterator[Object]:
    """The live objects of a kind that match, of the whole cluster where no namespaces are named."""
    if not namespaces or len(namespaces) > _FEW_NAMESPACES:
        try:
            found = client.list(api_version, kind, label_selector=selector)
        except ApiError as error:
            if error.status != 403 or not namespaces:
                raise
            # Not everyone may list a whole cluster: ask for less.
        else:
            yield from (obj for obj in found if not namespaces or obj["metadata"]["namespace"] in namespaces)
            return
    for namespace in namespaces:
        yield from client.list(api_version, kind, namespace, label_selector=selector)


def delete(client: Client, obj: Object, *, dry_run: bool) -> None:
    """Delete just this object: not if it has changed since, for it may have lost the label."""
    metadata = obj["metadata"]
    client.delete(
        obj["apiVersion"],
        obj["kind"],
        metadata["name"],
        metadata.get("namespace"),
        dry_run=dry_run,
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
    )


def _asks(part: str) -> bool:
    """Whether a part of a selector needs a label to be there: `a=b`, `a in (b, c)` or `a`, not `!a` or `a!=b`."""
    return bool(part) and not part.startswith("!") and "!=" not in part and " notin " not in part and part[0].isalnum()
