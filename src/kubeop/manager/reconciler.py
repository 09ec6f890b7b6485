"""The loop that carries rows into clusters. Every replica runs one; the rows' leases keep them apart.

It is level-triggered: what a killed manager left half done is due again, and what was done is looked at again from
time to time. After a commit the handler wakes it, so that a new project usually is in its cluster within a second.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from sqlalchemy import select

from kubeop import names
from kubeop.errors import ClusterError, ClusterUnreachable, CryptoError, DatabaseError, InputError, KubeopError
from kubeop.kube import kubeconfig as kubeconfigs
from kubeop.kube.client import Client
from kubeop.kube.kubeconfig import Kubeconfig
from kubeop.manager import bootstrap, intake, sync, work
from kubeop.manager.services import Services
from kubeop.manager.storage.models import Cluster, Project, Tenant
from kubeop.telemetry import logs, metrics

KINDS: Final[tuple[work.Kind, ...]] = (Cluster, Tenant, Project)  # a project needs its tenant, and both the platform
POLL_SECONDS = 1.0
WORKERS = 4
CALL_SECONDS = 30.0  # for one answer of a cluster's API server
_CLIENTS = 64  # connections to so many clusters are kept

log = logs.get_logger("manager.reconciler")


class Reconciler:
    """Works on due rows until stopped. `run_once` does one claim in the calling thread."""

    def __init__(self, services: Services, wake: threading.Event) -> None:
        self.owner = str(uuid.uuid4())
        self._services = services
        self._wake = wake
        self._stopping = threading.Event()
        self._polling = threading.Lock()
        self._held: dict[str, work.Claim] = {}
        self._clients = _Clients(lambda kubeconfig: services.connect(kubeconfig, CALL_SECONDS))
        self._threads: list[threading.Thread] = []
        self._database_is_down = False

    def start(self) -> None:
        """Start the workers and the thread that extends their leases."""
        targets = [self._work] * WORKERS + [self._extend]
        self._threads = [
            threading.Thread(target=target, name=f"reconciler-{number}", daemon=True)
            for number, target in enumerate(targets)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """Finish what is at hand, for at most so long, and let go of the rest."""
        self._stopping.set()
        self._wake.set()
        deadline = time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for kind in KINDS:
            try:
                work.release(self._services.database, kind, self.owner)
            except DatabaseError:
                break  # the leases end by themselves
        self._clients.close()

    def run_once(self) -> bool:
        """Claim due rows of one kind and cluster and work on them; False when nothing was due."""
        claim = self._claim()
        if claim is None:
            return False
        self._attempt(claim)
        return True

    def _work(self) -> None:
        while not self._stopping.is_set():
            # One worker looks for work at a time; when it finds some, the next one looks.
            with self._polling:
                claim = self._wait_for_work()
            if claim is not None:
                self._attempt(claim)

    def _wait_for_work(self) -> work.Claim | None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                claim = self._claim()
                if self._database_is_down:
                    self._database_is_down = False
                    log.info("the database answers again")
                if claim is not None:
                    return claim
            except DatabaseError as error:
                if not self._database_is_down:
                    self._database_is_down = True
                    log.warning("the database does not answer", reason=str(error))
            except Exception:  # a worker that dies would leave every cluster behind
                log.exception("looking for work failed")
            self._wake.wait(POLL_SECONDS)
        return None

    def _claim(self) -> work.Claim | None:
        for kind in KINDS:
            claim = work.claim(self._services.database, kind, self.owner)
            if claim is not None:
                return claim
        return None

    def _attempt(self, claim: work.Claim) -> None:
        key = str(uuid.uuid4())
        self._held[key] = claim
        try:
            self._run(claim)
        except DatabaseError as error:
            log.warning("work was cut short and will be done again", reason=str(error))
        except Exception:  # one row that cannot be worked on must not end the worker
            log.exception("an attempt failed", kind=claim.kind.__name__)
            self._fail(claim, "The manager failed at this; its log says why.")
        finally:
            del self._held[key]

    def _run(self, claim: work.Claim) -> None:
        try:
            cluster, kubeconfig, jobs = self._load(claim)
        except (CryptoError, InputError) as error:
            self._fail(claim, str(error))
            return
        with self._clients.borrow(cluster.id, kubeconfig) as client:
            for row_id, generation, attempt in self._attempts(client, cluster, claim, jobs):
                if self._stopping.is_set():
                    return
                self._timed(claim.kind, row_id, generation, kubeconfig, attempt)

    def _attempts(
        self, client: Client, cluster: bootstrap.Job, claim: work.Claim, jobs: list[sync.Job]
    ) -> Iterator[tuple[str, int, Callable[[], work.Outcome]]]:
        """Each claimed row: its id, its generation, and what has to be done for it."""
        if claim.kind is Cluster:
            yield cluster.id, cluster.generation, partial(bootstrap.run, client, self._services.settings, cluster)
        for item in jobs:
            yield item.row_id, item.generation, partial(sync.run, client, item)

    def _load(self, claim: work.Claim) -> tuple[bootstrap.Job, Kubeconfig, list[sync.Job]]:
        """What the claimed rows say, read in one go, so that no transaction is open while the cluster is asked."""
        jobs = []
        with self._services.database.transaction() as session:
            cluster = session.get_one(Cluster, claim.cluster_id)
            kubeconfig = kubeconfigs.load(self._services.vault.open_kubeconfig(session, cluster))
            if claim.kind is Tenant:
                rows = session.scalars(select(Tenant).where(Tenant.id.in_(claim.row_ids)))
                jobs = [sync.job(row, row.name, cluster.name) for row in rows]
            elif claim.kind is Project:
                pairs = select(Project, Tenant.name).join(Tenant, Tenant.id == Project.tenant_id)
                found = session.execute(pairs.where(Project.id.in_(claim.row_ids)))
                jobs = [sync.job(row, tenant, cluster.name) for row, tenant in found]
            return bootstrap.job(cluster), kubeconfig, jobs

    def _timed(
        self, kind: work.Kind, row_id: str, generation: int, kubeconfig: Kubeconfig, run: Callable[[], work.Outcome]
    ) -> None:
        began = time.monotonic()
        try:
            outcome = run()
        except ClusterUnreachable:
            outcome = work.Outcome("failed", sync.NO_ANSWER, unreachable=True)
        except (ClusterError, KubeopError) as error:
            outcome = work.Outcome("failed", str(error))
        message = intake.scrub(outcome.message, kubeconfig)
        result = "error" if outcome.state == "failed" or outcome.unreachable else "requeue"
        metrics.observe_reconcile(
            group=names.API_GROUP,
            version=names.API_VERSION,
            kind=kind.__name__,
            result="success" if outcome.synced or outcome.gone else result,
            seconds=time.monotonic() - began,
        )
        if message:
            log.info("not there yet", kind=kind.__name__, id=row_id, state=outcome.state, reason=message)
        finished = work.Outcome(**{**outcome.__dict__, "message": message})
        work.finish(self._services.database, kind, self.owner, row_id, generation, finished)

    def _fail(self, claim: work.Claim, message: str) -> None:
        """Put every row of a claim off."""
        for row_id in claim.row_ids:
            try:
                with self._services.database.transaction() as session:
                    row = session.get(claim.kind, row_id)
                    generation, state = (row.generation, row.state) if row else (0, "")
                outcome = work.Outcome(state if state == "deleting" else "failed", message)
                work.finish(self._services.database, claim.kind, self.owner, row_id, generation, outcome)
            except DatabaseError:
                return  # the leases end by themselves

    def _extend(self) -> None:
        while not self._stopping.wait(work.LEASE_SECONDS / 3):
            for claim in list(self._held.values()):
                try:
                    work.extend(self._services.database, claim.kind, self.owner, claim.row_ids)
                except DatabaseError:
                    break  # the workers say so


class _Clients:
    """Connections that are kept open between attempts, the most recently used ones."""

    def __init__(self, connect: Callable[[Kubeconfig], Client]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._idle: dict[str, tuple[Kubeconfig, Client]] = {}

    @contextmanager
    def borrow(self, cluster_id: str, kubeconfig: Kubeconfig) -> Iterator[Client]:
        """A client that nobody else uses meanwhile; closed after an error, kept otherwise."""
        with self._lock:
            kept = self._idle.pop(cluster_id, None)
        if kept is not None and kept[0] != kubeconfig:
            kept[1].close()
            kept = None
        client = kept[1] if kept else self._connect(kubeconfig)
        try:
            yield client
        except BaseException:
            client.close()
            raise
        with self._lock:
            dropped = [self._idle.pop(cluster_id, None)]
            self._idle[cluster_id] = (kubeconfig, client)
            while len(self._idle) > _CLIENTS:
                dropped.append(self._idle.pop(next(iter(self._idle))))
        for entry in dropped:
            if entry is not None:
                entry[1].close()

    def close(self) -> None:
        """Close those that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for _, client in idle.values():
            client.close()
