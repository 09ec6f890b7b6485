"""`kubeop deploy`: print the platform's own objects as YAML, for kubectl, a repository, or a look.

The same objects that the manager and the roles apply. Images, policy and the like come from the KUBEOP_* variables
unless an option says otherwise. With `--check FILE` nothing is printed: exit code 1 if the file says something else.
"""

from __future__ import annotations

import base64
import hashlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from kubeop import BUILD_VERSION
from kubeop.errors import InputError
from kubeop.manifests import admission, crds, manager, operator, platform
from kubeop.manifests.common import Object, platform_namespace
from kubeop.manifests.policy import policy_configmap
from kubeop.settings import Settings

app = typer.Typer(add_completion=False, no_args_is_help=True)

OperatorImage = Annotated[str, typer.Option(help="Instead of KUBEOP_OPERATOR_IMAGE or KUBEOP_MANAGER_IMAGE.")]
AdmissionImage = Annotated[str, typer.Option(help="Instead of KUBEOP_ADMISSION_IMAGE.")]
ManagerImage = Annotated[str, typer.Option(help="Instead of KUBEOP_MANAGER_IMAGE.")]
PullPolicy = Annotated[str, typer.Option(help="Instead of KUBEOP_OPERATOR_IMAGE_PULL_POLICY.")]
Version = Annotated[str, typer.Option(help="For the version label.")]
Cluster = Annotated[str, typer.Option(help="The name under which the cluster is registered.")]
Check = Annotated[Path | None, typer.Option(help="Compare with this file instead of printing.", dir_okay=False)]
Tls = Annotated[
    Path,
    typer.Option(
        help="The folder with tls.crt, tls.key and ca.crt of the webhook; made there if it holds none of them."
    ),
]


@app.callback()
def deploy() -> None:
    """Print the platform's own objects."""


@app.command("generate-all")
def generate_all(
    tls: Tls,
    operator_image: OperatorImage = "",
    admission_image: AdmissionImage = "",
    pull_policy: PullPolicy = "",
    version: Version = BUILD_VERSION,
    cluster: Cluster = "",
    check: Check = None,
) -> None:
    """All that one registered cluster gets: namespace, CRDs, policy, operator, admission."""
    settings = Settings.from_env()
    secret, bundle, checksum = _certificate(tls, version)
    found = platform.platform(
        operator_image=_image(operator_image, settings.operator_image, settings.manager_image, what="operator"),
        pull_policy=pull_policy or settings.operator_image_pull_policy,
        version=version,
        cluster=cluster,
        policy=platform.Policy(settings.image_allowlist, settings.egress_baseline, _quota_max(settings)),
        webhook=platform.Admission(
            _image(admission_image, settings.admission_image, what="admission"), bundle, checksum
        ),
        log_level=settings.log_level,
    )
    # The Secret before the pods that mount it.
    at = next(index for index, obj in enumerate(found) if obj["kind"] == "ConfigMap")
    _print([*found[:at], secret, *found[at:]], check)


@app.command("generate-crds")
def generate_crds(version: Version = BUILD_VERSION, check: Check = None) -> None:
    """The CustomResourceDefinitions."""
    _print(crds.crds(version), check)


@app.command("generate-operator")
def generate_operator(
    operator_image: OperatorImage = "",
    pull_policy: PullPolicy = "",
    version: Version = BUILD_VERSION,
    cluster: Cluster = "",
    check: Check = None,
) -> None:
    """The namespace, the policy and the operator."""
    settings = Settings.from_env()
    objects = operator.operator(
        image=_image(operator_image, settings.operator_image, settings.manager_image, what="operator"),
        pull_policy=pull_policy or settings.operator_image_pull_policy,
        version=version,
        log_level=settings.log_level,
    )
    policy = policy_configmap(
        image_allowlist=settings.image_allowlist,
        egress_baseline=settings.egress_baseline,
        quota_max=_quota_max(settings),
        cluster=cluster,
        version=version,
    )
    _print([platform_namespace(version), policy, *objects], check)


@app.command("generate-admission")
def generate_admission(
    tls: Tls,
    admission_image: AdmissionImage = "",
    pull_policy: PullPolicy = "",
    version: Version = BUILD_VERSION,
    check: Check = None,
) -> None:
    """The namespace and the webhook with its certificate."""
    settings = Settings.from_env()
    secret, bundle, checksum = _certificate(tls, version)
    objects = admission.admission(
        image=_image(admission_image, settings.admission_image, what="admission"),
        pull_policy=pull_policy or settings.operator_image_pull_policy,
        version=version,
        ca_bundle_b64=bundle,
        tls_checksum=checksum,
        log_level=settings.log_level,
    )
    _print([platform_namespace(version), secret, *objects], check)


@app.command("generate-manager")
def generate_manager(
    manager_image: ManagerImage = "",
    pull_policy: PullPolicy = "IfNotPresent",
    version: Version = BUILD_VERSION,
    replicas: Annotated[int, typer.Option(min=1)] = 2,
    env_checksum: Annotated[str, typer.Option(help="A text that changes with the Secret's content.")] = "",
    check: Check = None,
) -> None:
    """The namespace, the manager and its migrations, without Secret `kubeop-manager-env`: that is yours to make."""
    image = _image(manager_image, Settings.from_env().manager_image, what="manager")
    objects = manager.manager(
        image=image, pull_policy=pull_policy, version=version, env_checksum=env_checksum, replicas=replicas
    )
    job = manager.migrations_job(image=image, pull_policy=pull_policy, version=version)
    # The Job runs as the manager's ServiceAccount, and before the Deployment.
    _print([platform_namespace(version), *objects[:-1], job, objects[-1]], check)


def _print(objects: list[Object], check: Path | None) -> None:
    text = yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, width=120)
    if check is None:
        sys.stdout.write(text)
        return
    try:
        found: list[Any] = [item for item in yaml.safe_load_all(check.read_text()) if item is not None]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{check} cannot be read.", hint="Print it anew with the same command.") from error
    if found != objects:
        raise InputError(f"{check} is not what this version prints.", hint="Print it anew with the same command.")


class _Dumper(yaml.SafeDumper):
    """Writes equal mappings out each time: anchors are hard to read."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class's signature
        return True


def _image(*candidates: str, what: str) -> str:
    for image in candidates:
        if image:
            return image
    name = f"KUBEOP_{what.upper()}_IMAGE"
    raise InputError(f"There is no image for the {what}.", hint=f"Set {name} or give --{what}-image.")


def _quota_max(settings: Settings) -> dict[str, str]:
    found = {"requestsCPU": settings.quota_max_requests_cpu, "requestsMemory": settings.quota_max_requests_memory}
    return {key: value for key, value in found.items() if value}


def _certificate(folder: Path, version: str) -> tuple[Object, str, str]:
    """The webhook's Secret, its authority in base64, and a checksum; the certificate is issued if there is none."""
    from kubeop.crypto import certificates

    paths = [folder / name for name in ("tls.crt", "tls.key", "ca.crt")]
    try:
        if not any(path.exists() for path in paths):
            folder.mkdir(parents=True, exist_ok=True)
            authority = certificates.issue_ca("kubeop-admission authority")
            issued = certificates.issue_server(authority, admission.DNS_NAMES)
            for path, content in zip(paths, (issued.cert_pem, issued.key_pem, authority.cert_pem), strict=True):
                path.touch(mode=0o600)
                path.write_bytes(content)
        cert, key, bundle = (path.read_bytes() for path in paths)
    except OSError as error:
        raise InputError(
            f"{error.filename or folder}: {error.strerror}.", hint=f"{folder} must hold tls.crt, tls.key and ca.crt."
        ) from error
    secret = admission.tls_secret(cert_pem=cert, key_pem=key, ca_pem=bundle, version=version)
    return secret, base64.b64encode(bundle).decode(), hashlib.sha256(cert).hexdigest()[:16]
