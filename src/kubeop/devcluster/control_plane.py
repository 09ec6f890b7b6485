"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler: their command lines, and when each is ready."""

from __future__ import annotations

from kubeop.devcluster.api import Api
from kubeop.devcluster.builds import Binaries
from kubeop.devcluster.layout import API_PORT, CLUSTER_DOMAIN, Addresses, Layout
from kubeop.devcluster.processes import Component

ETCD_PORT = 2379
ETCD_PEER_PORT = 2380
_CONTROLLER_MANAGER_PORT = 10257
_SCHEDULER_PORT = 10259


def etcd(layout: Layout, binaries: Binaries) -> Component:
    """etcd, on loopback inside the namespace, for clients with a certificate of its own authority only."""
    url, peer_url = f"https://127.0.0.1:{ETCD_PORT}", f"http://127.0.0.1:{ETCD_PEER_PORT}"
    pki = layout.pki
    return Component(
        "etcd",
        (
            str(binaries.path("etcd")),
            f"--name={layout.name}",
            f"--data-dir={layout.etcd}",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            f"--listen-peer-urls={peer_url}",
            f"--initial-advertise-peer-urls={peer_url}",
            f"--initial-cluster={layout.name}={peer_url}",
            f"--cert-file={pki}/etcd-server.crt",
            f"--key-file={pki}/etcd-server.key",
            f"--trusted-ca-file={pki}/etcd-ca.crt",
            "--client-cert-auth",
            "--auto-compaction-retention=5m",
            "--quota-backend-bytes=4294967296",
            "--log-level=warn",
        ),
    )


def apiserver(layout: Layout, addresses: Addresses, binaries: Binaries, api: Api) -> Component:
    """kube-apiserver, on the node's address, which host and pods reach."""
    pki = layout.pki
    issuer = f"https://kubernetes.default.svc.{CLUSTER_DOMAIN}"
    return Component(
        "kube-apiserver",
        (
            str(binaries.path("kube-apiserver")),
            f"--advertise-address={addresses.node}",
            f"--bind-address={addresses.node}",
            f"--secure-port={API_PORT}",
            f"--etcd-servers=https://127.0.0.1:{ETCD_PORT}",
            f"--etcd-cafile={pki}/etcd-ca.crt",
            f"--etcd-certfile={pki}/etcd-client.crt",
            f"--etcd-keyfile={pki}/etcd-client.key",
            f"--client-ca-file={pki}/ca.crt",
            f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
            f"--kubelet-certificate-authority={pki}/ca.crt",
            f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
            f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
            "--kubelet-preferred-address-types=InternalIP",
            f"--service-account-key-file={pki}/service-accounts.pub",
            f"--service-account-signing-key-file={pki}/service-accounts.key",
            f"--service-account-issuer={issuer}",
            f"--service-cluster-ip-range={addresses.services}",
            f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
            f"--proxy-client-key-file={pki}/front-proxy-client.key",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--anonymous-auth=true",  # /healthz and /version, and a 401 that is one, as on a real cluster
            "--allow-privileged=true",
            "--profiling=false",
        ),
        ready=api.ready,
    )


def controller_manager(layout: Layout, addresses: Addresses, binaries: Binaries) -> Component:
    """kube-controller-manager. One of a kind, so it needs no leader election and starts at once."""
    pki, kubeconfig = layout.pki, f"{layout.pki}/kube-controller-manager.kubeconfig"
    return Component(
        "kube-controller-manager",
        (
            str(binaries.path("kube-controller-manager")),
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={_CONTROLLER_MANAGER_PORT}",
            f"--client-ca-file={pki}/ca.crt",
            f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
            f"--cluster-signing-cert-file={pki}/ca.crt",
            f"--cluster-signing-key-file={pki}/ca.key",
            f"--root-ca-file={pki}/ca.crt",
            f"--service-account-private-key-file={pki}/service-accounts.key",
            f"--cluster-name={layout.name}",
            f"--cluster-cidr={addresses.pods}",
            f"--service-cluster-ip-range={addresses.services}",
            "--allocate-node-cidrs=false",  # the one node's CNI has the whole range
            "--use-service-account-credentials=true",
            "--leader-elect=false",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
            "--profiling=false",
        ),
    )


def scheduler(layout: Layout, binaries: Binaries) -> Component:
    """kube-scheduler."""
    kubeconfig = f"{layout.pki}/kube-scheduler.kubeconfig"
    return Component(
        "kube-scheduler",
        (
            str(binaries.path("kube-scheduler")),
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={_SCHEDULER_PORT}",
            "--leader-elect=false",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
            "--profiling=false",
        ),
    )
