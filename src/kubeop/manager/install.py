"""The manager into a cluster: its Secret, then its migrations, then the Deployment, each waited for.

The database is migrated before the Deployment changes, so that an old manager never meets a schema that it refuses
while the new one cannot start. Running it again after a failure finishes the work.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from kubeop import names
from kubeop.domain import images
from kubeop.errors import InputError, WaitError
from kubeop.kube.address import service_url
from kubeop.kube.apply import ApplyResult, Change, apply
from kubeop.kube.client import Client, Object
from kubeop.kube.wait import wait_ready
from kubeop.manifests.common import IMAGE_ANNOTATION, platform_namespace
from kubeop.manifests.manager import env_secret, manager, migrations_job

_NEEDED = ("KUBEOP_DB_URL", "KUBEOP_KMS_MASTER_KEY", "KUBEOP_JWT_SIGNING_KEY")
_DATABASE_ANNOTATION = "kubeop.io/database-checksum"
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Installation:
    """What is to run. `environment` is all of the manager's settings, secrets among them; it goes into the Secret."""

    image: str
    pull_policy: str = "IfNotPresent"
    replicas: int = 2
    service_type: str = "ClusterIP"
    node_port: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        missing = [name for name in _NEEDED if not self.environment.get(name)]
        if missing:
            raise InputError(f"The manager's environment lacks {', '.join(missing)}.", hint="Give it a value.")
        images.parse(self.image)

    @property
    def version(self) -> str:
        """The version, for labels: the image's tag."""
        return images.parse(self.image).tag

    def checksum(self, *variables: str) -> str:
        """A text that changes with these settings (all of them without a name) and tells nothing of them."""
        chosen = {name: self.environment.get(name, "") for name in variables or self.environment}
        key = self.environment["KUBEOP_KMS_MASTER_KEY"].encode()
        return hmac.new(key, json.dumps(chosen, sort_keys=True).encode(), hashlib.sha256).hexdigest()[:32]


@dataclass(frozen=True)
class Installed:
    """What was changed, and where the API answers as far as the cluster knows."""

    applied: ApplyResult
    url: str


def install(client: Client, wanted: Installation, *, dry_run: bool = False, timeout_seconds: float = 300) -> Installed:
    """Bring the manager to what is wanted and wait for it; a second call changes nothing.

    `timeout_seconds` is for the migrations and again for the Deployment. Raises WaitError that says why one failed.
    """
    rest = manager(
        image=wanted.image,
        pull_policy=wanted.pull_policy,
        version=wanted.version,
        env_checksum=wanted.checksum(),
        replicas=wanted.replicas,
        service_type=wanted.service_type,
        node_port=wanted.node_port,
    )
    # The namespace is shared with the other components: which version it is of is not for this one to say.
    before = [platform_namespace(""), env_secret(wanted.environment, version=wanted.version)]
    before += [item for item in rest if item["kind"] == "ServiceAccount"]
    rest = [item for item in rest if item["kind"] != "ServiceAccount"]
    if dry_run:
        # At once, since the server can only try what has a namespace: a plan knows of the one that it makes itself.
        changes = _apply(client, [*before, *rest], dry_run=True).changes
        first, last = changes[: len(before)], changes[len(before) :]
        migrated = _migrate(client, wanted, dry_run=True, timeout_seconds=timeout_seconds)
    else:
        first = _apply(client, before, dry_run=False).changes
        migrated = _migrate(client, wanted, dry_run=False, timeout_seconds=timeout_seconds)
        last = _apply(client, rest, dry_run=False).changes
        wait_ready(client, [item for item in rest if item["kind"] == "Deployment"], timeout_seconds)
    done = ApplyResult((*first, migrated, *last), dry_run)
    return Installed(done, service_url(client, names.PLATFORM_NAMESPACE, names.MANAGER))


def _apply(client: Client, objects: list[Object], *, dry_run: bool) -> ApplyResult:
    """Apply what is the installation's own: nobody else has a say in it, so fields are taken over."""
    return apply(client, objects, field_manager=names.FIELD_MANAGER_ANSIBLE, force=True, dry_run=dry_run)


def _migrate(client: Client, wanted: Installation, *, dry_run: bool, timeout_seconds: float) -> Change:
    """Run the migrations, unless they have succeeded with this image on this database."""
    job = migrations_job(image=wanted.image, pull_policy=wanted.pull_policy, version=wanted.version)
    job["metadata"]["annotations"][_DATABASE_ANNOTATION] = wanted.checksum("KUBEOP_DB_URL")
    found = client.get("batch/v1", "Job", names.MIGRATIONS_JOB, names.PLATFORM_NAMESPACE)
    change = Change("unchanged", "batch/v1", "Job", names.PLATFORM_NAMESPACE, names.MIGRATIONS_JOB)
    if found is None or not _same(found, job) or _failed(found):
        change = Change(
            "create" if found is None else "update",
            *(change.api_version, change.kind, change.namespace, change.name),
            before=_summary(found) if found else None,
            after=_summary(job),
        )
        if not dry_run:
            _replace(client, found, job, timeout_seconds)
    if not dry_run:
        wait_ready(client, [job], timeout_seconds)
    return change


def _replace(client: Client, found: Object | None, job: Object, timeout_seconds: float) -> None:
    """A Job cannot be changed, so it is made anew."""
    if found is not None:
        client.delete("batch/v1", "Job", names.MIGRATIONS_JOB, names.PLATFORM_NAMESPACE, propagation="Foreground")
        deadline = time.monotonic() + timeout_seconds
        while client.get("batch/v1", "Job", names.MIGRATIONS_JOB, names.PLATFORM_NAMESPACE) is not None:
            if time.monotonic() > deadline:
                raise WaitError(
                    f"The Job {names.MIGRATIONS_JOB} of an earlier version does not go away.",
                    hint=f"See `kubectl -n {names.PLATFORM_NAMESPACE} describe job {names.MIGRATIONS_JOB}`.",
                )
            time.sleep(_POLL_SECONDS)
    _apply(client, [job], dry_run=False)


def _same(found: Object, job: Object) -> bool:
    present = found["metadata"].get("annotations") or {}
    wanted = job["metadata"]["annotations"]
    return all(present.get(name) == wanted[name] for name in (IMAGE_ANNOTATION, _DATABASE_ANNOTATION))


def _failed(job: Object) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or []
    return any(item["type"] == "Failed" and item["status"] == "True" for item in conditions)


def _summary(job: Object) -> Object:
    metadata = {name: job["metadata"].get(name) for name in ("name", "namespace", "annotations")}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata}
