"""Rules for what runs in a project: its images, what its pods ask of the node, and whose labels it carries.

Pods are judged, and also what makes pods, so that the refusal meets the one who can act on it. An update that leaves
the pod specification as it was is let through: a stricter policy must not stop what runs from being scaled or cleaned
up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kubeop import names
from kubeop.admission.refusals import Refusal
from kubeop.admission.reviews import Request
from kubeop.admission.state import Ownership, State
from kubeop.domain import images, pod_security
from kubeop.errors import InputError

_TEMPLATE = ("spec", "template")
# Where the pods are described: the path to what has a pod's `metadata` and `spec`.
_POD_PATHS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "pods"): (),
    ("", "replicationcontrollers"): _TEMPLATE,
    ("apps", "deployments"): _TEMPLATE,
    ("apps", "statefulsets"): _TEMPLATE,
    ("apps", "daemonsets"): _TEMPLATE,
    ("apps", "replicasets"): _TEMPLATE,
    ("batch", "jobs"): _TEMPLATE,
    ("batch", "cronjobs"): ("spec", "jobTemplate", "spec", "template"),
}
WORKLOADS = frozenset(_POD_PATHS)
EPHEMERAL = ("", "pods/ephemeralcontainers")
_OWNERSHIP = ((names.LABEL_TENANT, "tenant"), (names.LABEL_PROJECT, "project"), (names.LABEL_CLUSTER, "cluster"))


def check_images(request: Request, state: State) -> Iterator[Refusal]:
    """Every image is on the policy's allow-list: of containers, init and ephemeral containers, and image volumes."""
    spec, _ = _changed_pod_spec(request)
    if spec is None or not state.policy.image_allowlist:
        return
    wanted = [container.get("image") for _, container in pod_security.containers(spec)]
    wanted += [(volume.get("image") or {}).get("reference") for volume in spec.get("volumes") or ()]
    for image in dict.fromkeys(wanted):
        if image:
            yield from _check_image(image, state.policy.image_allowlist)


def check_pod_security(request: Request, state: State) -> Iterator[Refusal]:  # noqa: ARG001 - every check has the two
    """No pod asks for the node's namespaces, files, ports or more privileges."""
    spec, path = _changed_pod_spec(request)
    if spec is not None:
        for violation in pod_security.violations(spec, path):
            yield Refusal(violation.message)


def check_labels(request: Request, state: State) -> Iterator[Refusal]:
    """Ownership labels on a workload or on the pods that it makes are those of its namespace."""
    wrong = [
        (where, label, value, field)
        for where, labels in _labels(request.obj, request)
        for label, field in _OWNERSHIP
        if (value := labels.get(label)) is not None
    ]
    if not wrong or list(_labels(request.obj, request)) == list(_labels(request.old, request)):
        return
    owner = state.namespaces.get(request.namespace)
    if not owner:
        message = f"namespace {request.namespace} is not known as a project's yet; try again in a moment"
        yield Refusal(message, unseen=True)
        return
    for where, label, value, field in wrong:
        expected = getattr(owner, field)
        if value != expected:
            change = f"set it to {expected!r} or remove it" if expected else "remove it"
            yield Refusal(
                f"label {label} of {where} is {value!r}, but namespace {request.namespace} {_of(owner)}; {change}"
            )


def _check_image(image: str, allowlist: tuple[str, ...]) -> Iterator[Refusal]:
    try:
        if images.allowed(image, allowlist):
            return
        full = images.parse(image)
    except InputError as error:
        yield Refusal(str(error))
        return
    yield Refusal(
        f"image {full} is not on the allow list ({', '.join(allowlist)}); "
        "use one of these registries or ask a platform admin to add it"
    )


def _changed_pod_spec(request: Request) -> tuple[Mapping[str, Any] | None, str]:
    """The pod specification and its path in the object; None if it is what it was before."""
    path = _POD_PATHS.get((request.resource.group, request.resource.resource), ())
    spec = _pod(request.obj, path).get("spec")
    if request.operation == "UPDATE" and spec == _pod(request.old, path).get("spec"):
        return None, ""
    return spec, ".".join((*path, "spec"))


def _labels(obj: Mapping[str, Any], request: Request) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "the object", (obj.get("metadata") or {}).get("labels") or {}
    path = _POD_PATHS.get((request.resource.group, request.resource.resource), ())
    if path:
        yield ".".join(path), (_pod(obj, path).get("metadata") or {}).get("labels") or {}


def _pod(obj: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any]:
    for key in path:
        obj = obj.get(key) or {}
    return obj


def _of(owner: Ownership) -> str:
    return f"belongs to tenant {owner.tenant}, project {owner.project}"
