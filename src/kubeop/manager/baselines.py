"""The baselines of many namespaces of one cluster in one call, and what had drifted in them.

Namespaces are named, or picked among those that are there; a name goes before a pick, and the first pick before the
next. What is picked is never the system's or a project's: `kubeop.domain.selection` says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from kubeop import names
from kubeop.domain import baseline, selection
from kubeop.domain.baseline import Baseline, ContainerDefaults
from kubeop.domain.presets import preset
from kubeop.domain.quotas import Quota
from kubeop.errors import ApplyConflict, ClusterError, InputError, PartlyDone
from kubeop.kube.apply import ApplyResult, Change, Prune, apply
from kubeop.kube.client import Client, Object, label, named
from kubeop.kube.openshift import CLUSTER_RESOURCE_QUOTA, QUOTA_API

_LISTED: Final = f"{names.LABEL_MANAGED_BY}={names.PLATFORM},{names.LABEL_COMPONENT}={names.LISTED_POLICY}"
_PROBLEMS: Final[Mapping[str, Literal["missing", "edited", "unlisted"]]] = {
    "create": "missing",
    "update": "edited",
    "delete": "unlisted",
}


@dataclass(frozen=True)
class Wish:
    """One entry of a list: which namespaces, whose they are, and what they get instead of the preset's.

    Without a name, pattern and label selector it is the namespace of the tenant's project.
    """

    name: str = ""
    pattern: str = ""
    label_selector: str = ""
    tenant: str = ""
    project: str = ""
    preset: str = "restricted"
    quota: Quota = field(default_factory=Quota)
    containers: ContainerDefaults = field(default_factory=ContainerDefaults)
    network_policies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    egress_cidrs: tuple[str, ...] = ()
    pod_security: str = ""

    def __post_init__(self) -> None:
        if self.name and self.picks:
            raise InputError(f"Namespace {self.name} has a pattern or a label selector too.", hint="Give one of them.")
        if self.pattern:
            selection.check_pattern(self.pattern)
        if not (self.name or self.picks or (self.tenant and self.project)):
            raise InputError(
                "An entry says of no namespace.", hint="Give name, pattern, label_selector, or tenant and project."
            )

    @property
    def picks(self) -> bool:
        """Whether it picks among the namespaces that are there."""
        return bool(self.pattern or self.label_selector)

    def of(self, namespace: str, tenant: str, project: str, *, cluster: str, openshift: bool) -> Baseline:
        """The baseline of one namespace."""
        ready = preset(self.preset)
        return Baseline(
            namespace=namespace,
            tenant=tenant,
            project=project,
            cluster=cluster,
            quota=self.quota.merged(ready.quota),
            egress_cidrs=self.egress_cidrs,
            pod_security=self.pod_security or ready.pod_security,
            openshift=openshift,
            isolation=ready.isolation,
            containers=self.containers,
            network_policies=self.network_policies,
        )


@dataclass(frozen=True)
class Drift:
    """An object that is not as wanted: missing, edited (`fields` says where), or there and no longer listed.

    `owners`: the field managers that own what was edited, where it is not taken over from them.
    """

    namespace: str
    kind: str
    name: str
    problem: Literal["missing", "edited", "unlisted"]
    fields: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True)
class Governed:
    """What was done (in a dry run: would be), in which namespaces, and which were picked but left alone, and why.

    `kept`: what is not as wanted and stays so, since other managers (`owners`, by object) own fields and force was not
    given.
    """

    applied: ApplyResult
    namespaces: tuple[str, ...]
    skipped: Mapping[str, str]
    kept: tuple[Change, ...] = ()
    owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    @property
    def changed(self) -> bool:
        """Whether anything was changed, or would be."""
        return self.applied.changed

    @property
    def drift(self) -> tuple[Drift, ...]:
        """What was missing or edited in namespaces that were there."""
        changes = self.applied.changes + self.kept
        created = {one.name for one in changes if (one.kind, one.action) == ("Namespace", "create")}
        return tuple(
            _drift(change, self.owners)
            for change in changes
            # What only gets another owner is as wanted: a project's namespace belongs to the operator.
            if change.before != change.after and (change.namespace or change.name) not in created
        )


def ensure(
    client: Client,
    wishes: Sequence[Wish],
    *,
    cluster: str,
    field_manager: str,
    force: bool = False,
    dry_run: bool = False,
) -> Governed:
    """Bring every namespace to its baseline; a second call changes nothing.

    A NetworkPolicy that an earlier call has made and that is not among the wishes any more is deleted.
    Raises InputError, ClusterError; an ApplyFailed or ApplyInterrupted has in `result` what else is Governed.
    """
    where: dict[str, Any] = {"cluster": cluster}
    where["openshift"] = client.find_resource(QUOTA_API, CLUSTER_RESOURCE_QUOTA) is not None
    wanted: dict[str, Baseline] = {}
    for wish in wishes:
        if not wish.picks:
            name = wish.name or names.project_namespace(wish.tenant, wish.project)
            if name in wanted:
                raise InputError(f"Namespace {name} is given twice.", hint="Keep one of the two.")
            wanted[name] = wish.of(name, wish.tenant, wish.project, **where)
    skipped: dict[str, str] = {}
    picking = [wish for wish in wishes if wish.picks]
    projects = _projects(client) if picking else frozenset()
    for wish in picking:
        for found in client.list("v1", "Namespace", label_selector=wish.label_selector):
            name = found["metadata"]["name"]
            if name in wanted or not selection.matches(name, wish.pattern):
                continue
            chosen = selection.pick(found, projects, tenant=wish.tenant, project=wish.project)
            if chosen.skipped:
                skipped[name] = chosen.skipped
            else:
                wanted[name] = wish.of(name, chosen.tenant, chosen.project, **where)
    objects = [obj for one in wanted.values() for obj in baseline.objects(one)]
    unlisted = Prune(_LISTED, (("networking.k8s.io/v1", "NetworkPolicy"),), tuple(wanted)) if wanted else None
    left = {name: skipped[name] for name in sorted(skipped) if name not in wanted}
    try:
        applied = apply(client, objects, field_manager=field_manager, force=force, dry_run=dry_run, prune=unlisted)
    except PartlyDone as error:  # hundreds of namespaces are not untold for one
        applied = cast(ApplyResult, error.result)
        owners = {one.what: one.owners for one in error.failures if isinstance(one, ApplyConflict)}
        done = {_label(change) for change in applied.changes}
        kept = _kept(client, [obj for obj in objects if label(obj) not in done], owners, field_manager)
        error.result = Governed(applied, tuple(wanted), left, kept, owners)
        raise
    return Governed(applied, tuple(wanted), left)


def _kept(
    client: Client, undone: Sequence[Object], owners: Mapping[str, tuple[str, ...]], field_manager: str
) -> tuple[Change, ...]:
    """What force would change where others own fields: these differ, for two managers may own the same value.

    Also of what was not applied because others own fields of its namespace.
    """
    changes: tuple[Change, ...] = ()
    if owners:
        try:
            changes = apply(client, undone, field_manager=field_manager, force=True, dry_run=True).changes
        except PartlyDone as error:
            changes = cast(ApplyResult, error.result).changes
        except ClusterError:
            pass  # the server is lost: what is known without it is told
    known = {_label(change) for change in changes}
    return changes + tuple(_edited(obj) for obj in undone if label(obj) in owners and label(obj) not in known)


def _edited(obj: Object) -> Change:
    metadata = obj["metadata"]
    return Change("update", obj["apiVersion"], obj["kind"], metadata.get("namespace", ""), metadata["name"], after=obj)


def _projects(client: Client) -> frozenset[str]:
    """The namespaces of the cluster's Projects, if it has the platform."""
    if client.find_resource(names.GROUP_VERSION, "Project") is None:
        return frozenset()
    specs = [obj.get("spec") or {} for obj in client.list(names.GROUP_VERSION, "Project")]
    return frozenset(names.project_namespace(spec.get("tenantRef", ""), spec.get("name", "")) for spec in specs)


def _label(change: Change) -> str:
    """As errors name the object."""
    return named(change.kind, change.name, change.namespace)


def _drift(change: Change, owners: Mapping[str, tuple[str, ...]]) -> Drift:
    namespace, problem = change.namespace or change.name, _PROBLEMS[change.action]
    return Drift(namespace, change.kind, change.name, problem, change.fields, owners.get(_label(change), ()))
