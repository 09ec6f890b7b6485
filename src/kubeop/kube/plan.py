"""What is wanted next to what is live: read in few calls, compared as it comes in, kept only where it differs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kubeop.errors import ApiError, InputError, KubeopError
from kubeop.kube import given
from kubeop.kube.client import Client, Object, label
from kubeop.kube.compare import settled
from kubeop.kube.discovery import Resource, unknown_kind
from kubeop.kube.given import CRD
from kubeop.kube.parallel import in_parallel

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

# The conditions that tell why a namespace is not gone yet.
_REMAINING = frozenset(
    {
        *("NamespaceDeletionDiscoveryFailure", "NamespaceDeletionContentFailure"),
        *("NamespaceContentRemaining", "NamespaceFinalizersRemaining"),
    }
)

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
        return given.group_kind(self.obj)

    @property
    def kind(self) -> tuple[str, str]:
        """The apiVersion and the kind."""
        return self.obj["apiVersion"], self.obj["kind"]

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Group, kind, namespace and name."""
        return (*self.group_kind, self.namespace, self.name)

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
    """All steps; `pending`: kinds (apiVersion, kind) that a CRD among the objects still has to bring.

    `faults`: what is wrong with objects that are none, by their index.
    """

    steps: list[Step] = field(default_factory=list)
    pending: set[tuple[str, str]] = field(default_factory=set)
    faults: dict[int, KubeopError] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many objects were given."""
        return len(self.steps) + len(self.faults)


def prepare(objects: Iterable[Mapping[str, Any]]) -> Plan:
    """Check the objects, without a server."""
    plan = Plan()
    for index, obj in enumerate(given.checked(objects)):
        if isinstance(obj, InputError):
            plan.faults[index] = obj
            continue
        plan.steps.append(Step(index, obj, _stage(*given.group_kind(obj))))
        plan.pending |= given.brings(obj)
    return plan


def locate(client: Client, plan: Plan) -> None:
    """Find out where each object lives. Raises as `resolve` does."""
    resolve(client, plan.steps, plan.pending)
    for step in _twins(plan.steps):
        step.error = InputError(f"{label(step.obj)} is given more than once.", hint="Keep one of them.")


def resolve(client: Client, steps: Iterable[Step], pending: set[tuple[str, str]]) -> None:
    """Find each step's resource. A kind that nobody serves is that object's error, unless it is `pending`.

    So is an API group whose server is down. Raises ApiError for credentials that are refused, ClusterUnreachable.
    """
    down: dict[str, ApiError] = {}  # asked once each, for that takes its time
    for step in steps:
        if step.resource is not None or step.error is not None:
            continue
        api_version, kind = step.obj["apiVersion"], step.obj["kind"]
        if api_version not in down:
            try:
                step.resource = client.find_resource(api_version, kind)
            except ApiError as error:
                if error.status == 401:
                    raise
                down[api_version] = error
        if api_version in down:
            step.error = _of(step, down[api_version])
        elif step.resource is None:
            if (api_version, kind) not in pending:
                step.error = _of(step, unknown_kind(api_version, kind, client.host))
        else:
            _place(step, step.resource, client)


def _place(step: Step, resource: Resource, client: Client) -> None:
    metadata = step.obj["metadata"]
    if not resource.namespaced:
        metadata.pop("namespace", None)
    elif not metadata.get("namespace"):
        metadata["namespace"] = client.kubeconfig.namespace


def _of(step: Step, error: ApiError) -> ApiError:
    """An error that concerns a whole kind or group, as that of one object."""
    return ApiError(f"{label(step.obj)}: {error.message}", status=error.status, reason=error.reason, hint=error.hint)


def compare(client: Client, steps: Iterable[Step], field_manager: str, workers: int) -> None:
    """Read what is live of these steps and settle each: nothing to do, differs, or not there.

    A kind that cannot be read is the error of each of its objects. Raises ClusterUnreachable.
    """
    by_resource: dict[Resource, dict[tuple[str, str], Step]] = defaultdict(dict)
    for step in steps:
        if step.resource is not None and step.error is None:
            by_resource[step.resource][step.namespace, step.name] = step
    for _ in in_parallel(
        lambda item: _read_kind(client, item[0], item[1], field_manager), list(by_resource.items()), workers
    ):
        pass


def _read_kind(client: Client, resource: Resource, wanted: dict[tuple[str, str], Step], field_manager: str) -> None:
    try:
        _read(client, resource, wanted, field_manager)
    except ApiError as error:
        for step in wanted.values():
            step.error, step.live, step.settled = step.error or _of(step, error), None, False


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
            f"{label(step.obj)} is being deleted{_held(live)}.",
            status=409,
            reason="Terminating",
            hint="Wait until it is gone, then run again.",
        )
    elif settled(step.obj, live, manager):
        step.settled, step.live = True, None
    else:
        step.live = live


def _held(live: Object) -> str:
    """What an object that is being deleted still waits for."""
    conditions = (live.get("status") or {}).get("conditions") or []
    remaining = [
        str(one.get("message")) for one in conditions if one.get("status") == "True" and one.get("type") in _REMAINING
    ]
    if remaining:
        return f" ({'; '.join(remaining)})"
    finalizers = live["metadata"].get("finalizers")
    return f" and waits for {', '.join(finalizers)}" if finalizers else ""


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


def _twins(steps: Sequence[Step]) -> Iterator[Step]:
    """The steps whose object is given more than once: nobody can say which one is meant."""
    counts = Counter(step.key for step in steps)
    return (step for step in steps if counts[step.key] > 1)
