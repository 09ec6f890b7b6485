"""X.509 certificates for the platform's own TLS: a certificate authority, servers and clients, all ECDSA P-256.

The extensions are those that RFC 5280 asks for, so that strict verifiers (Go's crypto/x509, OpenSSL with X509_STRICT
as Python 3.13 sets it) accept them. Names are in the subject alternative name; the common name is for people. Start
times lie five minutes back, for clocks that differ. A leaf never outlives its authority. Private keys are PKCS #8
PEM.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kubeop.errors import CryptoError, InputError

CA_DAYS = 3650
LEAF_DAYS = 365
_MAX_DAYS = 36500
_BACKDATE = timedelta(minutes=5)
_COMMON_NAME_MAX = 64  # characters, by X.520


@dataclass(frozen=True)
class Certificate:
    """PEM texts: the certificate, its private key (kept out of `repr`), and the authority that vouches for it.

    For an authority, `ca_pem` is its own certificate.
    """

    cert_pem: bytes
    key_pem: bytes = field(repr=False)
    ca_pem: bytes


@dataclass(frozen=True)
class KeyPair:
    """An ECDSA P-256 key pair without a certificate, in PEM; for the signing of service account tokens."""

    private_pem: bytes = field(repr=False)
    public_pem: bytes


def issue_key_pair() -> KeyPair:
    """A new key pair."""
    key = _new_key()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(_key_pem(key), public)


def issue_ca(common_name: str, days: int = CA_DAYS) -> Certificate:
    """A new self-signed authority that may sign leaves and no further authorities."""
    key = _new_key()
    now = datetime.now(UTC)
    name = _name(common_name)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(name, name, key.public_key(), now, now + _lifetime(days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    return Certificate(pem, _key_pem(key), pem)


def issue_server(
    ca: Certificate,
    dns_names: Sequence[str],
    ip_addresses: Sequence[str] = (),
    days: int = LEAF_DAYS,
    *,
    common_name: str = "",
    client: bool = False,
) -> Certificate:
    """A server's certificate for these names and addresses.

    `common_name` is the first name unless given; `client` makes it good for connecting to peers too (etcd).
    Raises InputError for a name or address that cannot be one, CryptoError for an authority that cannot sign.
    """
    names = _alternative_names(dns_names, ip_addresses)
    # A first name that is longer than a common name may be is left out: verifiers read the alternative names only.
    first = next((name for name in (*dns_names, *ip_addresses) if len(name) <= _COMMON_NAME_MAX), "kubeop")
    usages = [ExtendedKeyUsageOID.SERVER_AUTH] + ([ExtendedKeyUsageOID.CLIENT_AUTH] if client else [])
    return _issue_leaf(ca, _name(common_name or first), names, usages, days)


def issue_client(
    ca: Certificate, common_name: str, organizations: Sequence[str] = (), days: int = LEAF_DAYS
) -> Certificate:
    """A client's certificate. Kubernetes reads the common name as the user and the organizations as groups."""
    return _issue_leaf(ca, _name(common_name, organizations), None, [ExtendedKeyUsageOID.CLIENT_AUTH], days)


def expires_at(pem: bytes | str) -> datetime:
    """When the first certificate of a PEM text ends, in UTC. Raises CryptoError for what is no certificate."""
    return _load(pem).not_valid_after_utc


def first(pem: bytes | str) -> bytes:
    """The first certificate of a PEM text, as PEM of its own. Raises CryptoError for what is no certificate."""
    return _load(pem).public_bytes(serialization.Encoding.PEM)


def needs_renewal(
    pem: bytes | str,
    ca_pem: bytes | str,
    dns_names: Sequence[str],
    ip_addresses: Sequence[str] = (),
    *,
    key_pem: bytes | str | None = None,
    fraction: float = 1 / 3,
    now: datetime | None = None,
) -> bool:
    """Whether a certificate has to be issued anew: `renewal_reason` has one.

    For an authority itself, give its own PEM twice and no names.
    """
    return bool(renewal_reason(pem, ca_pem, dns_names, ip_addresses, key_pem=key_pem, fraction=fraction, now=now))


def renewal_reason(
    pem: bytes | str,
    ca_pem: bytes | str,
    dns_names: Sequence[str],
    ip_addresses: Sequence[str] = (),
    *,
    key_pem: bytes | str | None = None,
    fraction: float = 1 / 3,
    before: timedelta | None = None,
    now: datetime | None = None,
) -> str:
    """Why a certificate has to be issued anew, as the end of a sentence; empty while it is good.

    It has when less than `before`, or else `fraction` of its lifetime, is left, when its names and addresses are not
    exactly these, when another authority signed it, when `key_pem` (if given) is not its key, and when it cannot be
    read at all.
    """
    try:
        certificate, ca = _load(pem), _load(ca_pem)
        own = key_pem is None or _load_key(key_pem).public_key() == certificate.public_key()
    except CryptoError:
        return "it cannot be read"
    if not own:
        return "its key is another"
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return "another authority signed it"
    if before is None:
        before = (certificate.not_valid_after_utc - certificate.not_valid_before_utc) * fraction
    if certificate.not_valid_after_utc - (now or datetime.now(UTC)) < before:
        return f"it ends at {certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"
    if _names_of(certificate) != set(_alternative_names(dns_names, ip_addresses, empty=True) or ()):
        return "its names are others"
    return ""


def _issue_leaf(
    ca: Certificate,
    subject: x509.Name,
    names: x509.SubjectAlternativeName | None,
    usages: Sequence[x509.ObjectIdentifier],
    days: int,
) -> Certificate:
    authority, authority_key = _load(ca.cert_pem), _load_key(ca.key_pem)
    _check_authority(authority, authority_key)
    now = datetime.now(UTC)
    end = min(now + _lifetime(days), authority.not_valid_after_utc)
    if end <= now:
        raise CryptoError(
            f"The certificate authority expired at {authority.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}.",
            hint="Issue a new authority first.",
        )
    key = _new_key()
    authority_id = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder(subject, authority.subject, key.public_key(), now, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_id), critical=False)
    )
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    certificate = builder.sign(authority_key, hashes.SHA256())
    return Certificate(certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key), ca.cert_pem)


def _check_authority(authority: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    if key.public_key() != authority.public_key():
        raise CryptoError(
            "The key is not that of the certificate authority.", hint="Give the two that were issued together."
        )
    try:
        may_sign = authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        may_sign = False
    if not may_sign:
        raise CryptoError(
            "The certificate is none of an authority that may sign.",
            hint="Give one with the extensions basicConstraints CA:TRUE and subjectKeyIdentifier.",
        )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(end)
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative_names(
    dns_names: Sequence[str], ip_addresses: Sequence[str], *, empty: bool = False
) -> x509.SubjectAlternativeName:
    names: list[x509.GeneralName] = []
    for name in dns_names:
        if not name or not name.isascii() or any(letter.isspace() for letter in name) or len(name) > 253:
            raise InputError(f"{name!r} is not a DNS name.", hint="Use ASCII letters, digits, '-' and '.'.")
        names.append(x509.DNSName(name))
    for address in ip_addresses:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(address)))
        except ValueError:
            raise InputError(f"{address!r} is not an IP address.", hint="Use an address such as 10.0.0.1.") from None
    if not names and not empty:
        raise InputError("A server certificate needs a name or an address.", hint="Give at least one DNS name.")
    return x509.SubjectAlternativeName(names)


def _names_of(certificate: x509.Certificate) -> set[x509.GeneralName]:
    try:
        return set(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return set()


def _name(common_name: str, organizations: Sequence[str] = ()) -> x509.Name:
    if not 0 < len(common_name) <= _COMMON_NAME_MAX:
        raise InputError(
            f"{common_name!r} cannot be a certificate's common name.", hint=f"Use 1 to {_COMMON_NAME_MAX} characters."
        )
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in organizations]
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _lifetime(days: int) -> timedelta:
    if not 0 < days <= _MAX_DAYS:
        raise InputError(f"A certificate cannot be valid for {days} days.", hint=f"Use 1 to {_MAX_DAYS} days.")
    return timedelta(days=days)


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load(pem: bytes | str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem.encode() if isinstance(pem, str) else pem)
    except ValueError:
        raise CryptoError("A certificate is not readable PEM.", hint="Issue it anew.") from None


def _load_key(pem: bytes | str) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem.encode() if isinstance(pem, str) else pem, password=None)
    except (ValueError, TypeError):
        # `from None`: the exception of the loader could carry parts of the key.
        raise CryptoError("A private key is not readable PEM.", hint="Issue the certificate anew.") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CryptoError("A private key is not an elliptic curve key.", hint="Issue the certificate anew.")
    return key
