"""One cluster's API: objects in and out as plain dicts, in few calls over kept-alive connections, with clear errors.

Past the official client's models, which cost more time than the network does; its part here are exec plugins and auth
providers (credentials.py). Thread-safe.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from kubeop.errors import ApiError, ClusterUnreachable
from kubeop.kube import kubeconfig as kubeconfigs
from kubeop.kube import wire
from kubeop.kube.discovery import Discovery, Resource, unknown_kind
from kubeop.kube.kubeconfig import Kubeconfig
from kubeop.kube.status import to_error
from kubeop.kube.transport import Endpoint, Response, RetryPolicy, Stop, Transport, retry_after

Object = dict[str, Any]
Objects = list[Object]  # an alias, for inside the class `list` is the method

PAGE = 500  # objects a page of a LIST
_ALIVE_SECONDS = 5.0
APPLY_PATCH = "application/apply-patch+yaml"  # JSON is YAML
MERGE_PATCH = "application/merge-patch+json"


class Client:
    """The API of one cluster; without a kubeconfig the one of $KUBECONFIG, ~/.kube/config or the pod.

    `timeout_seconds`: how long a single answer may take. `connections`: kept open at most.
    """

    def __init__(
        self,
        kubeconfig: Kubeconfig | None = None,
        *,
        timeout_seconds: float = 30.0,
        connections: int = 16,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.kubeconfig = kubeconfig or kubeconfigs.load()
        self.timeout_seconds = timeout_seconds
        self._transport = Transport(
            self.kubeconfig, timeout_seconds=timeout_seconds, connections=connections, retry=retry
        )
        self._discovery = Discovery(self._discover)

    @classmethod
    def from_kubeconfig(
        cls, source: kubeconfigs.Source, context: str = "", timeout_seconds: float = 30.0, **options: Any
    ) -> Client:
        """A client for a kubeconfig in any form that `kubeconfig.load` takes. Raises KubeconfigError."""
        return cls(kubeconfigs.load(source, context), timeout_seconds=timeout_seconds, **options)

    @classmethod
    def in_cluster(cls, timeout_seconds: float = 30.0, **options: Any) -> Client:
        """A client with the ServiceAccount of the pod that we run in. Raises KubeconfigError outside of one."""
        return cls(kubeconfigs.in_cluster(), timeout_seconds=timeout_seconds, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.host})"

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._transport.server

    @property
    def host(self) -> str:
        """The API server's host and port."""
        return self._transport.host

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        idempotent: bool | None = None,
    ) -> Any:
        """Any call: the answer's JSON, or its text when it is none. Raises ApiError, ClusterUnreachable."""
        response = self.send(method, path, query=query, body=body, content_type=content_type, idempotent=idempotent)
        self._check(response, path, method.lower())
        parsed = response.json()
        return response.body.decode(errors="replace") if parsed is None else parsed

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        idempotent: bool | None = None,
    ) -> Response:
        """Any call: the answer as it is, whatever its status. Raises ClusterUnreachable."""
        data = None if body is None else wire.encoded(body)
        return self._transport.request(
            method, path, query=query, body=data, content_type=content_type, idempotent=idempotent
        )

    def endpoint(self, path: str, query: Mapping[str, Any] | None = None) -> Endpoint:
        """What a websocket needs to reach a path of this server."""
        return self._transport.endpoint(path, query)

    def resource(self, api_version: str, kind: str) -> Resource:
        """Where a kind lives; asks the server again when it is not known. Raises ApiError 404 when there is none."""
        found = self._discovery.find(api_version, kind)
        if found is None:
            raise unknown_kind(api_version, kind, self.host)
        return found

    def find_resource(self, api_version: str, kind: str) -> Resource | None:
        """The same, None when the server has no such kind."""
        return self._discovery.find(api_version, kind)

    def forget_resources(self) -> None:
        """Ask anew what kinds there are, after CRDs have changed."""
        self._discovery.forget()

    def version(self) -> str:
        """The API server's version, such as "v1.36.3"."""
        return str(self.request("GET", "/version")["gitVersion"])

    def answers(self) -> bool:
        """Whether the API server answers at all, asked for what costs it nothing."""
        try:
            self._transport.request("GET", "/version", read_seconds=_ALIVE_SECONDS)
        except ClusterUnreachable:
            return False
        return True

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """One object, None when it is not there."""
        path = self.resource(api_version, kind).path(namespace, name)
        response = self.send("GET", path)
        if response.status == 404:
            return None
        return self._object(response, named(kind, name, namespace), "get")

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Objects:
        """All objects of a kind, in one namespace or in all, read in pages."""
        return [
            item
            for page, _ in self.pages(api_version, kind, namespace, label_selector, field_selector)
            for item in page
        ]

    def pages(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Iterator[tuple[Objects, str]]:
        """The same page by page, with the list's resourceVersion, so that a large list never is in memory at once."""
        path = self.resource(api_version, kind).path(namespace)
        query = {"limit": PAGE, "labelSelector": label_selector, "fieldSelector": field_selector}
        while True:
            answer = self._object(self.send("GET", path, query=query), f"{kind} objects", "list")
            for item in answer["items"]:
                item.setdefault("apiVersion", api_version)  # a list's items do not say what they are
                item.setdefault("kind", kind)
            metadata = answer.get("metadata", {})
            yield answer["items"], str(metadata.get("resourceVersion", ""))
            if not metadata.get("continue"):
                return
            query["continue"] = metadata["continue"]

    def create(self, obj: Object, dry_run: bool = False) -> Object:
        """Create an object. Raises ApiError 409 when it is there already."""
        query = {"dryRun": "All" if dry_run else ""}
        path = self._path(obj, with_name=False)
        return self._object(self.send("POST", path, query=query, body=obj), label(obj), "create")

    def replace(self, obj: Object, *, subresource: str = "", field_manager: str = "", dry_run: bool = False) -> Object:
        """Put an object in the place of the present one; its resourceVersion, if given, must be the present one."""
        query = {"dryRun": "All" if dry_run else "", "fieldManager": field_manager}
        path = self._path(obj, subresource=subresource)
        return self._object(self.send("PUT", path, query=query, body=obj), label(obj), "replaced")

    def patch(
        self,
        api_version: str,
        kind: str,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        subresource: str = "",
        content_type: str = MERGE_PATCH,
        field_manager: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Change parts of an object, by a merge patch unless `content_type` says otherwise."""
        path = self.resource(api_version, kind).path(namespace, name, subresource)
        query = {"dryRun": "All" if dry_run else "", "fieldManager": field_manager}
        response = self.send(
            "PATCH", path, query=query, body=patch, content_type=content_type, idempotent=content_type == MERGE_PATCH
        )
        return self._object(response, named(kind, name, namespace), "patched")

    def delete(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        propagation: str = "Background",
        dry_run: bool = False,
        uid: str = "",
        resource_version: str = "",
        grace_seconds: int | None = None,
    ) -> bool:
        """Delete an object; False when it is not there. With `uid` or `resource_version`, only that very one."""
        path = self.resource(api_version, kind).path(namespace, name)
        conditions = {"uid": uid, "resourceVersion": resource_version}
        body: Object = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            "preconditions": {key: value for key, value in conditions.items() if value},
        }
        if dry_run:
            body["dryRun"] = ["All"]
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        response = self.send("DELETE", path, body=body)
        if response.status == 404:
            return False
        self._check(response, named(kind, name, namespace), "delete")
        return True

    def server_side_apply(
        self, obj: Object, *, field_manager: str, force: bool = False, dry_run: bool = False, subresource: str = ""
    ) -> Object:
        """Apply an object as `field_manager`. Raises ApplyConflict when a field belongs to another one."""
        return self.apply_patch(
            obj, field_manager=field_manager, force=force, dry_run=dry_run, subresource=subresource
        )[1]

    def apply_patch(
        self, obj: Object, *, field_manager: str, force: bool = False, dry_run: bool = False, subresource: str = ""
    ) -> tuple[bool, Object]:
        """The same, and whether the object is new."""
        query = {
            "fieldManager": field_manager,
            "force": "true" if force else "",
            "dryRun": "All" if dry_run else "",
        }
        response = self.send(
            "PATCH",
            self._path(obj, subresource=subresource),
            query=query,
            body=obj,
            content_type=APPLY_PATCH,
            idempotent=True,
        )
        return response.status == 201, self._object(response, label(obj), "apply")

    def watch(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        resource_version: str = "",
        timeout_seconds: float = 300.0,
        label_selector: str = "",
        field_selector: str = "",
        stop: Stop | None = None,
    ) -> Generator[tuple[str, Object], None, None]:
        """Changes as they happen: ADDED, MODIFIED, DELETED, BOOKMARK, with the object; until `stop` or the time is up.

        Raises ApiError 410 when `resource_version` is too old, ClusterUnreachable when the connection breaks.
        """
        path = self.resource(api_version, kind).path(namespace)
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": max(1, round(timeout_seconds)),
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
        }
        response, lines = self._transport.stream(path, query=query, read_seconds=timeout_seconds + 10, stop=stop)
        if response.status != 200:
            error = to_error(response.status, response.json(), f"{kind} objects", "watched", self.host)
            error.retry_seconds = retry_after(response.headers)
            raise error
        with contextlib.closing(lines):
            for line in lines:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    code = int(event["object"].get("code", 500))
                    raise to_error(code, event["object"], f"{kind} objects", "watched", self.host)
                yield event["type"], event["object"]

    def logs(self, namespace: str, pod: str, container: str = "", lines: int = 20, previous: bool = False) -> str:
        """The last lines that a container wrote."""
        query = {"container": container, "tailLines": lines, "previous": "true" if previous else ""}
        path = self.resource("v1", "Pod").path(namespace, pod, "log")
        response = self.send("GET", path, query=query)
        self._check(response, named("Pod", pod, namespace), "read")
        return response.body.decode(errors="replace")

    def _path(self, obj: Object, *, with_name: bool = True, subresource: str = "") -> str:
        resource = self.resource(obj["apiVersion"], obj["kind"])
        metadata = obj["metadata"]
        namespace = metadata.get("namespace") or (self.kubeconfig.namespace if resource.namespaced else None)
        return resource.path(namespace, metadata["name"] if with_name else None, subresource)

    def _discover(self, path: str) -> Any | None:
        response = self.send("GET", path)
        if response.status == 404:
            return None
        return self._object(response, path, "get")

    def _object(self, response: Response, what: str, verb: str) -> Object:
        self._check(response, what, verb)
        parsed = response.json()
        if not isinstance(parsed, dict):
            raise ClusterUnreachable(
                f"{self.host} answered with something that is not a Kubernetes object.",
                hint="Is this the API server's address, and is there a proxy between?",
            )
        return parsed

    def _check(self, response: Response, what: str, verb: str) -> None:
        if response.status >= 400:
            raise to_error(response.status, response.json(), what, verb, self.host)
        if response.status >= 300:
            raise ApiError(
                f"{self.host} answered HTTP {response.status}, a redirect.",
                status=response.status,
                hint="Use the API server's own address in the kubeconfig.",
            )


def named(kind: str, name: str, namespace: str | None = None) -> str:
    """How an object is called in messages: "Deployment web in namespace shop"."""
    return f"{kind} {name} in namespace {namespace}" if namespace else f"{kind} {name}"


def label(obj: Mapping[str, Any]) -> str:
    """The same, of an object."""
    metadata = obj.get("metadata") or {}
    return named(str(obj.get("kind")), str(metadata.get("name")), metadata.get("namespace"))
