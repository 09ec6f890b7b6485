"""From watch events to reconciles: which object needs work, who does it, what is said about it afterwards.

Events only ever put a name into the queue; workers read the object anew and look at everything that belongs to it. So a
lost, repeated or reordered event does no harm, and a full resync every few minutes catches what no event told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kubeop import names
from kubeop.domain.policy import Policy
from kubeop.errors import ApiError, ClusterError, ClusterUnreachable, InputError, KubeopError
from kubeop.kube.client import Client
from kubeop.kube.openshift import CLUSTER_RESOURCE_QUOTA, OpenShift
from kubeop.kube.transport import Stop
from kubeop.kube.watch import Event, follow
from kubeop.operator.index import Index
from kubeop.operator.ledger import Ledger, Ref, digest
from kubeop.operator.openshift import tenant_of
from kubeop.operator.projects import project_of, reconcile_project
from kubeop.operator.recorder import Recorder
from kubeop.operator.status import Status, condition, write_status
from kubeop.operator.survey import survey
from kubeop.operator.tenants import reconcile_tenant
from kubeop.operator.workqueue import WorkQueue
from kubeop.telemetry import metrics
from kubeop.telemetry.logs import get_logger

Object = Mapping[str, Any]

PIECES = frozenset(
    (
        names.LIMIT_RANGE,
        names.RESOURCE_QUOTA,
        names.NETWORK_POLICY_EGRESS,
        names.NETWORK_POLICY_INGRESS,
    )
)
_QUIET_CONFLICTS = 3  # a stale read is retried this often before it is reported
_AWAY_STATUS = frozenset((429, 502, 503, 504))  # the API server is starting, stopping or overloaded
_AWAY_SECONDS = 1.0  # between tries while the API server cannot be reached
_LIST_SECONDS = 1.5  # a list counts as read when no more of it came for this long
_COUNT_SECONDS = 0.3  # a tenant's count waits this long for more of its projects to change


@dataclass(frozen=True)
class Options:
    """Workers are threads; times are in seconds."""

    workers: int = 8
    resync_seconds: float = 300.0
    drain_seconds: float = 5.0


class Controllers:
    """The Tenant and Project controllers over one queue. `may_act` is asked before each reconcile."""

    def __init__(self, client: Client, may_act: Callable[[], bool], options: Options | None = None) -> None:
        self._client = client
        self._openshift = OpenShift(client)
        self._may_act = may_act
        self._options = options or Options()
        self._queue: WorkQueue[Ref] = WorkQueue()
        self._ledger = Ledger()
        self._index = Index()
        self._recorder = Recorder(client)
        self._policy: Policy | None = None
        self._policy_problem = ""
        self._listed = threading.Event()  # a watch has just read a list
        self.started = threading.Event()  # what there is has been surveyed: the watches can begin
        self._stopping = Stop()
        self._log = get_logger(__name__)

    def run(self) -> None:
        """Follow the policy until stopped, and let the workers go as soon as it is known. Survives any API server."""
        while not self._stopping.is_set():
            try:
                for event in follow(
                    self._client,
                    "v1",
                    "ConfigMap",
                    names.PLATFORM_NAMESPACE,
                    field_selector=f"metadata.name={names.POLICY_CONFIGMAP}",
                    stop=self._stopping,
                ):
                    self._on_policy(event)
            except ClusterError as error:
                self._log.warning("the policy cannot be read", error=str(error))
            except Exception:  # noqa: BLE001 - without the policy being followed the operator would stand still
                self._log.exception("following the policy failed and is started anew")
            self._stopping.wait(_AWAY_SECONDS)

    def stop(self) -> bool:
        """Start nothing new and wait for what is under way; False if something still is after `drain_seconds`."""
        self._stopping.set()
        self._listed.set()
        return self._queue.close(self._options.drain_seconds)

    def on_event(self, kind: str, event_type: str | None, obj: Object) -> None:
        """Take one watch event; quick, and never fails."""
        if self._stopping.is_set():
            return
        if event_type is None:
            self._listed.set()
        gone = event_type == "DELETED"
        if kind == "Project":
            self._on_project(obj, gone=gone)
        elif kind == "Tenant":
            self._on_tenant(obj, gone=gone)
        elif kind == CLUSTER_RESOURCE_QUOTA:
            ref = Ref.of(obj, kind)
            self._on_owned(Ref("Tenant", "", tenant_of(ref.name)), ref, obj, gone=gone, urgent=event_type is not None)
        else:
            # What happens now goes before what was found in a list.
            self._on_piece(kind, obj, gone=gone, urgent=event_type is not None)

    def _on_project(self, project: Object, *, gone: bool) -> None:
        ref = Ref.of(project, "Project")
        tenants = self._index.drop_project(ref.name) if gone else self._index.put_project(project)
        for tenant in tenants:
            self._queue.add_after(Ref("Tenant", "", tenant), _COUNT_SECONDS)
        self._own(ref, project, gone=gone)

    def _on_tenant(self, tenant: Object, *, gone: bool) -> None:
        ref = Ref.of(tenant, "Tenant")
        if gone or not condition(tenant):  # its projects may wait for it
            for project in self._index.projects_of(ref.name):
                self._queue.add(Ref("Project", "", project))
        self._own(ref, tenant, gone=gone)

    def _own(self, ref: Ref, obj: Object, *, gone: bool) -> None:
        self._note_generation(ref, None if gone else obj)
        if gone:
            self._ledger.forget(ref)
            self._queue.forget(ref)
        else:
            self._add_unless_echo(ref, ref, obj)

    def _on_piece(self, kind: str, obj: Object, *, gone: bool, urgent: bool) -> None:
        ref = Ref.of(obj, kind)
        if kind != "Namespace" and ref.name not in PIECES:
            return
        project = project_of(ref.namespace or ref.name)
        if project is None or not self._index.has_project(project):
            return  # nobody's, or its Project comes in a moment and looks at everything anyway
        self._on_owned(Ref("Project", "", project), ref, obj, gone=gone, urgent=urgent)

    def _on_owned(self, owner: Ref, ref: Ref, obj: Object, *, gone: bool, urgent: bool) -> None:
        if gone:
            self._ledger.forget(ref)
            self._queue.add(owner, urgent=True)
        else:
            self._add_unless_echo(owner, ref, obj, urgent=urgent)

    def _add_unless_echo(self, owner: Ref, ref: Ref, obj: Object, *, urgent: bool = False) -> None:
        seen = digest(obj)
        if not self._ledger.knows(ref, seen):
            self._queue.add(owner, lambda: self._ledger.knows(ref, seen), urgent=urgent)

    def _on_policy(self, event: Event) -> None:
        if event.type == "SYNCED":
            if self._policy is None and not self._policy_problem:
                self._take(Policy())  # there is no ConfigMap: the defaults count
            self._start_workers()
        elif event.type == "DELETED" and self._policy is None:
            self._take(Policy())
        elif event.type == "DELETED":
            # Cutting every project off for an object that may be back in a moment would do more harm than good.
            self._log.warning("the policy was deleted; the last one stays in force")
        else:
            try:
                self._take(Policy.of(event.object))
            except InputError as error:
                # The last good policy stays in force; without one nothing is written that could be wrong.
                self._policy_problem = str(error)
                self._log.error("the policy cannot be used", error=str(error), in_force=str(self._policy))

    def _take(self, policy: Policy) -> None:
        if policy != self._policy:
            self._policy, self._policy_problem = policy, ""
            self._log.info("policy in force", egress_baseline=policy.egress_baseline, cluster=policy.cluster)
            for project in self._index.projects():
                self._queue.add(Ref("Project", "", project))

    def _start_workers(self) -> None:
        if self.started.is_set():
            return
        # All Projects are known before the first Tenant is looked at, or it would be told a wrong count.
        self._survey()
        self.started.set()
        for number in range(self._options.workers):
            threading.Thread(target=self._work, name=f"kubeop-worker-{number}", daemon=True).start()
        threading.Thread(target=self._resync, name="kubeop-resync", daemon=True).start()

    def _work(self) -> None:
        while (ref := self._queue.get()) is not None:
            try:
                if self._may_act():
                    self._reconcile(ref)
                else:  # only for now: it may lead again
                    self._queue.add_after(ref, _AWAY_SECONDS)
            finally:
                self._queue.done(ref)

    def _reconcile(self, ref: Ref) -> None:
        started = time.monotonic()
        try:
            result = self._reconcile_once(ref)
        except Exception as error:  # noqa: BLE001 - a worker outlives whatever one object does to it
            result = self._failed(ref, error)
        metrics.observe_reconcile(
            group=names.API_GROUP,
            version=names.API_VERSION,
            kind=ref.kind,
            result=result,
            seconds=time.monotonic() - started,
        )

    def _reconcile_once(self, ref: Ref) -> str:
        """One look at one object; returns the result for the metrics."""
        obj = self._client.get(names.GROUP_VERSION, ref.kind, ref.name)
        if obj is None:
            self._ledger.forget(ref)
            self._queue.forget(ref)
            return "success"
        if ref.kind == "Tenant":
            status = reconcile_tenant(self._client, obj, self._index.quotas_of(ref.name), self._ledger, self._openshift)
        elif self._policy is None:
            status = Status(False, "PolicyInvalid", self._policy_problem, retry=True)
        else:
            status = reconcile_project(self._client, obj, self._policy, self._ledger, self._openshift)
        self._say(ref, obj, status)
        if status.retry:
            self._queue.retry(ref)
            return "requeue"
        self._queue.forget(ref)
        return "success"

    def _say(self, ref: Ref, obj: Object, status: Status) -> None:
        """Write the status and, when it changed or something was repaired, an event."""
        if status.gone:
            return
        before = condition(obj)
        written = write_status(self._client, obj, status)
        self._ledger.note(ref, written)
        self._note_generation(ref, written)
        if (before.get("reason"), before.get("message")) != (status.reason, status.message):
            self._log.info(status.message, kind=ref.kind, name=ref.name, reason=status.reason)
            if before or not status.ready:  # that all went well at once needs no event
                self._recorder.post(obj, status.reason, status.message, warning=not status.ready)
        if status.repaired:
            what = ", ".join(status.repaired)
            self._log.info("put right", kind=ref.kind, name=ref.name, pieces=what)
            self._recorder.post(obj, "Repaired", f"Put right: {what}.")

    def _failed(self, ref: Ref, error: Exception) -> str:
        """Retry with backoff, and say why on the object, if it can be reached; returns the result for the metrics."""
        if isinstance(error, ClusterUnreachable) or (isinstance(error, ApiError) and error.status in _AWAY_STATUS):
            # Not this object's fault, and over all at once: no growing wait, no line in the log for each object.
            self._log.debug("the API server is away", kind=ref.kind, name=ref.name, error=str(error))
            self._queue.add_after(ref, _AWAY_SECONDS)
            return "error"
        failures = self._queue.failures(ref) + 1
        seconds = self._queue.retry(ref)
        if isinstance(error, ApiError) and error.status == 409 and failures <= _QUIET_CONFLICTS:
            return "requeue"  # somebody wrote in between: read again
        known = isinstance(error, KubeopError)
        # An unexpected error's own text could hold anything: only its type leaves the log.
        message = str(error) if known else f"The operator failed on this object ({type(error).__name__})."
        self._log.error(
            "reconcile failed",
            kind=ref.kind,
            name=ref.name,
            error=message,
            failures=failures,
            retry_in_seconds=round(seconds, 1),
            exc_info=None if known else error,
        )
        try:
            obj = self._client.get(names.GROUP_VERSION, ref.kind, ref.name)
            if obj is not None:
                kept = {key: value for key, value in (obj.get("status") or {}).items() if key not in _WRITTEN}
                self._say(ref, obj, Status(False, "ReconcileFailed", message, fields=kept))
        except ClusterError as unwritable:
            self._log.debug("the error could not be written to the object", error=str(unwritable))
        return "error"

    def _note_generation(self, ref: Ref, obj: Object | None) -> None:
        self._index.note_generation(ref, obj)
        metrics.set_generation_lag(ref.kind, self._index.lag().get(ref.kind, 0))

    def _resync(self) -> None:
        """Look at everything again from time to time, and whenever the watches have read a list.

        A list does not tell what was deleted before it was read.
        """
        while not self._stopping.is_set():
            self._listed.wait(self._options.resync_seconds)
            while self._listed.is_set():
                self._listed.clear()
                self._stopping.wait(_LIST_SECONDS)
            if self._stopping.is_set():
                return
            try:
                unsettled = self._survey()
                found = [Ref.of(tenant) for tenant in self._client.list(names.GROUP_VERSION, "Tenant")]
            except ClusterError as error:
                self._log.warning("the full resync failed", error=str(error))
                continue
            except Exception:  # noqa: BLE001 - one object that cannot be read must not end all resyncs
                self._log.exception("the full resync failed")
                continue
            for ref in [*found, *(Ref("Project", "", name) for name in unsettled)]:
                self._queue.add(ref)

    def _survey(self) -> set[str]:
        """List everything and note what is right; returns the Projects that need a look."""
        projects = self._client.list(names.GROUP_VERSION, "Project")
        listed = {project["metadata"]["name"] for project in projects}
        for project in projects:
            self._index.put_project(project)
        for name in set(self._index.projects()) - listed:
            self._index.drop_project(name)
        return listed if self._policy is None else survey(self._client, projects, self._policy, self._ledger)


_WRITTEN = frozenset(("conditions", "observedGeneration"))
