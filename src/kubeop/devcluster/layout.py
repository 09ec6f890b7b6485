"""Where an embedded cluster keeps its things, and which addresses it has. Nothing else here spells them out.

A cluster is a name and a slot. The name gives the folder, the network namespace and the control group; the slot, a
small number that no other cluster on the machine has, gives the address ranges.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kubeop.errors import DevClusterError

DEFAULT_NAME: Final = "kubeop"
SLOTS: Final = 64  # 64 ranges of 1,022 pods fill 10.201.0.0/16
API_PORT: Final = 6443
DATABASE_PORT: Final = 5432
DATABASE: Final = "kubeop"
CLUSTER_DOMAIN: Final = "cluster.local"
LOCKS: Final = Path("/run/kubeop")
MIN_FREE_BYTES: Final = 3 * 1024**3

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")


def state_root() -> Path:
    """The folder with one folder a cluster; KUBEOP_DEV_STATE_DIR overrides it."""
    return Path(os.environ.get("KUBEOP_DEV_STATE_DIR") or "/var/lib/kubeop/dev")


def give_to_invoking_user(path: Path) -> None:
    """Under sudo, make `path` the invoking user's: what is written for a person must be readable by that person."""
    uid, gid = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if os.geteuid() == 0 and uid.isdigit():
        os.chown(path, int(uid), int(gid) if gid.isdigit() else -1)


@dataclass(frozen=True)
class Addresses:
    """The address ranges of one slot: a /30 between host and node, and a /22 each for pods and services."""

    slot: int

    def __post_init__(self) -> None:
        if not 0 <= self.slot < SLOTS:
            raise DevClusterError(f"Slot {self.slot} is not between 0 and {SLOTS - 1}.", hint="Remove the cluster.")

    @property
    def link(self) -> ipaddress.IPv4Network:
        """The network between host and node."""
        return ipaddress.IPv4Network(f"10.200.{self.slot}.0/30")

    @property
    def host(self) -> str:
        """The host's end of the link."""
        return str(self.link[1])

    @property
    def node(self) -> str:
        """The node's end: where the API server, PostgreSQL and NodePorts answer, from the host and from pods."""
        return str(self.link[2])

    @property
    def pods(self) -> ipaddress.IPv4Network:
        """The pods' addresses."""
        return ipaddress.IPv4Network(f"10.201.{self.slot * 4}.0/22")

    @property
    def services(self) -> ipaddress.IPv4Network:
        """The services' cluster addresses."""
        return ipaddress.IPv4Network(f"10.202.{self.slot * 4}.0/22")

    @property
    def api_service(self) -> str:
        """The cluster address of the Service `kubernetes`."""
        return str(self.services[1])

    @property
    def dns(self) -> str:
        """The cluster address of the Service `kube-dns`."""
        return str(self.services[10])

    @property
    def host_interface(self) -> str:
        """The host's end of the veth pair."""
        return f"kubeop{self.slot}"


@dataclass(frozen=True)
class Layout:
    """The paths and system-wide names of one cluster, from its name alone. DevClusterError for a bad name."""

    name: str
    root: Path = field(init=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise DevClusterError(
                f"{self.name!r} cannot be a cluster's name.",
                hint="Use at most 32 lower-case letters, digits and hyphens, a letter first, no hyphen last.",
            )
        object.__setattr__(self, "root", state_root() / self.name)

    @property
    def unit(self) -> str:
        """What the cluster is called system-wide: network namespace, control group, CNI network."""
        return f"kubeop-dev-{self.name}"

    @property
    def netns(self) -> Path:
        """The network namespace's handle."""
        return Path("/run/netns") / self.unit

    @property
    def lock(self) -> Path:
        """Held while the cluster is being changed. Outside of `root`, which `down` removes."""
        return LOCKS / f"{self.unit}.lock"

    @property
    def record(self) -> Path:
        """The cluster's slot."""
        return self.root / "cluster.json"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.root / "kubeconfig"

    @property
    def database_url(self) -> Path:
        """The file with the database's URL, password included."""
        return self.root / "database-url"

    @property
    def pki(self) -> Path:
        """Certificates, keys and the components' kubeconfigs."""
        return self.root / "pki"

    @property
    def config(self) -> Path:
        """The components' configuration files."""
        return self.root / "config"

    @property
    def logs(self) -> Path:
        """One log a component; the pods' logs in pods/."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Pid files and sockets."""
        return self.root / "run"

    @property
    def etcd(self) -> Path:
        """etcd's data."""
        return self.root / "etcd"

    @property
    def etcd_used(self) -> Path:
        """There once an API server has worked on etcd's data: from then on it is never thrown away."""
        return self.root / "etcd-used"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's data and socket; belongs to the user `postgres`."""
        return self.root / "postgres"

    @property
    def containerd(self) -> Path:
        """containerd's root and state."""
        return self.root / "containerd"

    @property
    def containerd_socket(self) -> Path:
        """containerd's socket, its own, so that no other containerd on the machine is met."""
        return self.run / "containerd.sock"

    @property
    def kubelet(self) -> Path:
        """kubelet's folder: pods' volumes."""
        return self.root / "kubelet"

    @property
    def cni(self) -> Path:
        """CNI's configuration and address leases."""
        return self.root / "cni"

    def log(self, component: str) -> Path:
        """The log file of a component."""
        return self.logs / f"{component}.log"


@dataclass(frozen=True)
class Cluster:
    """A cluster that is up: how to reach it. `database_url` is the administrator's and holds a password."""

    name: str
    kubeconfig: Path
    database_url: str = field(repr=False)
    node_address: str
    state: Path
