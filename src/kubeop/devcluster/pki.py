"""The cluster's certificates and kubeconfigs, made once and kept as long as the cluster.

Three authorities that trust nothing of each other: the cluster's own (API server, kubelet, every client), the
aggregation layer's front proxy, and etcd's, so that no client certificate of the cluster opens the database under it.
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kubeop.devcluster.layout import API_PORT, CLUSTER_DOMAIN, Addresses, Layout, give_to_invoking_user

DAYS = 3650  # a certificate lives and dies with its cluster
KUBELET_CLIENT = "kube-apiserver-kubelet-client"

# component -> (common name, organizations) of the client certificate in its kubeconfig.
CLIENTS = {
    "kube-controller-manager": ("system:kube-controller-manager", ()),
    "kube-scheduler": ("system:kube-scheduler", ()),
    "kube-proxy": ("system:kube-proxy", ()),
}


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


def write(layout: Layout, addresses: Addresses) -> None:
    """Make every certificate, key and kubeconfig of the cluster; nothing happens if they are there."""
    done = layout.pki / "complete"
    if done.exists():
        return
    layout.pki.mkdir(mode=0o700, exist_ok=True)
    ca, proxy_ca, etcd_ca = (authority(name) for name in ("kubernetes", "front-proxy", "etcd"))
    for name, pair in (("ca", ca), ("front-proxy-ca", proxy_ca), ("etcd-ca", etcd_ca)):
        _store(layout, name, pair)
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{CLUSTER_DOMAIN}"]
    _store(layout, "apiserver", server(ca, "kube-apiserver", [*names, "localhost"],
                                       [addresses.node, addresses.api_service, "127.0.0.1"]))  # fmt: skip
    _store(layout, "apiserver-kubelet-client", client(ca, KUBELET_CLIENT))
    _store(layout, "front-proxy-client", client(proxy_ca, "front-proxy-client"))
    _store(layout, "etcd-server", server(etcd_ca, "etcd", ["localhost"], ["127.0.0.1"]))
    _store(layout, "etcd-client", client(etcd_ca, "kube-apiserver"))
    _store(layout, "kubelet", server(ca, layout.name, [layout.name], [addresses.node, "127.0.0.1"]))
    service_accounts = ec.generate_private_key(ec.SECP256R1())
    _secret(layout.pki / "service-accounts.key", _key_pem(service_accounts))
    public = service_accounts.public_key()
    (layout.pki / "service-accounts.pub").write_bytes(
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    for component, (common_name, organizations) in CLIENTS.items():
        pair = client(ca, common_name, organizations)
        _secret(layout.pki / f"{component}.kubeconfig", kubeconfig(layout, addresses, ca, pair))
    node = client(ca, f"system:node:{layout.name}", ("system:nodes",))
    _secret(layout.pki / "kubelet.kubeconfig", kubeconfig(layout, addresses, ca, node))
    administrator = client(ca, "kubernetes-admin", ("system:masters",))
    _store(layout, "admin", administrator)
    _secret(layout.kubeconfig, kubeconfig(layout, addresses, ca, administrator))
    give_to_invoking_user(layout.kubeconfig)
    done.touch()


def kubeconfig(layout: Layout, addresses: Addresses, ca: Pair, pair: Pair) -> bytes:
    """A kubeconfig that holds its certificates, so that it works wherever it is copied to."""

    def text(data: bytes) -> str:
        return base64.b64encode(data).decode()

    name = layout.name
    server_url = f"https://{addresses.node}:{API_PORT}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": {"server": server_url, "certificate-authority-data": text(ca.certificate)}}
        ],
        "users": [
            {
                "name": name,
                "user": {"client-certificate-data": text(pair.certificate), "client-key-data": text(pair.key)},
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return yaml.safe_dump(document, sort_keys=False).encode()


def authority(common_name: str) -> Pair:
    """A new certificate authority."""
    return _issue(None, common_name, (), [x509.BasicConstraints(ca=True, path_length=0)])


def server(ca: Pair, common_name: str, dns_names: Sequence[str], ip_addresses: Sequence[str]) -> Pair:
    """A certificate for a server, and for the same as a client (etcd's gateway speaks to itself)."""
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in dns_names]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in ip_addresses]
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    return _issue(ca, common_name, (), [usage, x509.SubjectAlternativeName(names)])


def client(ca: Pair, common_name: str, organizations: Sequence[str] = ()) -> Pair:
    """A client certificate: Kubernetes takes the common name as the user and the organizations as its groups."""
    return _issue(ca, common_name, organizations, [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])])


def _issue(
    ca: Pair | None, common_name: str, organizations: Sequence[str], extensions: Sequence[x509.ExtensionType]
) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations]
    subject = x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    issuer, issuer_key = subject, key
    if ca is not None:
        issuer = x509.load_pem_x509_certificate(ca.certificate).subject
        loaded = serialization.load_pem_private_key(ca.key, None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)  # noqa: S101 - made by this function
        issuer_key = loaded
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(_key_usage(authority=ca is None), critical=True)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    certificate = builder.sign(issuer_key, hashes.SHA256())
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key))


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=authority, crl_sign=authority, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _store(layout: Layout, name: str, pair: Pair) -> None:
    (layout.pki / f"{name}.crt").write_bytes(pair.certificate)
    _secret(layout.pki / f"{name}.key", pair.key)


def _secret(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(content)
