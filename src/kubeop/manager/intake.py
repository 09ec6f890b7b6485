"""A kubeconfig that comes in through the API: read with suspicion, tried, and only then believed.

The manager runs no command and opens no file that a caller names, so exec plugins, auth providers and file paths are
refused; so is YAML that refers to itself. No message repeats the content.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import yaml

from kubeop.errors import ApiError, ClusterError, ClusterUnreachable, KubeconfigError
from kubeop.kube import kubeconfig as kubeconfigs
from kubeop.kube.client import Client
from kubeop.kube.kubeconfig import Kubeconfig
from kubeop.manager.problems import Problem

CONTACT_SECONDS = 10
_FIELD = "kubeconfig"
_MAX_DEPTH = 32
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in Python takes seconds for a hostile text
_INLINE = {
    "certificate-authority": "certificate-authority-data",
    "client-certificate": "client-certificate-data",
    "client-key": "client-key-data",
    "tokenFile": "token",
}
_COMMANDS = ("exec", "auth-provider")
_FLATTEN = "`kubectl config view --raw --flatten --minify` puts the files' content into it."


def read(encoded: str) -> Kubeconfig:
    """The kubeconfig of a request, or a 422 problem that says what is wrong with it."""
    try:
        raw = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _refused("The kubeconfig is not base64.", "Send `base64 -w0 < kubeconfig`.") from None
    if not raw.strip():
        raise _refused("The kubeconfig is empty.", "Send `base64 -w0 < kubeconfig`.")
    _check_fields(_parse(raw))
    try:
        record = kubeconfigs.load(raw)
        record.as_bytes()
    except (KubeconfigError, ValueError, TypeError, AttributeError) as error:
        detail, hint = (
            (error.message, error.hint) if isinstance(error, KubeconfigError) else ("The kubeconfig is unreadable.", "")
        )
        raise _refused(f"{detail[:1].upper()}{detail[1:]}", hint or "Copy the kubeconfig again.") from None
    return record


def contact(client: Client, *, install: bool) -> str:
    """Ask the cluster who it is and whether these credentials may work in it; answers its Kubernetes version.

    A problem, 502 or 422, when it does not answer, does not know the credentials, or (with `install`) when they may not
    install the platform.
    """
    try:
        version = client.version()
        allowed = _may_do_everything(client)
    except ClusterUnreachable as error:
        raise Problem(
            502,
            "cluster-does-not-answer",
            "The cluster of this kubeconfig does not answer, or not as the kubeconfig's certificate authority says.",
            hint="Check that the manager reaches the API server's address; nothing was registered.",
        ) from error
    except ApiError as error:
        if error.status in (401, 403):
            raise _refused(
                "The cluster refuses the kubeconfig's credentials.", "They may have expired; use fresh ones."
            ) from error
        raise _odd(error) from error
    except ClusterError as error:
        raise _odd(error) from error
    if install and not allowed:
        raise _refused(
            "The kubeconfig's user may not install the platform in the cluster.",
            "Bind the user to the ClusterRole cluster-admin, or register with autoBootstrap=false.",
        )
    return version


def scrub(message: str, kubeconfig: Kubeconfig) -> str:
    """A message about a cluster without the cluster's address, for the database and for answers."""
    host = kubeconfig.server.partition("://")[2].partition("/")[0]
    bare = host.rpartition(":")[0].strip("[]") or host
    for part in (kubeconfig.server, host, bare):
        if part:
            message = message.replace(part, "the API server")
    return message


def _may_do_everything(client: Client) -> bool:
    review = client.create(
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "metadata": {},
            "spec": {"resourceAttributes": {"verb": "*", "group": "*", "resource": "*"}},
        }
    )
    return bool((review.get("status") or {}).get("allowed"))


def _parse(raw: bytes) -> Mapping[str, Any]:
    try:
        _check_shape(raw)
        document = yaml.load(raw, Loader=_LOADER)  # noqa: S506 - a safe loader, in C or in Python
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise _refused(f"The kubeconfig is not YAML{where}.", "Copy the kubeconfig again.") from None
    except ValueError:
        raise _refused("The kubeconfig is not YAML that can be read.", "Copy the kubeconfig again.") from None
    if not isinstance(document, Mapping):
        raise _refused("The kubeconfig is not a kubeconfig.", "A kubeconfig is YAML with `kind: Config`.")
    return document


def _check_shape(raw: bytes) -> None:
    """Refuse what is cheap to send and costly to read: values that refer to others, and endless nesting."""
    depth = 0
    for event in yaml.parse(raw, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise _refused("The kubeconfig uses YAML aliases.", "Write every value out.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            raise _refused("The kubeconfig is nested too deeply.", "Copy the kubeconfig again.")


def _check_fields(document: Mapping[str, Any]) -> None:
    for section, key in (("clusters", "cluster"), ("users", "user")):
        items = document.get(section)
        for item in items if isinstance(items, list) else []:
            entry = item.get(key) if isinstance(item, Mapping) else None
            if not isinstance(entry, Mapping):
                continue
            for name in _COMMANDS:
                if entry.get(name):
                    raise _refused(
                        f"The kubeconfig has {section}[].{key}.{name}, and the manager runs no commands.",
                        "Use a client certificate or the token of a ServiceAccount.",
                    )
            for name, inline in _INLINE.items():
                if entry.get(name):
                    raise _refused(
                        f"The kubeconfig names a file in {section}[].{key}.{name}, which the manager does not have.",
                        f"Use {inline}: {_FLATTEN}",
                    )
            server = entry.get("server") if key == "cluster" else None
            if server is not None and not str(server).startswith("https://"):
                raise _refused("The kubeconfig's server is not an https:// URL.", "Use https://HOST:PORT.")


def _refused(detail: str, hint: str) -> Problem:
    return Problem(422, "kubeconfig", detail, hint=hint, errors=[(_FIELD, detail)])


def _odd(error: ClusterError) -> Problem:
    status = f" (status {error.status})" if isinstance(error, ApiError) else ""
    return Problem(
        502,
        "cluster-error",
        f"The cluster of this kubeconfig answered, but not as a working Kubernetes API server{status}.",
        hint="Check the API server's health; nothing was registered.",
    )
