"""The APIs that only OpenShift has, through the `openshift` client (the extra `kubeop[openshift]`).

It is imported when a cluster serves these APIs and not before. What it finds out by itself it would keep in a file that
any user of the machine can name, and ask for without a timeout: so it is told where a kind lives, by discovery.py.
"""

from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Mapping
from typing import Any

from urllib3.exceptions import HTTPError

from kubeop.errors import ClusterError, ClusterUnreachable
from kubeop.kube import reach
from kubeop.kube.client import MERGE_PATCH, Client, Object, label, named
from kubeop.kube.credentials import Credentials
from kubeop.kube.status import to_error
from kubeop.kube.transport import pool_manager

QUOTA_API = "quota.openshift.io/v1"
CLUSTER_RESOURCE_QUOTA = "ClusterResourceQuota"
PROJECT_API = "project.openshift.io/v1"
PROJECT_REQUEST = "ProjectRequest"
REQUESTER = "openshift.io/requester"  # the server's annotation on a namespace: who asked for it

_CONNECTIONS = 4
_VERBS = {"server_side_apply": "apply", "patch": "patched"}


class OpenShift:
    """Objects of OpenShift's own kinds in and out as plain dicts, with `Client`'s errors. Thread-safe.

    Raises ClusterError at the first call when the `openshift` package is not installed.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._credentials = Credentials(client.kubeconfig)
        self._lock = threading.Lock()
        self._dynamic: Any = None
        self._certificate: tuple[bytes, bytes] | None = None
        self._username = ""

    def serves(self, api_version: str, kind: str) -> bool:
        """Whether the cluster has this kind: whether it is an OpenShift."""
        return self._client.find_resource(api_version, kind) is not None

    def username(self) -> str:
        """Who we are to the API server."""
        if not self._username:
            review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
            answer = self._client.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=review)
            self._username = str(answer["status"]["userInfo"]["username"])
        return self._username

    def get(self, api_version: str, kind: str, name: str) -> Object | None:
        """One object, None when it is not there."""
        return self._found("get", api_version, kind, name)

    def create(self, obj: Mapping[str, Any]) -> Object:
        """Create an object and return the server's answer, which may be of another kind. Raises ApiError."""
        return self._call("create", obj["apiVersion"], obj["kind"], label(obj), body=dict(obj))

    def server_side_apply(self, obj: Mapping[str, Any], *, field_manager: str, force: bool = False) -> Object:
        """Apply an object as `field_manager`. Raises ApplyConflict when a field belongs to another one."""
        options = {"field_manager": field_manager, "force_conflicts": "true" if force else None}
        return self._call("server_side_apply", obj["apiVersion"], obj["kind"], label(obj), body=dict(obj), **options)

    def patch(
        self,
        api_version: str,
        kind: str,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        field_manager: str = "",
    ) -> Object:
        """Change parts of an object by a merge patch."""
        options = {"name": name, "namespace": namespace, "content_type": MERGE_PATCH, "field_manager": field_manager}
        return self._call("patch", api_version, kind, named(kind, name, namespace), body=patch, **options)

    def delete(self, api_version: str, kind: str, name: str, *, uid: str) -> bool:
        """Delete this very object; False when it is not there."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        return self._found("delete", api_version, kind, name, body=body) is not None

    def _found(self, verb: str, api_version: str, kind: str, name: str, **options: Any) -> Object | None:
        try:
            return self._call(verb, api_version, kind, named(kind, name), name=name, **options)
        except ClusterError as error:
            if getattr(error, "status", 0) == 404:
                return None
            raise

    def _call(self, verb: str, api_version: str, kind: str, what: str, **options: Any) -> Object:
        with self._lock:
            dynamic = self._connect()
        found = self._client.resource(api_version, kind)
        group, _, version = api_version.rpartition("/")
        resource = _openshift().Resource(
            prefix="apis",
            group=group,
            api_version=version,
            kind=kind,
            name=found.plural,
            namespaced=found.namespaced,
            client=dynamic,
        )
        refused = importlib.import_module("kubernetes.client.exceptions").ApiException
        try:
            answer = getattr(resource, verb)(_request_timeout=self._client.timeout_seconds, **options)
        except refused as error:
            raise to_error(error.status, _parsed(error.body), what, _VERBS.get(verb, verb), self._client.host) from None
        except (HTTPError, OSError) as error:
            reason, hint = reach.explain(error, self._client.host)
            message = f"The API server at {self._client.host} cannot be reached: {reason}."
            raise ClusterUnreachable(message, hint=hint) from None
        result: Object = answer.to_dict()
        return result

    def _connect(self) -> Any:
        """The dynamic client with credentials that are valid now."""
        headers, certificate = self._credentials.headers(), self._credentials.certificate()
        if self._dynamic is None or certificate != self._certificate:
            self._dynamic = _dynamic_client(self._client, certificate)
            self._certificate = certificate
        for name, value in headers.items():
            self._dynamic.client.set_default_header(name, value)
        return self._dynamic


def _openshift() -> Any:
    try:
        return importlib.import_module("openshift.dynamic")
    except ModuleNotFoundError:
        raise ClusterError(
            "The cluster is an OpenShift, and the Python package openshift is not installed.",
            hint="Run `pip install kubeop[openshift]`.",
        ) from None


def _dynamic_client(client: Client, certificate: tuple[bytes, bytes] | None) -> Any:
    """The package's client over connections of our own: certificates, proxies and timeouts are as everywhere else."""
    dynamic = _openshift().DynamicClient
    kubernetes: Any = importlib.import_module("kubernetes.client")
    configuration = kubernetes.Configuration()
    configuration.host = client.kubeconfig.server
    api = kubernetes.ApiClient(configuration)
    api.rest_client.pool_manager = pool_manager(client.kubeconfig, certificate, _CONNECTIONS)
    return dynamic(api, discoverer=lambda _client, _cache_file: None)


def _parsed(body: Any) -> Any:
    try:
        return json.loads(body)
    except (TypeError, ValueError):
        return None
