"""The labels that `/mutate` adds: who manages an object, and whose a Tenant or Project is."""

from __future__ import annotations

from typing import Any

from kubeop import names
from kubeop.admission.reviews import Request


def missing_labels(request: Request) -> dict[str, str]:
    """The labels that the object should have and has not. One that it has is left alone: `/validate` judges it."""
    if request.operation not in ("CREATE", "UPDATE") or request.sub_resource or request.is_leaving():
        return {}
    wanted: dict[str, Any] = {names.LABEL_MANAGED_BY: names.PLATFORM}
    spec = request.obj.get("spec") or {}
    if request.resource.group == names.API_GROUP:
        is_tenant = request.resource.resource == "tenants"
        wanted[names.LABEL_TENANT] = spec.get("name") if is_tenant else spec.get("tenantRef")
        if not is_tenant:
            wanted[names.LABEL_PROJECT] = spec.get("name")
    found = (request.obj.get("metadata") or {}).get("labels") or {}
    return {label: value for label, value in wanted.items() if label not in found and isinstance(value, str)}


def patch(request: Request) -> list[dict[str, Any]]:
    """The JSON patch that adds them; empty if nothing is missing."""
    missing = missing_labels(request)
    if not missing:
        return []
    if not (request.obj.get("metadata") or {}).get("labels"):
        return [{"op": "add", "path": "/metadata/labels", "value": missing}]
    return [
        {"op": "add", "path": f"/metadata/labels/{label.replace('~', '~0').replace('/', '~1')}", "value": value}
        for label, value in missing.items()
    ]
