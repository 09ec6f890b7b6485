"""CIDRs: reading them, and whether what a NetworkPolicy opens stays inside what is allowed; and where the DNS is."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from kubeop.errors import InputError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Dns:
    """The pods of a cluster's DNS. `port` is theirs: a NetworkPolicy sees it, and not that of the Service."""

    namespace: str
    label: tuple[str, str]
    port: int


KUBE_DNS = Dns("kube-system", ("k8s-app", "kube-dns"), 53)
OPENSHIFT_DNS = Dns("openshift-dns", ("dns.operator.openshift.io/daemonset-dns", "default"), 5353)


def parse_cidr(text: object) -> Network:
    """Read one CIDR, IPv4 or IPv6. Raises InputError for anything else, also for an address with host bits set."""
    if not isinstance(text, str) or "/" not in text:
        raise InputError(f"{text!r} is not a CIDR.", hint="Use an address and a prefix length, such as 10.0.0.0/8.")
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise InputError(
            f"{text!r} is not a CIDR.", hint="Use an address and a prefix length, such as 10.0.0.0/8."
        ) from None
    raise InputError(f"CIDR {text!r} has bits set outside its prefix.", hint=f"Use {meant}.")


def parse_cidrs(texts: Iterable[object]) -> tuple[str, ...]:
    """Read CIDRs into their shortest spelling, without repeats, in the order given. Raises InputError."""
    return tuple(dict.fromkeys(str(parse_cidr(text)) for text in texts))


def outside(cidr: str, allowed: Iterable[str], excluded: Iterable[str] = ()) -> tuple[str, ...]:
    """The part of `cidr` without `excluded` that lies outside `allowed`, as CIDRs; empty if all of it is inside."""
    left = [parse_cidr(cidr)]
    for text in (*excluded, *allowed):
        cut = parse_cidr(text)
        left = [piece for network in left for piece in _without(network, cut)]
    return tuple(str(network) for network in left)


def _without(network: Network, cut: Network) -> list[Network]:
    if isinstance(network, ipaddress.IPv4Network) and isinstance(cut, ipaddress.IPv4Network):
        if network.subnet_of(cut):
            return []
        return list(network.address_exclude(cut)) if cut.subnet_of(network) else [network]
    if isinstance(network, ipaddress.IPv6Network) and isinstance(cut, ipaddress.IPv6Network):
        if network.subnet_of(cut):
            return []
        return list(network.address_exclude(cut)) if cut.subnet_of(network) else [network]
    return [network]
