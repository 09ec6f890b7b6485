"""Keeps the state up to date: one thread a kind follows it for as long as the process lives.

While the API server is away the last known state is used, since a webhook that forgot it would refuse everything. An
object that cannot be read counts as absent and is logged; a policy that cannot be read leaves the last good one in
force.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kubeop import names
from kubeop.admission.state import Ownership, State
from kubeop.domain.policy import Policy
from kubeop.domain.projects import Project, Tenant
from kubeop.errors import InputError
from kubeop.kube.client import Client
from kubeop.kube.transport import Stop, backoff
from kubeop.kube.watch import follow
from kubeop.telemetry.logs import get_logger

Object = dict[str, Any]
Put = Callable[[str, Object | None], None]  # name and object, None for one that is gone; may raise InputError

_LONGEST_ATTEMPT = 8  # pauses grow no further
_END_SECONDS = 5.0
_PATIENCE_SECONDS = 30.0  # an API server that is away for longer is worth a line in the log
_log = get_logger(__name__)


@dataclass(frozen=True)
class Source:
    """One kind to follow. `put` takes each change into the state; `known` lists the names that the state has."""

    api_version: str
    kind: str
    put: Put
    known: Callable[[], list[str]]
    namespace: str | None = None
    field_selector: str = ""
    required: bool = False  # nothing can be judged before one object was read


class Feed:
    """The threads. `start` them once; `problem` says what is not there yet, None when all of it was read once."""

    def __init__(self, client: Client, state: State) -> None:
        self._client = client
        self._stop = Stop()
        self._followers = [_Follower(client, source, self._stop) for source in _sources(state)]

    def start(self) -> None:
        """Start the threads and return at once."""
        for follower in self._followers:
            follower.thread.start()

    def stop(self) -> None:
        """End the watches and their threads."""
        self._stop.set()
        for follower in self._followers:
            if follower.thread.is_alive():
                follower.thread.join(_END_SECONDS)
        self._client.close()

    def problem(self) -> str | None:
        """What has not been read yet, or None."""
        waiting = [follower.source.kind for follower in self._followers if not follower.synced.is_set()]
        return f"not read yet: {', '.join(waiting)}" if waiting else None

    def stopped(self) -> str | None:
        """Which thread has ended although it should run, or None."""
        dead = [follower.source.kind for follower in self._followers if not follower.thread.is_alive()]
        return f"no longer followed: {', '.join(dead)}" if dead else None


class _Follower:
    """Follows one kind in a thread of its own."""

    def __init__(self, client: Client, source: Source, stop: Stop) -> None:
        self.source = source
        self.synced = threading.Event()
        self.thread = threading.Thread(target=self._run, name=f"follow-{source.kind}", daemon=True)
        self._client, self._stop = client, stop

    def _run(self) -> None:
        attempt = 0
        while not self._stop.is_set():
            try:
                for _ in self._follow():
                    attempt = 0
            except Exception as error:  # noqa: BLE001 - whatever it was, a follower that ends would go unnoticed
                attempt += 1
                pause = backoff(min(attempt, _LONGEST_ATTEMPT))
                _log.warning("watch failed", kind=self.source.kind, error=str(error), retry_seconds=round(pause, 2))
                self._stop.wait(pause)

    def _follow(self) -> Iterator[None]:
        """Take every change into the state; yields each time that all of it is known."""
        source = self.source
        seen: set[str] = set()
        events = follow(
            self._client,
            source.api_version,
            source.kind,
            source.namespace,
            field_selector=source.field_selector,
            stop=self._stop,
            patience_seconds=_PATIENCE_SECONDS,
        )
        for event in events:
            if event.type == "SYNCED":
                for name in source.known():  # what went while nobody followed
                    if name not in seen:
                        self._take(name, None)
                if not source.required:
                    self.synced.set()
                yield
                continue
            name = event.object["metadata"]["name"]
            if event.type == "DELETED":
                seen.discard(name)
                self._take(name, None)
            else:
                seen.add(name)
                self._take(name, event.object)

    def _take(self, name: str, obj: Object | None) -> None:
        try:
            self.source.put(name, obj)
        except InputError as error:
            _log.warning("object cannot be used", kind=self.source.kind, name=name, error=str(error))
            return
        if obj is not None and self.source.required:
            self.synced.set()


def _sources(state: State) -> list[Source]:
    def put_policy(_name: str, obj: Object | None) -> None:
        if obj is None:
            _log.warning("policy was deleted; the last one stays in force", configmap=names.POLICY_CONFIGMAP)
        else:
            state.policy = Policy.of(obj)

    def put_namespace(name: str, obj: Object | None) -> None:
        state.put_namespace(name, None if obj is None else Ownership.of(obj))

    def put_tenant(name: str, obj: Object | None) -> None:
        tenant = None
        try:
            tenant = None if obj is None else Tenant.of(obj)
        finally:
            state.put_tenant(name, tenant)

    def put_project(name: str, obj: Object | None) -> None:
        project = None
        try:
            project = None if obj is None else Project.of(obj)
        finally:
            state.put_project(name, project)

    group = names.GROUP_VERSION
    return [
        Source(
            "v1",
            "ConfigMap",
            put_policy,
            known=list,
            namespace=names.PLATFORM_NAMESPACE,
            field_selector=f"metadata.name={names.POLICY_CONFIGMAP}",
            required=True,
        ),
        Source("v1", "Namespace", put_namespace, known=lambda: list(state.namespaces)),
        Source(group, "Tenant", put_tenant, known=lambda: list(state.tenants)),
        Source(group, "Project", put_project, known=lambda: list(state.projects)),
    ]
