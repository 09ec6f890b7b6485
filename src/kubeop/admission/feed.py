"""Keeps the state up to date: one thread a kind lists it once and then watches it, for as long as the process lives.

A watch that breaks is taken up again; one that is too old is listed anew. While the API server is away the last known
state is used, since a webhook that forgot it would refuse everything. An object that cannot be read counts as absent
and is logged; a policy that cannot be read leaves the last good one in force.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kubeop import names
from kubeop.admission.state import Ownership, State
from kubeop.domain.policy import Policy
from kubeop.domain.projects import Project, Tenant
from kubeop.errors import ApiError, ClusterError, InputError
from kubeop.kube.client import Client
from kubeop.telemetry.logs import get_logger

Object = dict[str, Any]
Put = Callable[[str, Object | None], None]  # name and object, None for one that is gone; may raise InputError

WATCH_SECONDS = 300.0
_RETRY_SECONDS = (0.2, 5.0)  # first and longest pause after a failure
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
        self._stop = threading.Event()
        self._followers = [_Follower(client, source, self._stop) for source in _sources(state)]

    def start(self) -> None:
        """Start the threads and return at once."""
        for follower in self._followers:
            follower.thread.start()

    def stop(self) -> None:
        """Ask the threads to end; they are daemons, and a watch that is open ends with the process."""
        self._stop.set()
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

    def __init__(self, client: Client, source: Source, stop: threading.Event) -> None:
        self.source = source
        self.synced = threading.Event()
        self.thread = threading.Thread(target=self._run, name=f"follow-{source.kind}", daemon=True)
        self._client, self._stop = client, stop
        self._version = ""

    def _run(self) -> None:
        pause = _RETRY_SECONDS[0]
        while not self._stop.is_set():
            try:
                if not self._version:
                    self._list()
                self._watch()
                pause = _RETRY_SECONDS[0]
            except ApiError as error:
                self._version = ""  # 410 Gone, or a kind that is not there yet: begin anew
                if error.status != 410:
                    pause = self._failed(error, pause)
            except ClusterError as error:
                pause = self._failed(error, pause)
            except Exception as error:  # noqa: BLE001 - whatever it was, a follower that ends would go unnoticed
                self._version = ""
                pause = self._failed(error, pause)

    def _failed(self, error: Exception, pause: float) -> float:
        if not self._stop.is_set():
            _log.warning("watch failed", kind=self.source.kind, error=str(error), retry_seconds=pause)
        self._stop.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries, guards nothing
        return min(pause * 2, _RETRY_SECONDS[1])

    def _list(self) -> None:
        source = self.source
        seen: set[str] = set()
        version = ""
        pages = self._client.pages(
            source.api_version, source.kind, source.namespace, field_selector=source.field_selector
        )
        for page, at in pages:
            version = at
            for obj in page:
                seen.add(obj["metadata"]["name"])
                self._take(obj["metadata"]["name"], obj)
        for name in source.known():
            if name not in seen:
                self._take(name, None)
        self._version = version
        if not source.required:
            self.synced.set()

    def _watch(self) -> None:
        for event, obj in self._events():
            self._version = obj["metadata"]["resourceVersion"]
            if event != "BOOKMARK":
                self._take(obj["metadata"]["name"], None if event == "DELETED" else obj)
            if self._stop.is_set():
                return

    def _events(self) -> Iterator[tuple[str, Object]]:
        source = self.source
        return self._client.watch(
            source.api_version,
            source.kind,
            source.namespace,
            resource_version=self._version,
            timeout_seconds=WATCH_SECONDS,
            field_selector=source.field_selector,
        )

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
