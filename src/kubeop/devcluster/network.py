"""The cluster's own network: a namespace, a veth pair to the host, and routes to pods and services.

Everything the cluster's processes open, every nftables rule and every pod's interface lives in that namespace, so that
clusters on one machine never meet by accident, and deleting it deletes all of that. One reaches another's node and pods
through the host, as the clusters of a fleet do through a network: one's manager governs the others.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
from pathlib import Path
from typing import Any

from kubeop.devcluster.layout import SLOTS, Addresses, Layout
from kubeop.devcluster.shell import run
from kubeop.errors import DevClusterError

_CLUSTERS = "10.200.0.0/15"  # every cluster's link and pods
_RULE_PRIORITY = 10200


def free_slot(taken: set[int]) -> int:
    """The lowest slot that no cluster has and whose ranges the host neither uses nor routes."""
    networks = _host_networks()
    for slot in range(SLOTS):
        addresses = Addresses(slot)
        wanted = (addresses.link, addresses.pods, addresses.services)
        if slot not in taken and not any(ours.overlaps(theirs) for ours in wanted for theirs in networks):
            return slot
    raise DevClusterError(
        f"All {SLOTS} address ranges for clusters (10.200.0.0/16 to 10.202.0.0/16) are in use on this machine.",
        hint="Remove a cluster with `kubeop dev down --name NAME`, or the routes that overlap them.",
    )


def check_address(addresses: Addresses) -> None:
    """Refuse when another interface of the host already has the cluster's host or node address."""
    for interface in _ip("addr", "show"):
        for entry in interface.get("addr_info", ()):
            taken = entry.get("local") in (addresses.host, addresses.node)
            if taken and interface["ifname"] != addresses.host_interface:
                raise DevClusterError(
                    f"The cluster's address {entry['local']} is already in use by the interface {interface['ifname']}.",
                    hint="Remove it from that interface, or remove the cluster with `kubeop dev down`.",
                )


def present(layout: Layout, addresses: Addresses) -> bool:
    """Whether namespace, veth pair and addresses are all there."""
    if not layout.netns.is_file() or not _is_namespace(layout.netns):
        return False
    inside = _addresses(_ip("addr", "show", netns=layout))
    outside = _addresses(_ip("addr", "show"))
    return addresses.node in inside and addresses.host in outside


def create(layout: Layout, addresses: Addresses) -> None:
    """Make the network anew; what is left of an older one goes first."""
    check_address(addresses)
    remove(layout, addresses)
    unit, link = layout.unit, addresses.host_interface
    prefix = addresses.link.prefixlen
    run("ip", "netns", "add", unit)
    run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", unit)
    run("ip", "addr", "add", f"{addresses.host}/{prefix}", "dev", link)
    run("ip", "link", "set", link, "up")
    run("ip", "-n", unit, "link", "set", "lo", "up")
    run("ip", "-n", unit, "addr", "add", f"{addresses.node}/{prefix}", "dev", "eth0")
    run("ip", "-n", unit, "link", "set", "eth0", "up")
    run("ip", "-n", unit, "route", "add", "default", "via", addresses.host)
    for network in (addresses.pods, addresses.services):
        run("ip", "route", "replace", str(network), "via", addresses.node, "dev", link)
    # The node forwards between pods; this switch belongs to the namespace.
    run("nsenter", f"--net={layout.netns}", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    _forward(link)


def remove(layout: Layout, addresses: Addresses | None) -> None:
    """Delete the namespace, the veth pair and its rules if they are there."""
    if addresses is not None:
        for rule in _rules(addresses.host_interface):
            run("ip", "rule", "del", *rule, check=False)
    if addresses is not None and Path("/sys/class/net", addresses.host_interface).exists():
        run("ip", "link", "del", addresses.host_interface, check=False)
    if layout.netns.exists():
        if _is_namespace(layout.netns):
            run("ip", "netns", "del", layout.unit)
        else:  # a reboot leaves an empty file where /run is not a tmpfs
            with contextlib.suppress(FileNotFoundError):
                layout.netns.unlink()


def _forward(link: str) -> None:
    """Let the host carry what comes from this cluster to the others, and nowhere else.

    The host's own switch is left as it is: where it is on, the host carries everybody's packets already.
    """
    switch = Path("/proc/sys/net/ipv4/conf", link, "forwarding")
    if switch.read_text().strip() != "0":
        return
    for rule in _rules(link):
        run("ip", "rule", "add", *rule)
    run("sh", "-c", f"echo 1 > {switch}")


def _rules(link: str) -> tuple[tuple[str, ...], ...]:
    """Policy routing of what comes in by the link: to clusters that are there, by no default route; else refused."""
    return (
        ("priority", str(_RULE_PRIORITY), "iif", link, "to", _CLUSTERS, "lookup", "main", "suppress_prefixlength", "0"),
        ("priority", str(_RULE_PRIORITY + 1), "iif", link, "unreachable"),
    )


def _is_namespace(path: Path) -> bool:
    # A bind-mounted namespace is on nsfs, thus on another device than the folder that it is in.
    return path.stat().st_dev != path.parent.stat().st_dev or os.path.ismount(path)


def _ip(*arguments: str, netns: Layout | None = None) -> list[dict[str, Any]]:
    where = ("-n", netns.unit) if netns is not None else ()
    output = run("ip", *where, "-4", "-j", *arguments).stdout
    parsed: list[dict[str, Any]] = json.loads(output or "[]")
    return parsed


def _addresses(interfaces: list[dict[str, Any]]) -> set[str]:
    return {entry["local"] for interface in interfaces for entry in interface.get("addr_info", ()) if "local" in entry}


def _host_networks() -> list[ipaddress.IPv4Network]:
    """The networks that the host has addresses in or routes to, the default route aside."""
    found = [entry.get("dst", "") for entry in _ip("route", "show", "table", "all")]
    found += _addresses(_ip("addr", "show"))
    networks = []
    for text in found:
        with contextlib.suppress(ValueError):
            network = ipaddress.IPv4Network(text, strict=False)
            if network.prefixlen > 0:
                networks.append(network)
    return networks
