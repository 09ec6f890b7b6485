"""What a pod may never ask for in a project: the node's namespaces, files, ports, devices, or more privileges.

These are the rules that keep a pod off its node (the `baseline` level of the Pod Security Standards, and privilege
escalation). The rest of `restricted` is enforced by the API server itself, through the namespace's labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")
_HOST_NAMESPACES = ("hostNetwork", "hostPID", "hostIPC")
# What `baseline` lets a container add.
_CAPABILITIES = frozenset(
    (
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"),
        *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    )
)


@dataclass(frozen=True)
class Violation:
    """One thing that is not allowed: the field, and a sentence that says what to change."""

    path: str
    message: str


def containers(pod_spec: Mapping[str, Any], path: str = "spec") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every container of a pod with its path: the main ones, the init and the ephemeral ones."""
    for key in _CONTAINER_LISTS:
        for index, container in enumerate(pod_spec.get(key) or ()):
            yield f"{path}.{key}[{index}]", container


def violations(pod_spec: Mapping[str, Any], path: str = "spec") -> list[Violation]:
    """What a pod specification asks for and may not; `path` is where it stands in its object."""
    found = [
        Violation(f"{path}.{key}", f"{path}.{key} is true; remove it: pods may not share the node's namespaces")
        for key in _HOST_NAMESPACES
        if pod_spec.get(key)
    ]
    found += [
        Violation(
            f"{path}.volumes[{index}]",
            f"volume {volume.get('name', '')!r} is a hostPath; use an emptyDir or a PersistentVolumeClaim",
        )
        for index, volume in enumerate(pod_spec.get("volumes") or ())
        if volume.get("hostPath") is not None
    ]
    found += _host_process(pod_spec, path, "the pod")
    for where, container in containers(pod_spec, path):
        found += _container(where, container)
    return found


def _container(path: str, container: Mapping[str, Any]) -> list[Violation]:
    name = f"container {container.get('name', '')!r}"
    context = container.get("securityContext") or {}
    at = f"{path}.securityContext"
    found = _host_process(container, path, name)
    if context.get("privileged"):
        found.append(Violation(f"{at}.privileged", f"{name} is privileged; set {at}.privileged to false"))
    if context.get("allowPrivilegeEscalation"):
        message = f"{name} may gain privileges; set {at}.allowPrivilegeEscalation to false"
        found.append(Violation(f"{at}.allowPrivilegeEscalation", message))
    if context.get("procMount", "Default") != "Default":
        found.append(Violation(f"{at}.procMount", f"{name} unmasks /proc; remove {at}.procMount"))
    added = (context.get("capabilities") or {}).get("add") or ()
    extra = sorted({str(capability).upper().removeprefix("CAP_") for capability in added} - _CAPABILITIES)
    if extra:
        message = f"{name} adds the capability {', '.join(extra)}; remove it from {at}.capabilities.add"
        found.append(Violation(f"{at}.capabilities.add", message))
    found += [
        Violation(
            f"{path}.ports[{index}].hostPort",
            f"{name} takes port {port['hostPort']} of the node; remove hostPort and use a Service",
        )
        for index, port in enumerate(container.get("ports") or ())
        if port.get("hostPort")
    ]
    return found


def _host_process(owner: Mapping[str, Any], path: str, name: str) -> list[Violation]:
    windows = (owner.get("securityContext") or {}).get("windowsOptions") or {}
    if not windows.get("hostProcess"):
        return []
    at = f"{path}.securityContext.windowsOptions.hostProcess"
    return [Violation(at, f"{name} runs as a process of the node; remove {at}")]
