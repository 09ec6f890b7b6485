"""The cluster's certificates and kubeconfigs, made once and kept as long as the cluster.

Three authorities that trust nothing of each other: the cluster's own (API server, kubelet, every client), the
aggregation layer's front proxy, and etcd's, so that no client certificate of the cluster opens the database under it.
"""

from __future__ import annotations

import base64

import yaml

from kubeop.crypto.certificates import CA_DAYS, Certificate, issue_ca, issue_client, issue_key_pair, issue_server
from kubeop.devcluster.layout import API_PORT, CLUSTER_DOMAIN, Addresses, Layout, give_to_invoking_user

DAYS = CA_DAYS  # a certificate lives and dies with its cluster
KUBELET_CLIENT = "kube-apiserver-kubelet-client"
COMPONENTS = ("kube-controller-manager", "kube-scheduler", "kube-proxy")
_LOOPBACK = "127.0.0.1"


def write(layout: Layout, addresses: Addresses) -> None:
    """Make every certificate, key and kubeconfig of the cluster; nothing happens if they are there."""
    done = layout.pki / "complete"
    if done.exists():
        return
    layout.pki.mkdir(mode=0o700, exist_ok=True)
    ca, proxy_ca, etcd_ca = (issue_ca(name, DAYS) for name in ("kubernetes", "front-proxy", "etcd"))
    node, name = addresses.node, layout.name
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{CLUSTER_DOMAIN}"]
    administrator = issue_client(ca, "kubernetes-admin", ("system:masters",), DAYS)
    for file, certificate in {
        "ca": ca,
        "front-proxy-ca": proxy_ca,
        "etcd-ca": etcd_ca,
        "apiserver": issue_server(ca, [*names, "localhost"], [node, addresses.api_service, _LOOPBACK], DAYS),
        "apiserver-kubelet-client": issue_client(ca, KUBELET_CLIENT, (), DAYS),
        "front-proxy-client": issue_client(proxy_ca, "front-proxy-client", (), DAYS),
        "etcd-server": issue_server(etcd_ca, ["localhost"], [_LOOPBACK], DAYS, client=True),  # etcd dials itself, too
        "etcd-client": issue_client(etcd_ca, "kube-apiserver", (), DAYS),
        "kubelet": issue_server(ca, [name], [node, _LOOPBACK], DAYS),
    }.items():
        (layout.pki / f"{file}.crt").write_bytes(certificate.cert_pem)
        _secret(layout, f"pki/{file}.key", certificate.key_pem)
    service_accounts = issue_key_pair()
    _secret(layout, "pki/service-accounts.key", service_accounts.private_pem)
    (layout.pki / "service-accounts.pub").write_bytes(service_accounts.public_pem)
    for component in COMPONENTS:
        certificate = issue_client(ca, f"system:{component}", (), DAYS)
        _secret(layout, f"pki/{component}.kubeconfig", kubeconfig(layout, addresses, certificate))
    certificate = issue_client(ca, f"system:node:{name}", ("system:nodes",), DAYS)
    _secret(layout, "pki/kubelet.kubeconfig", kubeconfig(layout, addresses, certificate))
    _secret(layout, layout.kubeconfig.name, kubeconfig(layout, addresses, administrator))
    give_to_invoking_user(layout.kubeconfig)
    done.touch()


def kubeconfig(layout: Layout, addresses: Addresses, certificate: Certificate) -> bytes:
    """A kubeconfig that holds its certificates, so that it works wherever it is copied to."""

    def text(data: bytes) -> str:
        return base64.b64encode(data).decode()

    name = layout.name
    cluster = {
        "server": f"https://{addresses.node}:{API_PORT}",
        "certificate-authority-data": text(certificate.ca_pem),
    }
    user = {
        "client-certificate-data": text(certificate.cert_pem),
        "client-key-data": text(certificate.key_pem),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return yaml.safe_dump(document, sort_keys=False).encode()


def _secret(layout: Layout, name: str, content: bytes) -> None:
    path = layout.root / name
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(content)
