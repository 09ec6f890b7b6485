"""Certificates: strict verifiers accept them in a real TLS handshake, and it is known when one has to be renewed."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from kubeop.crypto.certificates import (
    Certificate,
    expires_at,
    first,
    issue_ca,
    issue_client,
    issue_key_pair,
    issue_server,
    needs_renewal,
    renewal_reason,
)
from kubeop.errors import CryptoError, InputError

NAMES = ("kubeop-admission.kubeop-system.svc", "localhost")
CA = issue_ca("kubeop test")
SERVER = issue_server(CA, NAMES, ["127.0.0.1", "::1"])
CLIENT = issue_client(CA, "system:node:one", ["system:nodes", "extra"])


def load(certificate: Certificate) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificate.cert_pem)


def extension(certificate: Certificate, kind: type[x509.ExtensionType]) -> x509.Extension[x509.ExtensionType]:
    return load(certificate).extensions.get_extension_for_class(kind)


def context(purpose: ssl.Purpose, folder: Path, certificate: Certificate | None, ca: Certificate) -> ssl.SSLContext:
    made = ssl.create_default_context(purpose, cadata=ca.cert_pem.decode())
    made.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    if certificate:
        path = folder / f"{purpose.name}.pem"
        path.write_bytes(certificate.cert_pem + certificate.key_pem)
        made.load_cert_chain(path)
    return made


def handshake(folder: Path, server: Certificate, client: Certificate | None, name: str, ca: Certificate = CA) -> str:
    """Shake hands in memory, both sides strict; the subject that the server saw."""
    server_side = context(ssl.Purpose.CLIENT_AUTH, folder, server, CA)
    server_side.verify_mode = ssl.CERT_REQUIRED if client else ssl.CERT_NONE
    client_side = context(ssl.Purpose.SERVER_AUTH, folder, client, ca)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client_side.wrap_bio(to_client, to_server, server_hostname=name),
        server_side.wrap_bio(to_server, to_client, server_side=True),
    )
    unfinished = set(ends)
    for _ in range(10):
        for end in tuple(unfinished):
            try:
                end.do_handshake()
                unfinished.discard(end)
            except ssl.SSLWantReadError:
                pass
    assert not unfinished
    return str((ends[1].getpeercert() or {}).get("subject"))


@pytest.mark.parametrize("name", [*NAMES, "127.0.0.1", "::1"])
def test_a_strict_client_accepts_the_server(tmp_path: Path, name: str) -> None:
    assert handshake(tmp_path, SERVER, None, name) == "None"


def test_a_strict_server_accepts_the_client_and_sees_its_names(tmp_path: Path) -> None:
    seen = handshake(tmp_path, SERVER, CLIENT, "localhost")
    assert "system:node:one" in seen
    assert "system:nodes" in seen
    assert "extra" in seen


@pytest.mark.parametrize(
    ("server", "client", "name", "ca"),
    [
        (SERVER, None, "elsewhere.example", CA),
        (SERVER, None, "localhost", issue_ca("kubeop test")),  # same name, another key
        (CLIENT, None, "localhost", CA),  # a client's certificate is not a server's
        (SERVER, SERVER, "localhost", CA),  # nor the other way round
    ],
)
def test_a_wrong_certificate_is_refused(
    tmp_path: Path, server: Certificate, client: Certificate | None, name: str, ca: Certificate
) -> None:
    with pytest.raises(ssl.SSLError):
        handshake(tmp_path, server, client, name, ca)


def test_a_peer_certificate_serves_both_ways(tmp_path: Path) -> None:
    peer = issue_server(CA, ["localhost"], client=True, common_name="etcd")
    assert "etcd" in handshake(tmp_path, peer, peer, "localhost")


def test_an_authority_signs_leaves_only() -> None:
    constraints = extension(CA, x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    usage = extension(CA, x509.KeyUsage)
    assert (usage.critical, usage.value.key_cert_sign, usage.value.digital_signature) == (True, True, False)
    assert load(CA).subject == load(CA).issuer
    assert CA.ca_pem == CA.cert_pem


@pytest.mark.parametrize(
    ("leaf", "purposes"),
    [(SERVER, [ExtendedKeyUsageOID.SERVER_AUTH]), (CLIENT, [ExtendedKeyUsageOID.CLIENT_AUTH])],
)
def test_a_leaf_says_what_it_is_for(leaf: Certificate, purposes: list[x509.ObjectIdentifier]) -> None:
    constraints, usage = extension(leaf, x509.BasicConstraints), extension(leaf, x509.KeyUsage)
    assert (constraints.critical, constraints.value.ca) == (True, False)
    assert (usage.critical, usage.value.digital_signature, usage.value.key_cert_sign) == (True, True, False)
    assert list(extension(leaf, x509.ExtendedKeyUsage).value) == purposes
    authority = extension(leaf, x509.AuthorityKeyIdentifier).value.key_identifier
    assert authority == extension(CA, x509.SubjectKeyIdentifier).value.digest
    assert leaf.ca_pem == CA.cert_pem
    load(leaf).verify_directly_issued_by(load(CA))


def test_names_and_addresses_are_in_the_alternative_names() -> None:
    names = extension(SERVER, x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == list(NAMES)
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("127.0.0.1"), ip_address("::1")]


def test_a_name_too_long_for_the_subject_is_still_a_name(tmp_path: Path) -> None:
    long = "a" * 60 + ".kubeop-system.svc"
    assert handshake(tmp_path, issue_server(CA, [long]), None, long) == "None"


def test_keys_are_p256_in_pkcs8_and_stay_out_of_repr() -> None:
    for certificate in (CA, SERVER, CLIENT):
        assert certificate.key_pem.startswith(b"-----BEGIN PRIVATE KEY-----\n")
        key = serialization.load_pem_private_key(certificate.key_pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        assert key.curve.name == "secp256r1"
        assert "PRIVATE" not in repr(certificate)
    pair = issue_key_pair()
    private = serialization.load_pem_private_key(pair.private_pem, None)
    assert private.public_key() == serialization.load_pem_public_key(pair.public_pem)
    assert "PRIVATE" not in repr(pair)


def test_a_leaf_never_outlives_its_authority() -> None:
    brief = issue_ca("brief", days=2)
    assert expires_at(issue_server(brief, ["a"], days=300).cert_pem) == expires_at(brief.cert_pem)
    assert expires_at(CLIENT.cert_pem) < expires_at(CA.cert_pem)
    assert expires_at(CLIENT.cert_pem.decode()).utcoffset() == timedelta(0)


def test_an_expired_authority_signs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from kubeop.crypto import certificates

    brief = issue_ca("brief", days=1)

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(UTC) + timedelta(days=2)

    monkeypatch.setattr(certificates, "datetime", Later)
    with pytest.raises(CryptoError, match=r"The certificate authority expired at \d{4}-"):
        issue_server(brief, ["a"])


def renewal(**changed: object) -> bool:
    arguments: dict[str, object] = {
        "pem": SERVER.cert_pem, "ca_pem": CA.cert_pem, "dns_names": NAMES, "ip_addresses": ("127.0.0.1", "::1"),
        "key_pem": SERVER.key_pem,
    }  # fmt: skip
    return needs_renewal(**(arguments | changed))  # type: ignore[arg-type]


def test_a_good_certificate_needs_no_renewal() -> None:
    assert not renewal()
    assert not renewal(dns_names=NAMES[::-1], pem=SERVER.cert_pem.decode())
    assert not needs_renewal(CA.cert_pem, CA.cert_pem, (), key_pem=CA.key_pem)
    assert not needs_renewal(CLIENT.cert_pem, CA.cert_pem, ())


@pytest.mark.parametrize(
    "changed",
    [
        {"dns_names": NAMES[:1]},
        {"dns_names": (*NAMES, "more")},
        {"ip_addresses": ()},
        {"ip_addresses": ("127.0.0.1", "::2")},
        {"ca_pem": issue_ca("kubeop test").cert_pem},
        {"ca_pem": issue_ca("another").cert_pem},
        {"key_pem": CLIENT.key_pem},
        {"key_pem": b"junk"},
        {"pem": b""},
        {"pem": SERVER.cert_pem[:200]},
        {"pem": "ключ"},
        {"ca_pem": b"junk"},
        {"now": expires_at(SERVER.cert_pem)},
        {"now": expires_at(SERVER.cert_pem) - timedelta(days=121)},
    ],
)
def test_what_has_to_be_renewed(changed: dict[str, object]) -> None:
    assert renewal(**changed)


def test_renewal_starts_at_the_given_part_of_the_lifetime() -> None:
    assert not renewal(now=expires_at(SERVER.cert_pem) - timedelta(days=123))
    assert not renewal(now=expires_at(SERVER.cert_pem) - timedelta(days=37), fraction=0.1)
    assert renewal(now=expires_at(SERVER.cert_pem) - timedelta(days=36), fraction=0.1)


def test_bad_input_is_said() -> None:
    for names in (["a b"], [""], ["ünicode.example"], ["x" * 254], []):
        with pytest.raises(InputError):
            issue_server(CA, names)
    with pytest.raises(InputError, match=r"'10\.0\.0\.0/8' is not an IP address"):
        issue_server(CA, ["a"], ["10.0.0.0/8"])
    for common_name in ("", "x" * 65):
        with pytest.raises(InputError, match="common name"):
            issue_client(CA, common_name)
    for days in (0, 36501):
        with pytest.raises(InputError, match=f"valid for {days} days"):
            issue_ca("a", days)
    with pytest.raises(CryptoError, match="not readable PEM"):
        expires_at(b"junk")


def test_an_authority_that_cannot_sign_is_said_without_its_key() -> None:
    rsa_key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for key, complaint in ((b"hunter2", "not readable PEM"), (rsa_key, "not an elliptic curve key")):
        with pytest.raises(CryptoError, match=complaint) as caught:
            issue_server(Certificate(CA.cert_pem, key, CA.cert_pem), ["a"])
        assert "hunter2" not in str(caught.value)


def test_renewal_can_start_a_time_before_the_end_and_says_why() -> None:
    def reason(days_left: int, pem: bytes = SERVER.cert_pem) -> str:
        now = expires_at(SERVER.cert_pem) - timedelta(days=days_left)
        return renewal_reason(pem, CA.cert_pem, NAMES, ["127.0.0.1", "::1"], before=timedelta(days=30), now=now)

    assert reason(31) == ""
    assert reason(29) == f"it ends at {expires_at(SERVER.cert_pem):%Y-%m-%dT%H:%M:%SZ}"
    assert reason(31, b"no certificate") == "it cannot be read"


def test_the_first_certificate_of_a_bundle_is_cut_out() -> None:
    assert first(b"a comment\n" + CA.cert_pem + SERVER.cert_pem) == CA.cert_pem
    with pytest.raises(CryptoError):
        first(b"")


@pytest.mark.parametrize(
    ("authority", "told"),
    [
        (Certificate(CA.cert_pem, SERVER.key_pem, CA.cert_pem), "not that of the certificate authority"),
        (SERVER, "none of an authority"),
    ],
)
def test_what_is_no_authority_signs_nothing(authority: Certificate, told: str) -> None:
    with pytest.raises(CryptoError, match=told):
        issue_server(authority, NAMES)
