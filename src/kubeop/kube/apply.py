"""How objects reach a cluster: plan by LIST, server-side apply of what differs and nothing else, in parallel, in order.

CRDs come first, then namespaces, then what workloads need, then the rest, webhooks last. One object's failure stops
only what depends on it. A dry run takes the same way, with the server's own dry run in the place of each write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kubeop.errors import ApiError, ApplyFailed, ClusterError, ClusterUnreachable, KubeopError
from kubeop.kube import prune as pruning
from kubeop.kube.changes import Action, ApplyResult, Change, shown_pair
from kubeop.kube.client import Client, Object, label
from kubeop.kube.compare import touched
from kubeop.kube.parallel import in_parallel
from kubeop.kube.plan import CRD, LAST_STAGE, NAMESPACE, STAGES, Plan, Step, compare, prepare, resolve
from kubeop.kube.prune import Prune
from kubeop.kube.wait import wait_ready

__all__ = ["ApplyResult", "Change", "Progress", "Prune", "apply"]

Progress = Callable[[Change, int, int], None]  # the change, how many objects are done, of how many

_CRD_SECONDS = 30.0
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
) -> ApplyResult:
    """Bring the cluster to what `objects` say and tell what changed; a second call changes nothing.

    `force` takes fields over from other managers. `prune` then deletes what has its label and is not among the objects,
    unless something failed. Raises InputError for what is no object, ApplyFailed when some objects could not be applied
    (the others were), ClusterUnreachable when the server is lost. Running again finishes the work.
    """
    plan = prepare(client, objects)
    compare(client, plan.steps, field_manager, workers)
    run = _Run(client, plan, field_manager, force, dry_run, progress, workers)
    for stage in STAGES:
        run.stage(stage)
    if prune is not None and not run.failures:
        run.prune(prune)
    return run.result()


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
        self.failures: dict[int, KubeopError] = {}

    def stage(self, stage: int) -> None:
        """Bring one stage's objects in."""
        steps = [step for step in self._plan.steps if step.stage == stage]
        if stage == LAST_STAGE and self.failures:
            self._hold_back(steps)
        for step in steps:
            if step.error is None and step.namespace in self._broken:
                step.error = ClusterError(f"{label(step.obj)} is not applied, for its namespace could not be.")
        if any(step.resource is None and step.error is None for step in steps) and not self._dry_run:
            # Kinds that a CRD of stage 0 has brought since the plan was made.
            resolve(self._client, steps, set())
            compare(self._client, [step for step in steps if self._late(step)], self._field_manager, self._workers)
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
        wanted = {(*step.group_kind, step.namespace, step.name) for step in self._plan.steps}
        for obj in list(pruning.candidates(self._client, prune, wanted)):
            try:
                pruning.delete(self._client, obj, dry_run=self._dry_run)
            except ApiError as error:
                self.failures[len(self._plan.steps) + len(self.failures)] = error
                continue
            metadata = obj["metadata"]
            before, _ = shown_pair(obj, None)
            change = Change(
                "delete", obj["apiVersion"], obj["kind"], metadata.get("namespace", ""), metadata["name"], before
            )
            self._deleted.append(change)
            self._report(change)

    def result(self) -> ApplyResult:
        """What was done. Raises ApplyFailed when some of it was not."""
        ordered = tuple(self._changes[index] for index in sorted(self._changes))
        result = ApplyResult((*ordered, *self._deleted), dry_run=self._dry_run)
        if self.failures:
            failures = tuple(self.failures[index] for index in sorted(self.failures))
            raise _failed(failures, result, len(self._plan.steps))
        return result

    def _late(self, step: Step) -> bool:
        return step.error is None and step.live is None and not step.settled

    def _hold_back(self, steps: list[Step]) -> None:
        """A webhook whose service did not come up would block the whole cluster."""
        for step in steps:
            if step.error is None and not step.settled and step.live is None:
                step.error = ClusterError(f"{label(step.obj)} is not applied, for other objects failed before it.")

    def _send(self, todo: list[Step]) -> None:
        try:
            for step, action, after in in_parallel(self._one, todo, self._workers):
                if step.error is not None:
                    self._fail(step, step.error)
                else:
                    self._done(step, action, after)
        except ClusterUnreachable as error:
            changed = sum(change.action != "unchanged" for change in self._changes.values())
            done = f" {changed} objects were applied before that." if changed and not self._dry_run else ""
            raise ClusterUnreachable(f"{error.message}{done}", hint=f"{error.hint} Running again finishes.") from error

    def _one(self, step: Step) -> tuple[Step, Action, Object | None]:
        """Apply one object; its own failure goes into the step."""
        if self._dry_run and step.live is None and (step.resource is None or step.namespace in self._missing):
            return step, "create", step.obj  # the server cannot try what has no kind or namespace yet
        try:
            created, after = self._client.apply_patch(
                step.obj, field_manager=self._field_manager, force=self._force, dry_run=self._dry_run
            )
        except ApiError as error:
            step.error = error
            return step, "unchanged", None
        except (TypeError, ValueError) as error:
            step.error = ClusterError(f"{label(step.obj)} cannot be written as JSON: {error}.")
            return step, "unchanged", None
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
            self._progress(change, done, len(self._plan.steps) + len(self._deleted))

    def _fail(self, step: Step, error: KubeopError) -> None:
        self.failures[step.index] = error
        if step.group_kind == NAMESPACE:
            self._broken.add(step.name)

    def _establish(self, steps: list[Step]) -> None:
        """Wait until the new kinds are served, or their objects would be refused."""
        definitions = [step.obj for step in steps if step.error is None and step.group_kind == CRD]
        try:
            wait_ready(self._client, definitions, _CRD_SECONDS)
        except ClusterError as error:
            self.failures[steps[0].index] = error
        self._client.forget_resources()


def _failed(failures: tuple[KubeopError, ...], result: ApplyResult, total: int) -> ApplyFailed:
    shown = [error.message for error in failures[:_SHOWN_FAILURES]]
    if len(failures) > len(shown):
        shown.append(f"And {len(failures) - len(shown)} more.")
    hints = list(dict.fromkeys(error.hint for error in failures[:_SHOWN_FAILURES] if error.hint))
    head = f"{len(failures)} of {total} objects {'would fail' if result.dry_run else 'could not be applied'}"
    message = f"{head} (the others: {result.summary()}): {' '.join(shown)}" if total > 1 else shown[0]
    return ApplyFailed(message, failures=failures, result=result, hint=" ".join(hints))
