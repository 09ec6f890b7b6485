"""Following a kind: everything that is there, then every change, across lost connections and expired versions."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Literal

from kubeop.errors import ApiError, ClusterUnreachable
from kubeop.kube.client import Client, Object
from kubeop.kube.transport import Stop, backoff

EventType = Literal["SYNCED", "ADDED", "MODIFIED", "DELETED"]

_WATCH_SECONDS = 240.0


@dataclass(frozen=True)
class Event:
    """One change, or SYNCED (without an object) once all that was there at the start has been told."""

    type: EventType
    object: Object = field(default_factory=dict, repr=False)


def follow(
    client: Client,
    api_version: str,
    kind: str,
    namespace: str | None = None,
    *,
    label_selector: str = "",
    field_selector: str = "",
    stop: Stop | None = None,
    timeout_seconds: float = float("inf"),
    patience_seconds: float = float("inf"),
) -> Iterator[Event]:
    """Yield every object as ADDED, then SYNCED, then changes, until `stop` is set or the time is over.

    After an expired version it lists again and tells the differences; SYNCED comes again too. A server that has too
    much to do is asked again after a time that grows, and not before it wants to be.
    Raises ClusterUnreachable when the server is away for longer than `patience_seconds`, ApiError when it refuses.
    """
    end = time.monotonic() + timeout_seconds
    stop = stop or Stop()
    known: dict[tuple[str, str], Object] = {}
    lost_since, attempt = 0.0, 0
    version = ""
    while not stop.is_set() and time.monotonic() < end:
        try:
            if not version:
                version = yield from _list(client, api_version, kind, namespace, label_selector, field_selector, known)
            seconds = min(_WATCH_SECONDS, end - time.monotonic())
            watch = client.watch(api_version, kind, namespace, version, seconds, label_selector, field_selector, stop)
            with contextlib.closing(watch):
                for type_, obj in watch:
                    lost_since, attempt = 0.0, 0
                    version = obj["metadata"]["resourceVersion"]
                    if type_ != "BOOKMARK":
                        yield _told(type_, obj, known)
                    if stop.is_set() or time.monotonic() >= end:
                        return
            lost_since, attempt = 0.0, 0
        except ApiError as error:
            version = _version_after(error, version)
            lost_since, attempt = 0.0, attempt + 1
            pause = min(error.retry_seconds, _WATCH_SECONDS) + backoff(attempt)
            stop.wait(min(pause, max(0.0, end - time.monotonic())))
        except ClusterUnreachable:
            lost_since, attempt = lost_since or time.monotonic(), attempt + 1
            if time.monotonic() - lost_since > patience_seconds:
                raise
            stop.wait(min(backoff(attempt), max(0.0, end - time.monotonic())))


def _list(
    client: Client,
    api_version: str,
    kind: str,
    namespace: str | None,
    label_selector: str,
    field_selector: str,
    known: dict[tuple[str, str], Object],
) -> Generator[Event, None, str]:
    """Tell how the list differs from what is known; the generator's value is the list's version."""
    found: set[tuple[str, str]] = set()
    version = ""
    for page, page_version in client.pages(api_version, kind, namespace, label_selector, field_selector):
        version = page_version
        for obj in page:
            key = _key(obj)
            found.add(key)
            before = known.get(key)
            known[key] = obj
            if before is None:
                yield Event("ADDED", obj)
            elif before["metadata"]["resourceVersion"] != obj["metadata"]["resourceVersion"]:
                yield Event("MODIFIED", obj)
    for key in known.keys() - found:
        yield Event("DELETED", known.pop(key))
    yield Event("SYNCED")
    return version


def _version_after(error: ApiError, version: str) -> str:
    """The version to go on from, empty when it has expired. Raises what waiting does not cure."""
    if error.status not in (410, 429, 500, 503, 504):
        raise error
    return "" if error.status == 410 else version


def _told(type_: str, obj: Object, known: dict[tuple[str, str], Object]) -> Event:
    if type_ == "DELETED":
        known.pop(_key(obj), None)
        return Event("DELETED", obj)
    new = _key(obj) not in known
    known[_key(obj)] = obj
    return Event("ADDED" if new else "MODIFIED", obj)


def _key(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
