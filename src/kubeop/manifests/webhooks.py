"""What the API server asks the webhook about, and what happens when it does not answer."""

from __future__ import annotations

from typing import Any

from kubeop import names
from kubeop.manifests.common import Object, metadata

_COMPONENT = "admission"
VALIDATE_PATH = "/validate"
MUTATE_PATH = "/mutate"
VALIDATE_TIMEOUT_SECONDS = 5
MUTATE_TIMEOUT_SECONDS = 2  # it only adds labels: not worth a longer wait
_SERVICE_PORT = 443
NEVER_ASKED = (names.PLATFORM_NAMESPACE, "kube-system", "kube-public", "kube-node-lease")

# (API group, API version, resources): everything that holds pods, and what could widen a project's baseline.
WORKLOADS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("", "v1", ("pods", "replicationcontrollers")),
    ("apps", "v1", ("deployments", "statefulsets", "daemonsets", "replicasets")),
    ("batch", "v1", ("jobs", "cronjobs")),
)
# A container added to a running pod; labels cannot be changed on that way.
SUBRESOURCES: tuple[tuple[str, str, tuple[str, ...]], ...] = (("", "v1", ("pods/ephemeralcontainers",)),)
GOVERNING: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("", "v1", ("resourcequotas",)),
    ("networking.k8s.io", "v1", ("networkpolicies",)),
)
NAMESPACES: tuple[tuple[str, str, tuple[str, ...]], ...] = (("", "v1", ("namespaces",)),)
TENANCY: tuple[tuple[str, str, tuple[str, ...]], ...] = ((names.API_GROUP, names.API_VERSION, ("tenants", "projects")),)

# An object that is going away needs its finalizers taken off, whatever it says.
_NOT_LEAVING = {"name": "not-leaving", "expression": "!has(object.metadata.deletionTimestamp)"}
# Namespaces of the platform: by their name, or by a label that they have or had.
_OWNED = " || ".join(
    f"(has(object.metadata.labels) && '{label}' in object.metadata.labels)"
    for label in (names.LABEL_TENANT, names.LABEL_PROJECT)
)
_WAS_OWNED = _OWNED.replace("object.", "oldObject.")
_PROJECT_NAMESPACE = {
    "name": "project-namespace",
    "expression": f"object.metadata.name.startsWith('{names.PLATFORM}-') || {_OWNED}"
    f" || (oldObject != null && ({_WAS_OWNED}))",
}
_NOT_OURS = {"name": "not-the-platforms", "expression": f"object.metadata.name != '{names.PLATFORM_NAMESPACE}'"}


def webhook_configurations(ca_bundle_b64: str, *, version: str = "", url: str = "") -> list[Object]:
    """The mutating and the validating configuration.

    `ca_bundle_b64` is the authority's PEM in base64. With `url` (https://host:port) the API server calls that address
    instead of the Service: for a webhook that runs outside of the cluster.
    """
    calls = _Calls(ca_bundle_b64, url)
    return [
        _configuration("MutatingWebhookConfiguration", version, calls.mutating()),
        _configuration("ValidatingWebhookConfiguration", version, calls.validating()),
    ]


class _Calls:
    """The webhooks' entries, all to one server."""

    def __init__(self, ca_bundle_b64: str, url: str) -> None:
        self._ca_bundle, self._url = ca_bundle_b64, url

    def validating(self) -> list[Object]:
        in_projects = {"namespaceSelector": _project_selector()}
        namespace = {"matchConditions": [_NOT_OURS, _NOT_LEAVING, _PROJECT_NAMESPACE]}
        tenancy = {"matchConditions": [_NOT_LEAVING]}
        return [
            self._validate("projects", (*WORKLOADS, *SUBRESOURCES, *GOVERNING), "Namespaced", in_projects),
            self._validate("namespaces", NAMESPACES, "Cluster", namespace),
            self._validate("tenancy", TENANCY, "Cluster", tenancy),
        ]

    def mutating(self) -> list[Object]:
        unlabelled = {"matchExpressions": [{"key": names.LABEL_MANAGED_BY, "operator": "DoesNotExist"}]}
        in_projects = {"namespaceSelector": _project_selector(), "objectSelector": unlabelled}
        return [
            self._mutate("projects", WORKLOADS, "Namespaced", in_projects),
            self._mutate("tenancy", TENANCY, "Cluster", {"matchConditions": [_NOT_LEAVING]}),
        ]

    def _validate(self, name: str, rules: Any, scope: str, narrowing: Object) -> Object:
        common = self._webhook(f"{name}.validate.{names.API_GROUP}", VALIDATE_PATH, rules, scope)
        return common | {"failurePolicy": "Fail", "timeoutSeconds": VALIDATE_TIMEOUT_SECONDS} | narrowing

    def _mutate(self, name: str, rules: Any, scope: str, narrowing: Object) -> Object:
        common = self._webhook(f"{name}.mutate.{names.API_GROUP}", MUTATE_PATH, rules, scope)
        ignoring = {"failurePolicy": "Ignore", "timeoutSeconds": MUTATE_TIMEOUT_SECONDS, "reinvocationPolicy": "Never"}
        return common | ignoring | narrowing

    def _webhook(self, name: str, path: str, rules: Any, scope: str) -> Object:
        client: Object = {"caBundle": self._ca_bundle}
        if self._url:
            client["url"] = f"{self._url.rstrip('/')}{path}"
        else:
            client["service"] = {
                "name": names.ADMISSION,
                "namespace": names.PLATFORM_NAMESPACE,
                "path": path,
                "port": _SERVICE_PORT,
            }
        return {
            "name": name,
            "clientConfig": client,
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "matchPolicy": "Equivalent",
            "rules": [
                {
                    "apiGroups": [group],
                    "apiVersions": [version],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": list(resources),
                    "scope": scope,
                }
                for group, version, resources in rules
            ],
        }


def _project_selector() -> Object:
    return {
        "matchExpressions": [
            {"key": names.LABEL_PROJECT, "operator": "Exists"},
            {"key": names.LABEL_NAMESPACE_NAME, "operator": "NotIn", "values": list(NEVER_ASKED)},
        ]
    }


def _configuration(kind: str, version: str, webhooks: list[Object]) -> Object:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": metadata(names.ADMISSION, _COMPONENT, version, namespaced=False),
        "webhooks": webhooks,
    }
