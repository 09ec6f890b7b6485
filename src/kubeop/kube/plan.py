"""What is wanted next to what is live: read in few calls, compared as it comes in, kept only where it differs."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kubeop.errors import ApiError, InputError, KubeopError
from kubeop.kube.client import Client, Object, label
from kubeop.kube.compare import settled
from kubeop.kube.discovery import Resource, unknown_kind
from kubeop.kube.parallel import in_parallel

CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")
NAMESPACE = ("", "Namespace")
_BINDINGS = frozenset({"RoleBinding", "ClusterRoleBinding"})
_BASE = frozenset(
    {
        *(
            "ServiceAccount",
            "Secret",
            "ConfigMap",
            "Role",
            "ClusterRole",
            "ResourceQuota",
            "LimitRange",
            "NetworkPolicy",
        ),
        *("PriorityClass", "StorageClass", "RuntimeClass", "IngressClass", "PersistentVolume", "PersistentVolumeClaim"),
        *("Service", "PodDisruptionBudget"),
    }
)
_LAST = frozenset(
    {
        *("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService"),
        *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
        *("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"),
    }
)
STAGES = range(6)  # CRDs, namespaces, what workloads need, role bindings, the rest, what intercepts the API
LAST_STAGE = STAGES[-1]

_FEW_OBJECTS = 3  # up to so many of a kind are read one by one, so that a large cluster is not listed for them
_FEW_NAMESPACES = 5  # up to so many namespaces are listed one by one


@dataclass
class Step:
    """One wanted object on its way: `live` is set when it differs from what is there, `settled` when it does not."""

    index: int
    obj: Object
    stage: int
    resource: Resource | None = None
    live: Object | None = None
    settled: bool = False
    error: KubeopError | None = None

    @property
    def group_kind(self) -> tuple[str, str]:
        """The API group, empty for the core one, and the kind."""
        return self.obj["apiVersion"].rpartition("/")[0], self.obj["kind"]

    @property
    def namespace(self) -> str:
        """The namespace, empty for an object outside of any."""
        return str(self.obj["metadata"].get("namespace") or "")

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.obj["metadata"]["name"])


@dataclass
class Plan:
    """All steps, by the index of the object; `pending`: kinds that a CRD among the objects still has to bring."""

    steps: list[Step] = field(default_factory=list)
    pending: set[tuple[str, str]] = field(default_factory=set)


def prepare(client: Client, objects: Iterable[Mapping[str, Any]]) -> Plan:
    """Check the objects and find out where each lives. Raises InputError for what is no Kubernetes object."""
    flat = list(_flat(objects))
    plan = Plan()
    for index, obj in enumerate(flat):
        _check(obj, index)
        copy = _cleaned(obj)
        step = Step(index, copy, 0)
        step.stage = _stage(*step.group_kind)
        plan.steps.append(step)
        if step.group_kind == CRD:
            spec = obj.get("spec") or {}
            plan.pending.add((str(spec.get("group")), str((spec.get("names") or {}).get("kind"))))
    resolve(client, plan.steps, plan.pending)
    _refuse_twins(plan.steps)
    return plan


def resolve(client: Client, steps: Iterable[Step], pending: set[tuple[str, str]]) -> None:
    """Find each step's resource. A kind that nobody serves is that object's error, unless it is `pending`."""
    for step in steps:
        if step.resource is not None or step.error is not None:
            continue
        api_version, kind = step.obj["apiVersion"], step.obj["kind"]
        step.resource = client.find_resource(api_version, kind)
        if step.resource is None:
            if step.group_kind not in pending:
                unknown = unknown_kind(api_version, kind, client.host)
                step.error = ApiError(
                    f"{label(step.obj)}: {unknown.message}", status=404, reason=unknown.reason, hint=unknown.hint
                )
            continue
        metadata = step.obj["metadata"]
        if not step.resource.namespaced:
            metadata.pop("namespace", None)
        elif not metadata.get("namespace"):
            metadata["namespace"] = client.kubeconfig.namespace


def compare(client: Client, steps: Iterable[Step], field_manager: str, workers: int) -> None:
    """Read what is live of these steps and settle each: nothing to do, differs, or not there.

    Raises ClusterUnreachable, and ApiError for what concerns more than one object.
    """
    by_resource: dict[Resource, dict[tuple[str, str], Step]] = defaultdict(dict)
    for step in steps:
        if step.resource is not None and step.error is None:
            by_resource[step.resource][step.namespace, step.name] = step
    for _ in in_parallel(
        lambda item: _read(client, item[0], item[1], field_manager), list(by_resource.items()), workers
    ):
        pass


def _read(client: Client, resource: Resource, wanted: dict[tuple[str, str], Step], field_manager: str) -> None:
    namespaces = sorted({namespace for namespace, _ in wanted})
    if len(wanted) <= _FEW_OBJECTS:
        _read_each(client, resource, wanted.values(), field_manager)
        return
    if resource.namespaced and len(namespaces) <= _FEW_NAMESPACES:
        _read_namespaces(client, resource, namespaces, wanted, field_manager)
        return
    try:
        _read_list(client, resource, None, wanted, field_manager)
    except ApiError as error:
        if error.status != 403:
            raise
        # Not everyone may list a whole cluster: ask for less.
        if resource.namespaced:
            _read_namespaces(client, resource, namespaces, wanted, field_manager)
        else:
            _read_each(client, resource, wanted.values(), field_manager)


def _read_namespaces(
    client: Client, resource: Resource, namespaces: Sequence[str], wanted: dict[tuple[str, str], Step], manager: str
) -> None:
    for namespace in namespaces:
        try:
            _read_list(client, resource, namespace, wanted, manager)
        except ApiError as error:
            if error.status != 403:
                raise
            _read_each(client, resource, (step for step in wanted.values() if step.namespace == namespace), manager)


def _read_each(client: Client, resource: Resource, steps: Iterable[Step], manager: str) -> None:
    for step in steps:
        try:
            live = client.get(resource.api_version, resource.kind, step.name, step.namespace or None)
        except ApiError as error:
            step.error = error
            continue
        if live is not None:
            _meet(step, live, manager)


def _read_list(
    client: Client, resource: Resource, namespace: str | None, wanted: dict[tuple[str, str], Step], manager: str
) -> None:
    try:
        pages = client.pages(resource.api_version, resource.kind, namespace)
        _read_pages(pages, wanted, manager)
    except ApiError as error:
        if error.status != 410:  # the list took so long that its next page is gone: once more
            raise
        _read_pages(client.pages(resource.api_version, resource.kind, namespace), wanted, manager)


def _read_pages(pages: Iterator[tuple[list[Object], str]], wanted: dict[tuple[str, str], Step], manager: str) -> None:
    for page, _ in pages:
        for live in page:
            metadata = live["metadata"]
            step = wanted.get((metadata.get("namespace", ""), metadata["name"]))
            if step is not None:
                _meet(step, live, manager)


def _meet(step: Step, live: Object, manager: str) -> None:
    if live["metadata"].get("deletionTimestamp"):
        step.error = ApiError(
            f"{label(step.obj)} is being deleted.",
            status=409,
            reason="Terminating",
            hint="Wait until it is gone, then run again.",
        )
    elif settled(step.obj, live, manager):
        step.settled, step.live = True, None
    else:
        step.live = live


def _flat(objects: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The objects with the contents of `kind: List` in the place of the list."""
    for obj in objects:
        if (
            isinstance(obj, Mapping)
            and str(obj.get("kind", "")).endswith("List")
            and isinstance(obj.get("items"), list)
        ):
            yield from _flat(obj["items"])
        else:
            yield obj


def _check(obj: object, index: int) -> None:
    where = f"Object {index + 1}"
    if not isinstance(obj, Mapping):
        raise InputError(
            f"{where} is {type(obj).__name__}, not a Kubernetes object.", hint="Give it apiVersion and kind."
        )
    for name in ("apiVersion", "kind"):
        if not obj.get(name) or not isinstance(obj[name], str):
            raise InputError(f"{where} ({label(obj)}) has no {name}.", hint=f"Give it {name} as a text.")
    metadata = obj.get("metadata")
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        generated = isinstance(metadata, Mapping) and metadata.get("generateName")
        hint = "Applying needs a fixed name: generateName makes another one each time." if generated else "Name it."
        raise InputError(f"{where}, a {obj['kind']}, has no metadata.name.", hint=hint)


def _cleaned(obj: Mapping[str, Any]) -> Object:
    """A copy without what the server writes itself; a Secret's stringData, which it never shows again, as data."""
    copy = dict(obj)
    metadata = dict(obj["metadata"])
    for name in ("creationTimestamp", "managedFields", "resourceVersion", "uid", "generation", "selfLink"):
        metadata.pop(name, None)
    copy["metadata"] = metadata
    if not copy.get("status", True):
        del copy["status"]
    if (copy["apiVersion"], copy["kind"]) == ("v1", "Secret") and "stringData" in copy:
        texts = copy.pop("stringData")
        if texts:
            copy["data"] = {**(copy.get("data") or {}), **_encoded(texts)}
    return copy


def _encoded(texts: Mapping[str, Any]) -> dict[str, str]:
    return {key: base64.b64encode(str(value).encode()).decode() for key, value in texts.items()}


def _stage(group: str, kind: str) -> int:
    if (group, kind) == CRD:
        return 0
    if (group, kind) == NAMESPACE:
        return 1
    builtin = "." not in group or group.endswith(".k8s.io")
    if builtin and kind in _BASE:
        return 2
    if builtin and kind in _BINDINGS:
        return 3
    return LAST_STAGE if builtin and kind in _LAST else 4


def _refuse_twins(steps: Iterable[Step]) -> None:
    seen: set[tuple[str, str, str, str]] = set()
    for step in steps:
        key = (*step.group_kind, step.namespace, step.name)
        if key in seen:
            raise InputError(f"{label(step.obj)} is given twice.", hint="Keep one of the two.")
        seen.add(key)
