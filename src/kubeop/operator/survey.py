"""Looking at everything at once: one LIST a kind instead of seven GETs a project.

A new leader and the periodic resync learn from it what is right, so that only the rest needs a closer look. Pages keep
it small in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from kubeop import names
from kubeop.domain.baseline import objects
from kubeop.domain.policy import Policy
from kubeop.errors import InputError
from kubeop.kube.client import Client
from kubeop.kube.openshift import OpenShift
from kubeop.operator.ledger import Ledger, Ref
from kubeop.operator.openshift import is_openshift
from kubeop.operator.pieces import is_right
from kubeop.operator.projects import BASELINE_APPLIED, owns, project_of, rules_of
from kubeop.operator.status import condition

Object = Mapping[str, Any]

KINDS = (
    ("v1", "Namespace"),
    ("v1", "LimitRange"),
    ("v1", "ResourceQuota"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
)


def survey(client: Client, projects: list[dict[str, Any]], policy: Policy, ledger: Ledger) -> set[str]:
    """Note in the ledger what is right, of these Projects just listed. Returns the names of those that are not settled.

    Raises ClusterError.
    """
    wanted: dict[Ref, tuple[Object, dict[str, Any]]] = {}
    openshift = is_openshift(OpenShift(client))
    for project in projects:
        wanted.update(_wanted(project, policy, openshift=openshift))
    tenants = {
        tenant["metadata"]["name"]
        for tenant in client.list(names.GROUP_VERSION, "Tenant")
        if "deletionTimestamp" not in tenant["metadata"]
    }
    right: Counter[str] = Counter()
    selector = f"{names.LABEL_MANAGED_BY}={names.PLATFORM}"
    for api_version, kind in KINDS:
        for page, _ in client.pages(api_version, kind, label_selector=selector):
            for found in page:
                right.update(_note_if_right(found, wanted, ledger))
    pieces = Counter(project["metadata"]["name"] for project, _ in wanted.values())
    unsettled = set()
    for project in projects:
        name = project["metadata"]["name"]
        if right[name] == pieces[name] > 0 and project["spec"]["tenantRef"] in tenants and _is_settled(project):
            ledger.note(Ref.of(project), project)
        else:
            ledger.forget(Ref.of(project))
            unsettled.add(name)
    return unsettled


def _wanted(project: Object, policy: Policy, *, openshift: bool) -> dict[Ref, tuple[Object, dict[str, Any]]]:
    try:
        return {Ref.of(piece): (project, piece) for piece in objects(rules_of(project, policy, openshift=openshift))}
    except InputError:
        return {}


def _note_if_right(
    found: Object, wanted: Mapping[Ref, tuple[Object, dict[str, Any]]], ledger: Ledger
) -> tuple[str, ...]:
    ref = Ref.of(found)
    project, piece = wanted.get(ref, (None, None))
    if project is None or piece is None or project_of(ref.namespace or ref.name) != project["metadata"]["name"]:
        return ()
    if found["metadata"].get("deletionTimestamp") or not is_right(piece, found):
        return ()
    if ref.kind == "Namespace" and not owns(project, found):
        return ()
    ledger.note(ref, found)
    return (project["metadata"]["name"],)


def _is_settled(project: Object) -> bool:
    metadata, ready = project["metadata"], condition(project)
    return (
        "deletionTimestamp" not in metadata
        and names.FINALIZER in (metadata.get("finalizers") or [])
        and ready.get("reason") == BASELINE_APPLIED
        and ready.get("observedGeneration") == metadata.get("generation")
    )
