"""What would stand in the way of an installation, found before anything is changed. It reads and asks, nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from kubeop.crypto.keyring import Keyring
from kubeop.crypto.tokens import SigningKeys
from kubeop.domain import images as image_names
from kubeop.errors import ClusterError, KubeopError
from kubeop.kube.client import Client

# What an installation writes: (API group, resource).
_WRITES = (
    ("", "namespaces"),
    ("", "secrets"),
    ("", "configmaps"),
    ("", "services"),
    ("", "serviceaccounts"),
    ("", "resourcequotas"),
    ("", "limitranges"),
    ("apps", "deployments"),
    ("batch", "jobs"),
    ("policy", "poddisruptionbudgets"),
    ("networking.k8s.io", "networkpolicies"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
)
_VERBS = ("create", "patch")
_DATABASES = ("postgresql", "postgresql+psycopg", "postgres")


@dataclass(frozen=True)
class Plan:
    """What is about to be installed. `images` by what they are for; the keys and the URL are looked at, never shown."""

    minimum_version: str = "1.30"
    images: Mapping[str, str] = field(default_factory=dict)
    deploys_manager: bool = False
    db_url: str = field(default="", repr=False)
    kms_master_key: str = field(default="", repr=False)
    jwt_signing_key: str = field(default="", repr=False)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `message` says what was found, or what is wrong and what to do."""

    name: str
    ok: bool
    message: str


def examine(client: Client, plan: Plan) -> list[Check]:
    """Every check, failed or not. Without an API server that answers, what needs one is left out."""
    return list(_cluster(client, plan)) + list(_settings(plan))


def _cluster(client: Client, plan: Plan) -> Iterator[Check]:
    try:
        version = client.version()
    except ClusterError as error:
        yield Check("api", False, str(error))
        return
    yield Check("api", True, "The API server answers.")
    if _numbers(version) < _numbers(plan.minimum_version):
        yield Check(
            "version", False, f"The cluster runs Kubernetes {version}. Upgrade it to {plan.minimum_version} or newer."
        )
    else:
        yield Check("version", True, f"Kubernetes {version}.")
    try:
        denied = _denied(client)
    except ClusterError as error:
        yield Check("permissions", False, str(error))
        return
    if denied:
        yield Check(
            "permissions",
            False,
            f"The kubeconfig's user may not {', '.join(denied)}. Use one that is bound to cluster-admin.",
        )
    else:
        yield Check("permissions", True, "The kubeconfig's user may install the platform.")


def _denied(client: Client) -> list[str]:
    if _allowed(client, "*", "*", "*"):
        return []
    return [
        f"{verb} {resource}"
        for group, resource in _WRITES
        for verb in _VERBS
        if not _allowed(client, verb, group, resource)
    ]


def _allowed(client: Client, verb: str, group: str, resource: str) -> bool:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": verb, "group": group, "resource": resource}},
    }
    answer = client.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=review)
    return bool(answer["status"]["allowed"])


def _settings(plan: Plan) -> Iterator[Check]:
    for purpose, image in plan.images.items():
        yield _parsed(
            f"{purpose} image",
            image,
            image_names.parse,
            f"The {purpose}'s image is not set. Set kubeop_{purpose}_image or KUBEOP_{purpose.upper()}_IMAGE.",
        )
    if not plan.deploys_manager:
        return
    yield _database(plan.db_url)
    missing = "{} is not set. Make one with `kubeop keys generate`."
    yield _parsed("KMS key", plan.kms_master_key, Keyring.parse, missing.format("KUBEOP_KMS_MASTER_KEY"))
    yield _parsed("signing key", plan.jwt_signing_key, SigningKeys.parse, missing.format("KUBEOP_JWT_SIGNING_KEY"))


def _parsed(name: str, text: str, parse: Callable[[str], object], missing: str) -> Check:
    if not text:
        return Check(name, False, missing)
    try:
        parse(text)
    except KubeopError as error:
        return Check(name, False, f"The {name} cannot be used: {error}")
    return Check(name, True, f"The {name} is well-formed.")


def _database(url: str) -> Check:
    if not url:
        return Check("database", False, "KUBEOP_DB_URL is not set. Give the manager a PostgreSQL database.")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _DATABASES and bool(parts.hostname) and len(parts.path) > 1
    except ValueError:
        usable = False
    if not usable:
        hint = "Use postgresql://USER:PASSWORD@HOST:PORT/NAME."
        return Check("database", False, f"KUBEOP_DB_URL is no URL of a PostgreSQL database. {hint}")
    return Check("database", True, "The database's URL is well-formed.")


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)
