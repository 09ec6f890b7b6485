"""All tenants and projects of a cluster in one go: three questions, then a call for each that differs, in parallel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from kubeop import names
from kubeop.domain.quotas import Quota
from kubeop.errors import ApplyFailed, InputError, KubeopError, ManagerError, in_words
from kubeop.kube.changes import ApplyResult, Change
from kubeop.kube.parallel import in_parallel
from kubeop.manager.client import ManagerClient
from kubeop.manager.fleet import Record, shown

_WORKERS = 8
_SHOWN_FAILURES = 5


@dataclass(frozen=True)
class WantedTenant:
    """A tenant with its projects, each by name with its quota."""

    name: str
    quota: Quota
    projects: Mapping[str, Quota]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> WantedTenant:
        """Read `{name, quota, projects: [{name, quota}]}`. Raises InputError for a project given twice."""
        projects = values.get("projects") or []
        _once(f"project of tenant {values['name']}", [str(one["name"]) for one in projects])
        quotas = {str(one["name"]): Quota.of(one.get("quota")) for one in projects}
        return cls(str(values["name"]), Quota.of(values.get("quota")), quotas)


@dataclass(frozen=True)
class _Task:
    """One record that is to be, and the call that makes it so; no call where it hangs on one that could not be made."""

    kind: Literal["Tenant", "Project"]
    name: str
    quota: Quota
    present: Record | None
    call: Callable[[], tuple[Record, bool]] | None
    error: str = ""

    @property
    def settled(self) -> bool:
        """Whether there is nothing to ask the manager for."""
        found = self.present
        return found is not None and found["state"] != "deleting" and Quota.of(found["quotas"]) == self.quota


@dataclass(frozen=True)
class _Done:
    """What became of a task: the record that there is now, or the error."""

    task: _Task
    record: Record = field(default_factory=dict)
    changed: bool = False
    error: KubeopError | None = None


def ensure(
    manager: ManagerClient, cluster: str, wanted: Sequence[WantedTenant], *, dry_run: bool = False
) -> ApplyResult:
    """Make these tenants and projects, or give them these quotas; what else there is stays as it is.

    Raises ApplyFailed that names each that the manager refused (the others are done), ManagerError when the manager
    does not answer. A dry run tells the same, but does not see whether what is not there yet would fit.
    """
    _once("tenant", [tenant.name for tenant in wanted])
    there = not dry_run or manager.cluster(cluster) is not None
    tenants = {record["name"]: record for record in manager.tenants(cluster)} if there else {}
    projects = {(record["tenant_id"], record["name"]): record for record in manager.projects(cluster)} if there else {}
    run = _Run(dry_run)

    def tenant_task(tenant: WantedTenant) -> _Task:
        quotas, present = tenant.quota.to_dict(), tenants.get(tenant.name)
        if not there:
            return _Task(
                "Tenant",
                tenant.name,
                tenant.quota,
                None,
                lambda: ({"id": "", "name": tenant.name, "quotas": quotas}, True),
            )
        return _Task(
            "Tenant", tenant.name, tenant.quota, present,
            lambda: manager.ensure_tenant(cluster, tenant.name, quotas, dry_run),
        )  # fmt: skip

    made = run.all([tenant_task(tenant) for tenant in wanted])

    def project_task(tenant: WantedTenant, name: str, quota: Quota) -> _Task:
        title, owner, quotas = f"{tenant.name}/{name}", made.get(tenant.name), quota.to_dict()
        if owner is None:
            error = f"Project {title} is not made, for its tenant could not be."
            return _Task("Project", title, quota, None, None, error)
        if tenant.name not in tenants and dry_run:
            namespace = names.project_namespace(tenant.name, name)
            foretold = {"name": name, "namespace": namespace, "quotas": quotas}
            return _Task("Project", title, quota, None, lambda: (foretold, True))
        return _Task(
            "Project", title, quota, projects.get((owner["id"], name)),
            lambda: manager.ensure_project(owner["id"], name, quotas, dry_run),
        )  # fmt: skip

    run.all([project_task(one, name, quota) for one in wanted for name, quota in one.projects.items()])
    return run.result()


class _Run:
    """What is done so far."""

    def __init__(self, dry_run: bool) -> None:
        self._dry_run = dry_run
        self._changes: list[Change] = []
        self._failures: list[KubeopError] = []

    def all(self, tasks: Sequence[_Task]) -> dict[str, Record]:
        """Do them; the records that there are now, by name."""
        records: dict[str, Record] = {}
        done = {one.task.name: one for one in in_parallel(_do, tasks, _WORKERS)}  # names are given once
        for task in tasks:
            one = done[task.name]
            if one.error is not None:
                self._failures.append(one.error)
                continue
            records[task.name] = one.record
            action: Literal["create", "update", "unchanged"] = "unchanged"
            if one.changed:
                action = "create" if task.present is None else "update"
            before, after = (shown(task.present) or None, shown(one.record)) if one.changed else (None, None)
            self._changes.append(Change(action, names.GROUP_VERSION, task.kind, "", task.name, before, after))
        return records

    def result(self) -> ApplyResult:
        """Everything that was done. Raises ApplyFailed when some of it could not be."""
        result = ApplyResult(tuple(self._changes), self._dry_run)
        failures = tuple(self._failures)
        if not failures:
            return result
        told = in_words([str(failure) for failure in failures], _SHOWN_FAILURES)
        head = f"{len(failures)} of {len(failures) + len(self._changes)} tenants and projects could not be made"
        summary = ManagerError(f"{head}.", hint="Correct them and run again.")
        raise ApplyFailed(f"{head}: {told}", failures=failures, result=result, summary=summary)


def _do(task: _Task) -> _Done:
    if task.call is None:
        return _Done(task, error=ManagerError(task.error))
    if task.settled and task.present is not None:
        return _Done(task, task.present)
    try:
        return _Done(task, *task.call())
    except ManagerError as error:
        if not error.status:
            raise  # nobody answers: asking for the others is of no use
        said = f"{task.kind} {task.name}: {error.message}"
        return _Done(task, error=ManagerError(said, status=error.status, hint=error.hint))


def _once(what: str, given: Sequence[str]) -> None:
    twice = [name for name, count in Counter(given).items() if count > 1]
    if twice:
        raise InputError(f"The {what} {twice[0]!r} is given {Counter(given)[twice[0]]} times.", hint="Give it once.")
