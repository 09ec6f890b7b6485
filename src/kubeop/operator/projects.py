"""A Project becomes a namespace with its baseline; a deleted Project takes its namespace along.

A namespace that belongs to somebody else is never touched: not labelled, not filled, not deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubeop import names
from kubeop.domain import baseline, quotas
from kubeop.domain.policy import Policy
from kubeop.domain.projects import Project
from kubeop.errors import ClusterError, ClusterUnreachable, InputError, QuantityError
from kubeop.kube.client import Client
from kubeop.kube.openshift import OpenShift
from kubeop.operator.ledger import Ledger, Ref
from kubeop.operator.openshift import ask_for_namespace, asked_for, gives_namespaces, is_openshift
from kubeop.operator.pieces import put_right
from kubeop.operator.status import Status, set_finalizer

Object = Mapping[str, Any]

BASELINE_APPLIED = "BaselineApplied"  # the reason of a Project that is ready
_PREFIX = f"{names.PLATFORM}-"  # a Project object is named <tenant>-<project>, its namespace kubeop-<tenant>-<project>


def reconcile_project(
    client: Client,
    project: Object,
    policy: Policy,
    ledger: Ledger | None = None,
    openshift: OpenShift | None = None,
) -> Status:
    """Make the cluster match one Project object, just read. Raises ClusterError; then nothing is known to be right.

    What was found or put right goes into the ledger.
    """
    openshift = openshift or OpenShift(client)
    if project["metadata"].get("deletionTimestamp"):
        return _finalize(client, openshift, project)
    try:
        wanted, rules = Project.of(project), rules_of(project, policy, openshift=is_openshift(openshift))
    except InputError as error:
        return Status(False, "InvalidQuota" if isinstance(error, QuantityError) else "InvalidSpec", str(error))
    if project["metadata"]["name"] != wanted.object_name:
        hint = f"Name the Project {wanted.object_name}: its tenant, a dash, its own name."
        return Status(False, "InvalidName", f"Project {project['metadata']['name']} has the wrong name. {hint}")
    found = client.get("v1", "Namespace", wanted.namespace)
    refusal = _refusal(openshift, project, wanted, found)
    if refusal is not None:
        return refusal
    trouble = _quota_trouble(wanted, policy) or _tenant_trouble(client, wanted)
    if trouble is not None and found is None:
        return trouble
    held = set_finalizer(client, project, present=True)
    if ledger is not None and held != project:
        ledger.expect(Ref.of(project), held)
    fields = {"namespace": wanted.namespace}
    namespace = found
    if found is None and gives_namespaces(openshift):
        namespace = ask_for_namespace(client, openshift, wanted)
        if namespace is None:
            message = f"Namespace {wanted.namespace} was asked for by a ProjectRequest and is not there yet."
            return Status(False, "NamespaceRequested", message, fields=fields, retry=True)
    written = _put_right(client, rules, namespace, ledger)
    if trouble is not None:  # the namespace exists: its baseline is kept up all the same
        return Status(False, trouble.reason, trouble.message, fields=fields)
    return Status(
        True,
        BASELINE_APPLIED,
        f"Namespace {wanted.namespace} has its whole baseline.",
        fields=fields,
        repaired=written if found is not None else (),
    )


def rules_of(project: Object, policy: Policy, *, openshift: bool) -> baseline.Baseline:
    """The baseline of a Project object under a policy. Raises InputError."""
    return baseline.Baseline.of_project(
        Project.of(project), cluster=policy.cluster, egress_cidrs=policy.egress_baseline, openshift=openshift
    )


def namespace_of(project: str) -> str:
    """The namespace of a Project object, by the object's name."""
    return _PREFIX + project


def project_of(namespace: str) -> str | None:
    """The Project object that a namespace belongs to by its name; None for a name that is no project's."""
    return namespace.removeprefix(_PREFIX) if namespace.startswith(_PREFIX) else None


def owns(project: Object, namespace: Object) -> bool:
    """True if the namespace is this Project's: its labels say so, or did when this operator wrote them."""
    spec, metadata = project.get("spec") or {}, namespace["metadata"]
    labels = metadata.get("labels") or {}
    if (labels.get(names.LABEL_TENANT), labels.get(names.LABEL_PROJECT)) == (spec.get("tenantRef"), spec.get("name")):
        return True
    managers = {entry.get("manager") for entry in metadata.get("managedFields") or []}
    recorded = (project.get("status") or {}).get("namespace")
    return recorded == metadata["name"] and names.FIELD_MANAGER_OPERATOR in managers


def _refusal(openshift: OpenShift, project: Object, wanted: Project, found: Object | None) -> Status | None:
    """Why an existing namespace cannot be used, if so."""
    if found is None:
        return None
    if not owns(project, found) and not asked_for(openshift, found):
        return Status(False, "NamespaceTaken", _taken_message(found), retry=True)
    if found["metadata"].get("deletionTimestamp"):
        message = f"Namespace {wanted.namespace} is being deleted; it is made anew once it is gone."
        return Status(False, "NamespaceTerminating", message, fields={"namespace": wanted.namespace}, retry=True)
    return None


def _taken_message(namespace: Object) -> str:
    labels = namespace["metadata"].get("labels") or {}
    tenant, project = labels.get(names.LABEL_TENANT), labels.get(names.LABEL_PROJECT)
    owner = f"belongs to tenant {tenant}, project {project}" if tenant and project else "is not the platform's"
    return (
        f"Namespace {namespace['metadata']['name']} {owner} and is left alone. "
        "Delete that namespace or use another project name."
    )


def _quota_trouble(wanted: Project, policy: Policy) -> Status | None:
    too_much = quotas.excess(wanted.quota.merged(quotas.DEFAULT_PROJECT_QUOTA), policy.quota_max)
    if not too_much:
        return None
    message = f"The quota is above what this cluster allows a project: {', '.join(too_much)}."
    return Status(False, "QuotaTooLarge", message)


def _tenant_trouble(client: Client, wanted: Project) -> Status | None:
    tenant = client.get(names.GROUP_VERSION, "Tenant", wanted.tenant)
    if tenant is None:
        return Status(False, "TenantMissing", f"There is no Tenant {wanted.tenant}. Create it or correct tenantRef.")
    if tenant["metadata"].get("deletionTimestamp"):
        return Status(False, "TenantDeleting", f"Tenant {wanted.tenant} is being deleted. Delete this Project too.")
    return None


def _put_right(
    client: Client, rules: baseline.Baseline, namespace: Object | None, ledger: Ledger | None
) -> tuple[str, ...]:
    """Go through the baseline in order; returns what had to be written, as Kind/name.

    A piece that cannot be written does not keep the others from being put right: its error is raised at the end.
    """
    written: list[str] = []
    failure: ClusterError | None = None
    for wanted in baseline.objects(rules):
        ref = Ref.of(wanted)
        try:
            if ref.kind == "Namespace":
                found = namespace
            elif namespace is None:  # a namespace that was just made is empty
                found = None
            else:
                found = client.get(wanted["apiVersion"], ref.kind, ref.name, ref.namespace)
            result, changed = put_right(client, wanted, found)
        except ClusterError as error:
            if namespace is None or isinstance(error, ClusterUnreachable):
                raise
            failure = failure or error
            continue
        if changed:
            written.append(f"{ref.kind}/{ref.name}")
        if ledger is not None:
            ledger.note(ref, result)
    if failure is not None:
        raise failure
    return tuple(written)


def _finalize(client: Client, openshift: OpenShift, project: Object) -> Status:
    """Delete the namespace that this Project owns, and let the Project go once it is gone."""
    if names.FINALIZER not in (project["metadata"].get("finalizers") or []):
        return Status(False, "Deleting", "Nothing is left to clean up.", gone=True)
    name = namespace_of(project["metadata"]["name"])
    namespace = client.get("v1", "Namespace", name)
    if namespace is None or not (owns(project, namespace) or asked_for(openshift, namespace)):
        set_finalizer(client, project, present=False)
        return Status(False, "Deleted", "The Project's namespace is gone.", gone=True)
    if not namespace["metadata"].get("deletionTimestamp"):
        client.delete("v1", "Namespace", name, uid=namespace["metadata"]["uid"])
    message = f"Namespace {name} is being deleted; the Project goes with it."
    return Status(False, "Deleting", message, fields={"namespace": name}, retry=True)
