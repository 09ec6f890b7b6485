"""How objects reach a cluster: plan by LIST, server-side apply of what differs and nothing else, in parallel, in order.

CRDs come first, then namespaces, then what workloads need, then the rest, webhooks last. One object's failure stops
only what depends on it. A dry run takes the same way, with the server's own dry run in the place of each write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kubeop.errors import (
    ApiError,
    ApplyFailed,
    ApplyInterrupted,
    ClusterError,
    ClusterUnreachable,
    InputError,
    KubeopError,
    NoAnswer,
    WaitError,
    in_words,
)
from kubeop.kube import prune as pruning
from kubeop.kube.changes import Action, ApplyResult, Change, shown_pair
from kubeop.kube.client import Client, Object, label
from kubeop.kube.compare import touched
from kubeop.kube.given import CRD, brings
from kubeop.kube.parallel import in_parallel
from kubeop.kube.plan import LAST_STAGE, NAMESPACE, STAGES, Plan, Step, compare, locate, prepare, resolve
from kubeop.kube.prune import Prune
from kubeop.kube.wait import wait_ready

__all__ = ["ApplyResult", "Change", "Progress", "Prune", "apply"]

Progress = Callable[[Change, int, int], None]  # the change, how many objects are done, of how many

_CRD_SECONDS = 30.0
_SECOND_LOOK_SECONDS = 1.0
_SHOWN_FAILURES = 10


def apply(
    client: Client,
    objects: Iterable[Mapping[str, Any]],
    *,
    field_manager: str,
    force: bool = False,
    dry_run: bool = False,
    prune: Prune | None = None,
    progress: Progress | None = None,
    workers: int = 8,
    unread: Sequence[KubeopError] = (),
) -> ApplyResult:
    """Bring the cluster to what `objects` say and tell what changed; a second call changes nothing.

    `force` takes fields over from other managers. `prune` then deletes what has its label and is not among the objects,
    unless something failed. `unread`: why further objects could not be read; they count as failed.
    Raises ApplyFailed when some objects could not be applied (the others were), ClusterUnreachable when the server is
    lost: ApplyInterrupted when that was after the first change or failure. Running again finishes the work.
    """
    plan = prepare(objects)
    if prune is not None and not plan.total and not unread:
        raise InputError(
            f"No object is given, so that pruning would delete everything with {prune.label_selector}.",
            hint="Delete it by hand if this is what you want.",
        )
    run = _Run(client, plan, field_manager, force, dry_run, progress, workers)
    run.failures |= {index - len(unread): error for index, error in enumerate(unread)} | plan.faults
    try:
        locate(client, plan)
        compare(client, plan.steps, field_manager, workers)
        for stage in STAGES:
            run.stage(stage)
        if prune is not None and not run.failures:
            run.prune(prune)
    except (ClusterUnreachable, ApiError) as error:  # no server, or one that refuses the credentials
        if not run.begun:
            raise
        raise run.interrupted(error) from error
    return run.result(unpruned=prune is not None)


class _Run:
    """One apply under way."""

    def __init__(
        self,
        client: Client,
        plan: Plan,
        field_manager: str,
        force: bool,
        dry_run: bool,
        progress: Progress | None,
        workers: int,
    ) -> None:
        self._client = client
        self._plan = plan
        self._field_manager = field_manager
        self._force = force
        self._dry_run = dry_run
        self._progress = progress
        self._workers = workers
        self._changes: dict[int, Change] = {}
        self._deleted: list[Change] = []
        self._missing: set[str] = set()  # namespaces that are wanted and not there yet
        self._broken: set[str] = set()  # namespaces that could not be made
        self._unserved: set[tuple[str, str]] = set()  # kinds whose CRD could not be made
        self._lost: ClusterUnreachable | None = None
        self.failures: dict[int, KubeopError] = {}

    def stage(self, stage: int) -> None:
        """Bring one stage's objects in."""
        steps = [step for step in self._plan.steps if step.stage == stage]
        if stage == LAST_STAGE and self.failures:
            self._hold_back(steps)
        for step in steps:
            step.error = step.error or self._obstacle(step)
        late = [step for step in steps if step.resource is None and step.error is None]
        if late and not self._dry_run:  # of kinds that a CRD of stage 0 has brought since the plan was made
            resolve(self._client, late, set())
            compare(self._client, late, self._field_manager, self._workers)
        todo = []
        for step in steps:
            if step.error is not None:
                self._fail(step, step.error)
            elif step.settled:
                self._done(step, "unchanged")
            else:
                todo.append(step)
        if stage == 1:
            self._missing = {step.name for step in todo if step.live is None}
        self._send(todo)
        if stage == 0 and todo and not self._dry_run:
            self._establish(todo)

    def prune(self, prune: Prune) -> None:
        """Delete what is no longer wanted."""
        wanted = {step.key for step in self._plan.steps}
        found, refused = pruning.candidates(self._client, prune, wanted, self._plan.pending)
        for error in refused:
            self._add(error)
        for obj in found:
            try:
                pruning.delete(self._client, obj, dry_run=self._dry_run)
            except ApiError as error:
                self._add(error)
                continue
            metadata = obj["metadata"]
            before, _ = shown_pair(obj, None)
            change = Change(
                "delete", obj["apiVersion"], obj["kind"], metadata.get("namespace", ""), metadata["name"], before
            )
            self._deleted.append(change)
            self._report(change)

    def result(self, *, unpruned: bool) -> ApplyResult:
        """What was done. Raises ApplyFailed when some of it was not."""
        if self.failures:
            total = len(self.failures.keys() | self._changes.keys())
            raise _failed(self._ordered(), self._done_so_far(), total, unpruned=unpruned and not self._deleted)
        return self._done_so_far()

    @property
    def begun(self) -> bool:
        """Whether anything was done or has failed so far."""
        return bool(self.failures or self._changes or self._deleted)

    def interrupted(self, error: ClusterError) -> ApplyInterrupted | ApplyFailed:
        """The error for a server that is lost, or refuses to go on, with what was done before."""
        result = self._done_so_far()
        changed = sum(change.action != "unchanged" for change in result.changes)
        done = f" {changed} objects were applied before that." if changed and not self._dry_run else ""
        failed = f" {len(self.failures)} failed before that" if self.failures else ""
        said, hint = f"{error.message}{done}{failed}", f"{error.hint} Running again finishes."
        lost = isinstance(error, ClusterUnreachable)
        short = f"{said}." if failed else said
        return (ApplyInterrupted if lost else ApplyFailed)(
            f"{said}: {_told(self._ordered())}" if failed else said,
            failures=self._ordered(),
            result=result,
            summary=(ClusterUnreachable if lost else ClusterError)(short, hint=hint),
            hint=hint,
        )

    def _done_so_far(self) -> ApplyResult:
        ordered = tuple(self._changes[index] for index in sorted(self._changes))
        return ApplyResult((*ordered, *self._deleted), dry_run=self._dry_run)

    def _ordered(self) -> tuple[KubeopError, ...]:
        return tuple(self.failures[index] for index in sorted(self.failures))

    def _add(self, error: KubeopError) -> None:
        """A failure of something that is not among the objects."""
        self.failures[self._plan.total + len(self.failures)] = error

    def _obstacle(self, step: Step) -> KubeopError | None:
        """What has failed that this object needs."""
        if step.namespace in self._broken:
            needed = "its namespace"
        elif step.resource is None and step.kind in self._unserved:
            needed = "the CustomResourceDefinition of its kind"
        else:
            return None
        return ClusterError(f"{label(step.obj)} is not applied, for {needed} could not be.")

    def _hold_back(self, steps: list[Step]) -> None:
        """A webhook whose service did not come up would block the whole cluster."""
        for step in steps:
            if step.error is None and not step.settled and step.live is None:
                step.error = ClusterError(f"{label(step.obj)} is not applied, for other objects failed before it.")

    def _send(self, todo: list[Step]) -> None:
        for step, action, after in in_parallel(self._one, todo, self._workers):
            if step.error is not None:
                self._fail(step, step.error)
            elif action is not None:
                self._done(step, action, after)
        if self._lost is not None:
            raise self._lost

    def _one(self, step: Step) -> tuple[Step, Action | None, Object | None]:
        """Apply one object; its own failure goes into the step. No action when the server is lost."""
        if self._lost is not None:
            return step, None, None
        if self._dry_run and step.live is None and (step.resource is None or step.namespace in self._missing):
            return step, "create", step.obj  # the server cannot try what has no kind or namespace yet
        try:
            created, after = self._client.apply_patch(
                step.obj, field_manager=self._field_manager, force=self._force, dry_run=self._dry_run
            )
        except ClusterUnreachable as error:
            if isinstance(error, NoAnswer) and self._client.answers():
                step.error = _late(step, self._client)
            else:  # what the other threads have done is still told
                self._lost = error
            return step, None, None
        except ApiError as error:
            step.error = error
            return step, None, None
        except (TypeError, ValueError) as error:
            step.error = ClusterError(f"{label(step.obj)} cannot be written as JSON: {error}.")
            return step, None, None
        if created or step.live is None:
            return step, "create", step.obj
        return step, "update" if touched(step.live, after, self._field_manager) else "unchanged", after

    def _done(self, step: Step, action: Action, after: Object | None = None) -> None:
        before, shown, note = None, None, ""
        if action != "unchanged":
            before, shown = shown_pair(step.live, after)
            if action == "update" and before == shown:
                note = f"only what {self._field_manager} owns changes"
        step.live = None
        change = Change(
            action, step.obj["apiVersion"], step.obj["kind"], step.namespace, step.name, before, shown, note
        )
        self._changes[step.index] = change
        self._report(change)

    def _report(self, change: Change) -> None:
        if self._progress is not None:
            done = len(self._changes) + len(self._deleted) + len(self.failures)
            self._progress(change, done, self._plan.total + len(self._deleted))

    def _fail(self, step: Step, error: KubeopError) -> None:
        self.failures[step.index] = error
        if step.group_kind == NAMESPACE:
            self._broken.add(step.name)
        self._unserved |= brings(step.obj)

    def _establish(self, steps: list[Step]) -> None:
        """Wait until the new kinds are served, or their objects would be refused."""
        made = [step for step in steps if step.error is None and step.group_kind == CRD]
        try:
            wait_ready(self._client, [step.obj for step in made], _CRD_SECONDS)
        except (WaitError, ApiError):  # an ApiError for who may not watch them
            for step in made:  # which of them it is
                try:
                    wait_ready(self._client, [step.obj], _SECOND_LOOK_SECONDS)
                except (WaitError, ApiError) as error:
                    self._fail(step, error)
        self._client.forget_resources()


def _late(step: Step, client: Client) -> ClusterError:
    """One object that the server does not answer for, while it answers others: a webhook that hangs, most often."""
    return ClusterError(
        f"{label(step.obj)}: {client.host} did not answer within {client.timeout_seconds:g} s, but answers others.",
        hint="A webhook may hang: look at the API server's log, or allow more time.",
    )


def _failed(failures: tuple[KubeopError, ...], result: ApplyResult, total: int, *, unpruned: bool) -> ApplyFailed:
    head = f"{len(failures)} of {total} objects {'would fail' if result.dry_run else 'could not be applied'}"
    others = f" (the others: {result.summary()})" if result.changes else ""
    message = f"{head}{others}: {_told(failures)}" if total > 1 else failures[0].message
    hints = {error.hint for error in failures[:_SHOWN_FAILURES]}
    unhappy = "Nothing is pruned until all are applied." if unpruned else ""
    hint = f"{hints.pop() if len(hints) == 1 else ''} {unhappy}".strip()
    summary = ClusterError(f"{head}.", hint=unhappy or "Correct them and run again.")
    return ApplyFailed(message, failures=failures, result=result, summary=summary, hint=hint)


def _told(failures: tuple[KubeopError, ...]) -> str:
    """The first failures, each with its own hint unless all have the same."""
    alike = len({error.hint for error in failures[:_SHOWN_FAILURES]}) == 1
    return in_words([error.message if alike else str(error) for error in failures], _SHOWN_FAILURES)
