"""The serving certificate of an admission webhook: kept while it is good, else issued anew and trusted first.

The bootstrapper does so for the platform's own webhook, the Ansible module webhook_certificate for any. Without an
authority of the caller's one is made for each certificate and its key thrown away. The authority before stays in the
bundle, for pods that still serve with the old certificate while they are replaced.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from kubeop import names
from kubeop.crypto import certificates
from kubeop.crypto.certificates import Certificate
from kubeop.errors import ApiError, ApplyFailed, CryptoError, InputError
from kubeop.kube.apply import ApplyResult, Change, apply
from kubeop.kube.client import Client, Object
from kubeop.manifests.common import tls_secret

WEBHOOK_API = "admissionregistration.k8s.io/v1"
VALIDATING = "ValidatingWebhookConfiguration"
MUTATING = "MutatingWebhookConfiguration"
WEBHOOK_KINDS = (MUTATING, VALIDATING)


@dataclass(frozen=True)
class Serving:
    """What is wanted in a Secret. Renewed when less than `renew_before`, or else a third of its life, is left.

    `authority`: whose key signs; None makes one, called `authority_name`.
    """

    namespace: str
    secret: str
    dns_names: tuple[str, ...]
    ip_addresses: tuple[str, ...] = ()
    days: int = certificates.LEAF_DAYS
    renew_before: timedelta | None = None
    authority: Certificate | None = None
    authority_name: str = "kubeop webhook authority"

    @classmethod
    def of_service(
        cls,
        namespace: str,
        secret: str,
        *,
        service: str,
        dns_names: Sequence[str] = (),
        ip_addresses: Sequence[str] = (),
        days: int = certificates.LEAF_DAYS,
        renew_before_days: int,
        ca_certificate: str | None = None,
        ca_private_key: str | None = None,
    ) -> Serving:
        """From the plain values of a command or module: a Service's own names, and others. Raises CryptoError."""
        if renew_before_days < 0:
            raise InputError(f"A certificate cannot be renewed {renew_before_days} days before its end.", hint="Use 0.")
        own = (f"{service}.{namespace}.svc", f"{service}.{namespace}.svc.cluster.local") if service else ()
        authority = None
        if ca_certificate:
            pem = certificates.first(ca_certificate)
            authority = Certificate(pem, (ca_private_key or "").encode(), pem)
        return cls(
            namespace=namespace,
            secret=secret,
            dns_names=(*own, *dns_names),
            ip_addresses=tuple(ip_addresses),
            days=days,
            renew_before=timedelta(days=renew_before_days),
            authority=authority,
        )

    def reason(self, tls: Certificate) -> str:
        """Why this certificate has to be issued anew; empty while it is good."""
        trusted = self.authority.cert_pem if self.authority else tls.ca_pem
        return certificates.renewal_reason(
            tls.cert_pem,
            trusted,
            self.dns_names,
            self.ip_addresses,
            key_pem=tls.key_pem,
            before=self.renew_before,
        )


@dataclass(frozen=True)
class Choice:
    """The certificate to serve with; `ca_pem` is the bundle to trust. `reason`: why it is new, empty if it is not."""

    tls: Certificate
    reason: str = ""

    @property
    def expires_at(self) -> str:
        """When the certificate ends."""
        return f"{certificates.expires_at(self.tls.cert_pem):%Y-%m-%dT%H:%M:%SZ}"

    @property
    def ca_bundle(self) -> str:
        """The bundle in base64, as `clientConfig.caBundle` takes it."""
        return base64.b64encode(self.tls.ca_pem).decode()


@dataclass(frozen=True)
class Ensured:
    """What was changed, and what is served with now (in a dry run: would be)."""

    applied: ApplyResult
    choice: Choice


def choose(client: Client, wanted: Serving) -> Choice:
    """The certificate in the cluster's Secret while it is good, else a new one. Raises InputError, CryptoError."""
    present = _present(client, wanted)
    reason = "there is none" if present is None else wanted.reason(present)
    if present is not None and not reason:
        return Choice(replace(present, ca_pem=_bundle(wanted.authority, present)))
    authority = wanted.authority or certificates.issue_ca(wanted.authority_name, wanted.days)
    fresh = certificates.issue_server(authority, wanted.dns_names, wanted.ip_addresses, wanted.days)
    again = wanted.reason(fresh)
    if again:
        where = f"Secret {wanted.namespace}/{wanted.secret}"
        raise InputError(
            f"A new certificate for {where} would have to be renewed at once: {again}.",
            hint="Give an authority that lasts longer, more days, or a shorter time before the end.",
        )
    return Choice(replace(fresh, ca_pem=_bundle(authority, present)), reason)


def ensure(
    client: Client,
    wanted: Serving,
    webhooks: Mapping[str, Sequence[str]],
    *,
    field_manager: str,
    force: bool = False,
    dry_run: bool = False,
) -> Ensured:
    """Bring the Secret and the bundle of these configurations (names by kind) to what is wanted; twice changes nothing.

    Raises InputError, CryptoError, ApplyFailed, and ApiError 404 for a configuration that is not there.
    """
    choice = choose(client, wanted)
    trusting = [_trusting(client, kind, name, choice.ca_bundle) for kind in webhooks for name in webhooks[kind]]
    meta = {
        "name": wanted.secret,
        "namespace": wanted.namespace,
        "labels": {names.LABEL_MANAGED_BY: names.PLATFORM},
    }
    tls = choice.tls
    secret = tls_secret(meta, cert_pem=tls.cert_pem, key_pem=tls.key_pem, ca_pem=tls.ca_pem)
    before: tuple[Change, ...] = ()
    if trusting:
        done = apply(client, trusting, field_manager=names.FIELD_MANAGER_CERTIFICATES, force=force, dry_run=dry_run)
        before = tuple(_readable(change) for change in done.changes)
    try:
        applied = apply(client, [secret], field_manager=field_manager, force=force, dry_run=dry_run)
    except ApplyFailed as error:
        if isinstance(error.result, ApplyResult):
            error.result = ApplyResult((*before, *error.result.changes), dry_run)
        raise
    return Ensured(ApplyResult((*before, *applied.changes), dry_run), choice)


def _present(client: Client, wanted: Serving) -> Certificate | None:
    """What the cluster's Secret holds."""
    secret = client.get("v1", "Secret", wanted.secret, wanted.namespace)
    if secret is None:
        return None
    data: Mapping[str, str] = secret.get("data") or {}
    try:
        cert, key, bundle = (base64.b64decode(data.get(name, "")) for name in ("tls.crt", "tls.key", "ca.crt"))
    except ValueError:
        return Certificate(b"", b"", b"")
    return Certificate(cert, key, bundle)


def _bundle(authority: Certificate | None, present: Certificate | None) -> bytes:
    """The authority first, then the one that was first before."""
    old = present.ca_pem if present else b""
    if authority is None:
        return old
    new = certificates.first(authority.cert_pem)
    try:
        first = certificates.first(old)
    except CryptoError:
        return new
    return old if first == new else new + first


def _trusting(client: Client, kind: str, name: str, bundle: str) -> Object:
    """The part of a configuration that is ours: every webhook's bundle."""
    found = client.get(WEBHOOK_API, kind, name)
    if found is None:
        raise ApiError(
            f"There is no {kind} {name}.", status=404, reason="NotFound", hint="Apply it first, without a caBundle."
        )
    hooks = [{"name": hook["name"], "clientConfig": {"caBundle": bundle}} for hook in found.get("webhooks") or []]
    return {"apiVersion": WEBHOOK_API, "kind": kind, "metadata": {"name": name}, "webhooks": hooks}


def _readable(change: Change) -> Change:
    """A change of bundles in words: a check and the run after it say the same, though each has made a certificate."""
    if change.before is None or change.after is None:
        return change
    old = {hook["name"]: hook["clientConfig"].get("caBundle", "") for hook in change.before.get("webhooks") or []}
    return replace(change, before=_in_words(change.before, {}), after=_in_words(change.after, old))


def _in_words(side: Mapping[str, Any], old: Mapping[str, str]) -> dict[str, Any]:
    hooks = []
    for hook in side.get("webhooks") or []:
        bundle = hook["clientConfig"].get("caBundle", "")
        count = base64.b64decode(bundle).count(b"BEGIN CERTIFICATE")
        words = f"{count} certificate{'' if count == 1 else 's'}"
        words += ", changed" if old and old.get(hook["name"]) != bundle else ""
        hooks.append({**hook, "clientConfig": {**hook["clientConfig"], "caBundle": f"({words})"}})
    return {**side, "webhooks": hooks}
