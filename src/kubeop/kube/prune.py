"""Deleting what is no longer wanted: objects of named kinds that carry our label and are not in the wanted set."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from kubeop.errors import ApiError, ClusterError, ClusterUnreachable, InputError
from kubeop.kube.client import Client, Object
from kubeop.kube.discovery import unknown_kind

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
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("v1", "ResourceQuota"),
    ("v1", "LimitRange"),
)


@dataclass(frozen=True)
class Prune:
    """What may be deleted: objects of `kinds` (apiVersion, kind) that match `label_selector`.

    `namespaces`: only there, in the whole cluster when empty. The selector must ask for at least one label to be
    present.
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

    @classmethod
    def asked(cls, label: str | None, namespaces: Sequence[str] | None, kinds: Sequence[str] | None) -> Self | None:
        """What a person asks for; None when that is no pruning. Kinds are as in `apps/v1/Deployment`.

        Raises InputError. A list that is given and empty is one of them: whoever computes it does not mean everything.
        """
        for what, given in (("namespaces", namespaces), ("kinds", kinds)):
            if given is not None and not label:
                raise InputError(f"There are {what} to prune and no label.", hint="Say which label is pruned.")
            if given is not None and (not given or not all(given)):
                raise InputError(f"The {what} to prune are empty.", hint="Name some, or leave them out for all.")
        if not label:
            return None
        chosen = DEFAULT_KINDS if kinds is None else tuple(_kind(text) for text in kinds)
        return cls(label, chosen, tuple(namespaces or ()))


def _kind(text: str) -> tuple[str, str]:
    """The apiVersion and the kind of `apps/v1/Deployment`."""
    api_version, _, kind = text.rpartition("/")
    if not kind or not all(api_version.split("/")) or api_version.count("/") > 1:
        raise InputError(
            f"The kind to prune {text!r} is none.",
            hint="Give apiVersion and kind, as in apps/v1/Deployment or v1/Secret.",
        )
    return api_version, kind


def candidates(
    client: Client, prune: Prune, wanted: Collection[Key], coming: Collection[tuple[str, str]] = ()
) -> tuple[list[Object], list[ClusterError]]:
    """The live objects that would be deleted, and why a kind could not be read.

    Passed over are, of the default kinds and of those that are `coming`, the ones that the server does not have.
    """
    found: list[Object] = []
    refused: list[ClusterError] = []
    for api_version, kind in dict.fromkeys(prune.kinds):
        missing_ok = (api_version, kind) in (*DEFAULT_KINDS, *coming)
        try:
            found += _of_kind(client, prune, wanted, api_version, kind, missing_ok=missing_ok)
        except ClusterUnreachable:
            raise
        except ClusterError as error:
            refused.append(error)
    return found, refused


def _of_kind(
    client: Client, prune: Prune, wanted: Collection[Key], api_version: str, kind: str, *, missing_ok: bool
) -> Iterator[Object]:
    resource = client.find_resource(api_version, kind)
    if resource is None:
        if missing_ok:
            return
        raise unknown_kind(api_version, kind, client.host)
    if prune.namespaces and not resource.namespaced:
        raise ClusterError(
            f"{kind} lives in no namespace, so that none is pruned in {', '.join(prune.namespaces)}.",
            hint="Prune it by itself, without namespaces.",
        )
    group = api_version.rpartition("/")[0]
    for obj in _labelled(client, api_version, kind, prune.label_selector, prune.namespaces):
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
