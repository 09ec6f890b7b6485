"""The custom resources Tenant and Project: what their fields may hold is checked by the API server itself.

Both are cluster-scoped: a Project's namespace is made from it. `metadata.name` repeats what the spec says, so that the
API server keeps names unique; names never change, for a namespace cannot be renamed.
"""

from __future__ import annotations

from typing import Any

from kubeop import names
from kubeop.manifests.common import metadata

_LABEL = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
_MAX_TENANT = 54  # `kubeop-` + tenant + `-` + project fit in the 63 characters of a namespace
_MAX_PROJECT = 54
_QUANTITY_LENGTH = 32


def crds(version: str = "") -> list[dict[str, Any]]:
    """The CustomResourceDefinitions; `version` is the platform's, for the label."""
    return [_tenant(version), _project(version)]


def _tenant(version: str) -> dict[str, Any]:
    spec = _object(
        {
            "name": _name("The tenant's name; the same as metadata.name.", _MAX_TENANT),
            "quotas": _quotas("What all projects of the tenant may use together; a field left out is not limited."),
        },
        required=("name",),
    )
    status = {
        "projects": {"type": "integer", "format": "int32", "description": "How many projects the tenant has."},
        "used": _object(
            {"cpu": {"type": "string"}, "memory": {"type": "string"}, "pods": {"type": "integer", "format": "int32"}},
            description="The sum of its projects' quotas.",
        ),
    }
    rule = {
        "rule": "self.metadata.name == self.spec.name",
        "message": "metadata.name must be the same as spec.name",
    }
    columns = [_column("Projects", "integer", ".status.projects")]
    description = "A customer or team: the owner of projects, with a quota that all of them share."
    return _crd("Tenant", "tenants", description, spec, status, [rule], columns, version)


def _project(version: str) -> dict[str, Any]:
    spec = _object(
        {
            "tenantRef": _name("The name of the Tenant that owns the project.", _MAX_TENANT),
            "name": _name("The project's name, unique in its tenant.", _MAX_PROJECT),
            "quotas": _quotas("What the project may use; a field left out is 1 CPU, 1Gi, 10 pods."),
        },
        required=("tenantRef", "name"),
    )
    status = {"namespace": {"type": "string", "description": "The project's namespace, once it exists."}}
    rules = [
        {
            "rule": "self.metadata.name == self.spec.tenantRef + '-' + self.spec.name",
            "message": "metadata.name must be spec.tenantRef, a dash, and spec.name",
        },
        {
            "rule": "size(self.metadata.name) <= 56",
            "message": "tenantRef and name have more than 55 characters together: use a shorter project name",
        },
    ]
    columns = [
        _column("Tenant", "string", ".spec.tenantRef"),
        _column("Namespace", "string", ".status.namespace"),
    ]
    description = "One namespace of a tenant, with its baseline: labels, defaults, quota and network policies."
    return _crd("Project", "projects", description, spec, status, rules, columns, version)


def _crd(
    kind: str,
    plural: str,
    description: str,
    spec: dict[str, Any],
    status: dict[str, Any],
    rules: list[dict[str, str]],
    columns: list[dict[str, Any]],
    version: str,
) -> dict[str, Any]:
    schema = _object({"spec": spec, "status": _status(status)}, required=("spec",), description=description)
    schema["properties"] |= {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
    }
    schema["x-kubernetes-validations"] = rules
    ready = ".status.conditions[?(@.type=='Ready')]"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata(f"{plural}.{names.API_GROUP}", "crds", version, namespaced=False),
        "spec": {
            "group": names.API_GROUP,
            "scope": "Cluster",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "categories": [names.PLATFORM],
            },
            "versions": [
                {
                    "name": names.API_VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        *columns,
                        _column("CPU", "string", ".spec.quotas.cpu"),
                        _column("Memory", "string", ".spec.quotas.memory"),
                        _column("Ready", "string", f"{ready}.status"),
                        _column("Reason", "string", f"{ready}.reason", priority=1),
                        _column("Age", "date", ".metadata.creationTimestamp"),
                    ],
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def _quotas(description: str) -> dict[str, Any]:
    return _object(
        {
            "cpu": _quantity("The sum of CPU requests, in cores, such as 500m or 2."),
            "memory": _quantity("The sum of memory requests, in bytes, such as 1Gi."),
            "pods": {
                "type": "integer",
                "format": "int32",
                "minimum": 0,
                "description": "How many pods may exist at a time.",
            },
        },
        description=description,
    )


def _quantity(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "x-kubernetes-int-or-string": True,
        "maxLength": _QUANTITY_LENGTH,
        "x-kubernetes-validations": [
            {
                "rule": "type(self) == int ? self >= 0 : isQuantity(self) && !quantity(self).isLessThan(quantity('0'))",
                "message": "must be a quantity of zero or more, such as 500m, 2 or 1Gi",
            }
        ],
    }


def _name(description: str, longest: int) -> dict[str, Any]:
    return {
        "type": "string",
        "description": description,
        "pattern": _LABEL,
        "minLength": 1,
        "maxLength": longest,
        "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "cannot be changed: make a new object"}],
    }


def _status(properties: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "string"}
    condition = _object(
        {
            "type": text,
            "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "reason": text,
            "message": text,
            "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
            "lastTransitionTime": {"type": "string", "format": "date-time"},
        },
        required=("type", "status"),
    )
    common = {
        "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
        "conditions": {
            "type": "array",
            "items": condition,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        },
    }
    return _object(common | properties, description="What the operator found and did.")


def _object(properties: dict[str, Any], *, required: tuple[str, ...] = (), description: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "properties": properties}
    if description:
        found["description"] = description
    if required:
        found["required"] = list(required)
    return found


def _column(name: str, kind: str, path: str, priority: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "type": kind, "jsonPath": path}
    return found | {"priority": priority} if priority else found
