"""Rules for project namespaces: only the platform makes them and says whose they are, and what it says is true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kubeop import names
from kubeop.admission.refusals import Refusal, is_platform_admin
from kubeop.admission.reviews import Request
from kubeop.admission.state import Ownership, State
from kubeop.kube.openshift import REQUESTER

_PREFIX = f"{names.PLATFORM}-"
# On an OpenShift a project's namespace is asked for: its own API server makes it, and writes down for whom.
_OPENSHIFT = "system:serviceaccounts:openshift-apiserver"
_OPERATOR = f"system:serviceaccount:{names.PLATFORM_NAMESPACE}:{names.OPERATOR}"


def check_namespace(request: Request, state: State) -> Iterator[Refusal]:
    """A namespace named `kubeop-*` or with ownership labels is a project's, and its labels name that project."""
    name = (request.obj.get("metadata") or {}).get("name", request.name)
    owner, before = Ownership.of(request.obj), Ownership.of(request.old)
    if name == names.PLATFORM_NAMESPACE or not (name.startswith(_PREFIX) or owner or before):
        return
    if request.operation == "UPDATE" and _governing(request.obj) == _governing(request.old):
        return
    if request.operation == "CREATE" and not owner and _asked_for(request):
        return  # the operator labels it next
    if not is_platform_admin(request.user_info, state.policy):
        verb = "make" if request.operation == "CREATE" else "relabel"
        yield Refusal(
            f"only the platform may {verb} namespace {name}; create or change a Project and it follows, "
            "or use a name that does not begin with kubeop- and no app.kubeop.io labels"
        )
        return
    yield from _check_alignment(name, owner, before, state)


def _check_alignment(name: str, owner: Ownership, before: Ownership, state: State) -> Iterator[Refusal]:
    claimant = state.projects.get(name.removeprefix(_PREFIX)) if name.startswith(_PREFIX) else None
    if claimant is not None and (owner.tenant, owner.project) != (claimant.tenant, claimant.name):
        yield Refusal(
            f"namespace {name} is owned by another project than its labels say ({owner}); set {names.LABEL_TENANT} to "
            f"{claimant.tenant!r} and {names.LABEL_PROJECT} to {claimant.name!r}"
        )
        return
    if not owner:
        return
    if not (owner.tenant and owner.project):
        yield Refusal(f"namespace {name} has only one of {names.LABEL_TENANT} and {names.LABEL_PROJECT}; set both")
        return
    expected = names.project_namespace(owner.tenant, owner.project)
    project = state.projects.get(f"{owner.tenant}-{owner.project}")
    claimed = project is not None and (project.tenant, project.name) == (owner.tenant, owner.project)
    if name != expected and (claimed or name.startswith(_PREFIX)):
        yield Refusal(
            f"namespace {name} does not belong to {owner}, whose namespace is {expected}; correct labels or name"
        )
    elif name != expected and before and (before.tenant, before.project) != (owner.tenant, owner.project):
        yield Refusal(f"namespace {name} is owned by another project ({before}); delete it first or use another name")


def _asked_for(request: Request) -> bool:
    annotations = (request.obj.get("metadata") or {}).get("annotations") or {}
    return _OPENSHIFT in request.user_info.groups and annotations.get(REQUESTER) == _OPERATOR


def _governing(obj: Mapping[str, Any]) -> dict[str, Any]:
    """The labels that say whose a namespace is and what its pods may do."""
    labels = (obj.get("metadata") or {}).get("labels") or {}
    ours = (names.LABEL_TENANT, names.LABEL_PROJECT, names.LABEL_CLUSTER)
    return {key: value for key, value in labels.items() if key in ours or key.startswith(names.POD_SECURITY_PREFIX)}
