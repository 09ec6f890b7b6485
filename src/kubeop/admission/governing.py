"""Rules for what governs a project: its network policies and quotas may narrow what the platform allows, not widen it.

The platform's own objects (`kubeop-egress` and the rest) are exempt when the platform or an administrator writes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kubeop import names
from kubeop.admission.refusals import BASELINE_OBJECTS, Refusal, is_platform_admin
from kubeop.admission.reviews import Request
from kubeop.admission.state import State
from kubeop.domain.networks import KUBE_DNS, OPENSHIFT_DNS, outside
from kubeop.errors import InputError, QuantityError
from kubeop.kube import quantities

_SHOWN = 3  # CIDRs in a message
_DNS_PORTS = {dns.namespace: dns.port for dns in (KUBE_DNS, OPENSHIFT_DNS)}
# A quota's key, its older spelling, and the policy's field.
_QUOTA_KEYS = (("requests.cpu", "cpu", "cpu"), ("requests.memory", "memory", "memory"))


def check_network_policy(request: Request, state: State) -> Iterator[Refusal]:
    """Egress goes to the project's own pods, its tenant's namespaces, DNS, and CIDRs of the egress baseline."""
    if _is_exempt(request, state) or _same_spec(request):
        return
    for index, rule in enumerate((request.obj.get("spec") or {}).get("egress") or ()):
        where = f"spec.egress[{index}]"
        peers = (rule or {}).get("to")
        if not peers:
            yield Refusal(f"{where} has no `to` and so opens everything; name the peers in {where}.to")
        for number, peer in enumerate(peers or ()):
            yield from _check_peer(f"{where}.to[{number}]", peer, rule, request.namespace, state)


def check_resource_quota(request: Request, state: State) -> Iterator[Refusal]:
    """A ResourceQuota limits CPU and memory requests, at most to the policy's maximum."""
    if _is_exempt(request, state) or _same_spec(request):
        return
    hard = (request.obj.get("spec") or {}).get("hard") or {}
    for key, alias, field in _QUOTA_KEYS:
        value = hard.get(key, hard.get(alias))
        if value is None:
            yield Refusal(f"spec.hard has no {key}; add it, such as {key}: {'1' if field == 'cpu' else '1Gi'}")
            continue
        most = getattr(state.policy.quota_max, field)
        try:
            amount = quantities.parse(value)
        except QuantityError as error:
            yield Refusal(f"spec.hard[{key!r}]: {error}")
            continue
        if most is not None and amount > quantities.parse(most):
            yield Refusal(f"spec.hard[{key!r}] is {value}, more than the platform's maximum; set it to {most} or less")


def _check_peer(
    where: str, peer: Mapping[str, Any], rule: Mapping[str, Any], namespace: str, state: State
) -> Iterator[Refusal]:
    block = peer.get("ipBlock")
    if block is not None:
        yield from _check_block(where, block, state.policy.egress_baseline)
    elif peer.get("namespaceSelector") is not None and not _selects_own(peer, rule, namespace, state):
        yield Refusal(
            f"{where}.namespaceSelector reaches other tenants' namespaces; select by the label {names.LABEL_TENANT} "
            "of your own tenant, or remove it to reach this namespace's pods"
        )


def _check_block(where: str, block: Mapping[str, Any], baseline: tuple[str, ...]) -> Iterator[Refusal]:
    cidr = block.get("cidr")
    try:
        beyond = outside(cidr or "", baseline, block.get("except") or ())
    except InputError as error:
        yield Refusal(f"{where}.ipBlock: {error}")
        return
    if beyond:
        shown = ", ".join(beyond[:_SHOWN]) + (" and more" if len(beyond) > _SHOWN else "")
        allowed = ", ".join(baseline) or "which is empty"
        yield Refusal(
            f"{where}.ipBlock {cidr} opens {shown}, outside the egress baseline ({allowed}); "
            "narrow it or ask a platform admin to widen the baseline"
        )


def _selects_own(peer: Mapping[str, Any], rule: Mapping[str, Any], namespace: str, state: State) -> bool:
    """True if the selector can only match the project's own tenant, this namespace, or the cluster's DNS."""
    labels = (peer["namespaceSelector"] or {}).get("matchLabels") or {}
    owner = state.namespaces.get(namespace)
    if owner and owner.tenant and labels.get(names.LABEL_TENANT) == owner.tenant:
        return True
    name = labels.get(names.LABEL_NAMESPACE_NAME)
    if name == namespace:
        return True
    ports, dns = rule.get("ports") or (), _DNS_PORTS.get(name or "")
    return dns is not None and bool(ports) and all(_is_only(port, dns) for port in ports)


def _is_only(port: Mapping[str, Any], number: int) -> bool:
    return port.get("port") == number and port.get("endPort", number) == number


def _is_exempt(request: Request, state: State) -> bool:
    name = (request.obj.get("metadata") or {}).get("name", request.name)
    return name in BASELINE_OBJECTS and is_platform_admin(request.user_info, state.policy)


def _same_spec(request: Request) -> bool:
    return request.operation == "UPDATE" and request.obj.get("spec") == request.old.get("spec")
