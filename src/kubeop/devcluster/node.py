"""containerd, kubelet and kube-proxy: their configuration files and command lines.

kubelet's settings follow what the machine has: control groups version 1 or 2, and whether we may lower a process's OOM
score, which takes CAP_SYS_RESOURCE and without which runc could start no sandbox.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import urllib3
import yaml

from kubeop.devcluster import capabilities
from kubeop.devcluster.builds import Binaries
from kubeop.devcluster.cgroups import Tree
from kubeop.devcluster.layout import CLUSTER_DOMAIN, Addresses, Layout
from kubeop.devcluster.processes import Component

CNI_BINARIES = Path("/usr/lib/cni")
MAX_PODS = 500
_LOOPBACK = "127.0.0.1"  # inside the namespace: what nobody outside has to see
_PROXY_HEALTH_PORT = 10256


def write(layout: Layout, addresses: Addresses, tree: Tree, pause_image: str) -> None:
    """Write the configuration files of all three, and CNI's."""
    networks = layout.cni / "net.d"
    for path, text in {
        layout.config / "containerd.toml": _containerd(layout, pause_image),
        layout.config / "kubelet.yaml": yaml.safe_dump(_kubelet(layout, addresses, tree)),
        layout.config / "kube-proxy.yaml": yaml.safe_dump(_kube_proxy(layout, addresses)),
        # Nothing outside the cluster resolves: the host's closed port says so at once, a far server would time out.
        layout.config / "resolv.conf": f"nameserver {addresses.host}\n",
        networks / "10-kubeop.conflist": json.dumps(_cni(layout, addresses), indent=1),
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        # kube-proxy watches its file and ends when it is written, even to the same.
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def containerd(layout: Layout) -> Component:
    """containerd with root, state and socket of its own."""

    def ready() -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            return connection.connect_ex(str(layout.containerd_socket)) == 0

    config = layout.config / "containerd.toml"
    return Component("containerd", ("containerd", f"--config={config}"), ready=ready, files=(config,))


def kubelet(layout: Layout, addresses: Addresses, binaries: Binaries) -> Component:
    """kubelet. Without --node-ip it would spend 20 seconds trying to resolve its own name."""
    config = layout.config / "kubelet.yaml"
    return Component(
        "kubelet",
        (
            str(binaries.path("kubelet")),
            f"--config={config}",
            f"--kubeconfig={layout.pki}/kubelet.kubeconfig",
            f"--hostname-override={layout.name}",
            f"--node-ip={addresses.node}",
            f"--root-dir={layout.kubelet}",
            f"--cert-dir={layout.kubelet}/pki",
        ),
        files=(config,),
    )


def kube_proxy(layout: Layout, addresses: Addresses, binaries: Binaries) -> Component:
    """kube-proxy in nftables mode: from the node itself, too, a Service's cluster address answers.

    It is started once the node is there: it ends itself when the node's addresses are not those of its start.
    """

    def ready() -> bool:
        try:
            url = f"http://{addresses.node}:{_PROXY_HEALTH_PORT}/healthz"
            return urllib3.request("GET", url, timeout=1, retries=False).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    config = layout.config / "kube-proxy.yaml"
    command = (str(binaries.path("kube-proxy")), f"--config={config}")
    return Component("kube-proxy", command, ready=ready, files=(config,))


def _containerd(layout: Layout, pause_image: str) -> str:
    # JSON strings are valid TOML strings.
    def quote(value: object) -> str:
        return json.dumps(str(value))

    no_oom_score = "false" if capabilities.has("CAP_SYS_RESOURCE") else "true"
    return f"""version = 2
root = {quote(layout.containerd / "root")}
state = {quote(layout.containerd / "state")}
required_plugins = ["io.containerd.grpc.v1.cri"]
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.nri.v1.nri"]

[grpc]
address = {quote(layout.containerd_socket)}

[plugins."io.containerd.internal.v1.opt"]
path = {quote(layout.containerd / "opt")}

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = {quote(pause_image)}
restrict_oom_score_adj = {no_oom_score}
netns_mounts_under_state_dir = true
stream_server_address = "{_LOOPBACK}"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = {quote(CNI_BINARIES)}
conf_dir = {quote(layout.cni / "net.d")}

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
discard_unpacked_layers = false

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
Root = {quote(layout.containerd / "runc")}
"""


def _cni(layout: Layout, addresses: Addresses) -> dict[str, Any]:
    # Plugin ptp routes every packet between pods through the node, where kube-proxy sees it; a bridge would need the
    # host's br_netfilter module for that.
    ptp = {
        "type": "ptp",
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            "dataDir": str(layout.cni / "leases"),
            "ranges": [[{"subnet": str(addresses.pods)}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
    return {"cniVersion": "0.4.0", "name": layout.unit, "plugins": [ptp, portmap]}


def _kubelet(layout: Layout, addresses: Addresses, tree: Tree) -> dict[str, Any]:
    pki = layout.pki
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": addresses.node,
        "healthzBindAddress": _LOOPBACK,
        "healthzPort": 10248,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{pki}/kubelet.crt",
        "tlsPrivateKeyFile": f"{pki}/kubelet.key",
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": tree.group(layout),
        "failCgroupV1": False,
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "oomScoreAdj": -999 if capabilities.has("CAP_SYS_RESOURCE") else 0,
        "clusterDNS": [addresses.dns],
        "clusterDomain": CLUSTER_DOMAIN,
        "resolvConf": str(layout.config / "resolv.conf"),
        "podLogsDir": str(layout.logs / "pods"),
        "volumePluginDir": str(layout.kubelet / "volume-plugins"),
        "maxPods": MAX_PODS,
        "serializeImagePulls": False,
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
        "eventRecordQPS": 0,
        # A node that registers before its network is ready would otherwise say that it is only minutes later.
        "nodeStatusUpdateFrequency": "1s",
        "nodeStatusReportFrequency": "1s",
        # A full disk or short memory is the machine's owner's business: nothing is evicted, no image is removed.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {
            "memory.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%",
            "imagefs.available": "0%", "imagefs.inodesFree": "0%",
        },
    }  # fmt: skip


def _kube_proxy(layout: Layout, addresses: Addresses) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "bindAddress": addresses.node,
        "healthzBindAddress": f"{addresses.node}:{_PROXY_HEALTH_PORT}",
        "metricsBindAddress": f"{_LOOPBACK}:10249",
        "hostnameOverride": layout.name,
        "clientConnection": {"kubeconfig": f"{layout.pki}/kube-proxy.kubeconfig", "qps": 100, "burst": 200},
        "clusterCIDR": str(addresses.pods),
        "nodePortAddresses": [str(addresses.link)],
        # The connection-tracking table is the host's: leave its size and timeouts alone.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "nftables": {"minSyncPeriod": "200ms", "syncPeriod": "30s"},
        "oomScoreAdj": -999 if capabilities.has("CAP_SYS_RESOURCE") else 0,
    }
