"""Read a kubeconfig, from wherever it comes, into one record that says how to reach one cluster.

Files that it points to (CA, client certificate, token) are read at once, so that the record can be stored and sent.
What needs a program at connection time (exec plugins) stays as it is: credentials.py runs it.
"""

from __future__ import annotations

import base64
import binascii
import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kubeop.errors import KubeconfigError

Source = str | bytes | Path | Mapping[str, Any]

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_CLUSTER_FILES = {"certificate-authority": "certificate-authority-data"}
_USER_FILES = {"client-certificate": "client-certificate-data", "client-key": "client-key-data"}


@dataclass(frozen=True)
class Kubeconfig:
    """One cluster, one user. `cluster` and `user` hold the kubeconfig's own fields, files inlined; never in `repr`.

    `token_file`: a file with a token that may be renewed while we run, empty without one.
    """

    context: str
    server: str
    namespace: str = "default"
    cluster: Mapping[str, Any] = field(default_factory=dict, repr=False)
    user: Mapping[str, Any] = field(default_factory=dict, repr=False)
    token_file: str = field(default="", repr=False)

    @property
    def ca_pem(self) -> bytes:
        """The certificate authority in PEM, empty when the system's own are to be used."""
        return decoded(self.cluster, "certificate-authority-data", f"cluster of context {self.context}")

    @property
    def insecure(self) -> bool:
        """Whether the kubeconfig asks not to verify the server's certificate."""
        return bool(self.cluster.get("insecure-skip-tls-verify", False))

    @property
    def proxy_url(self) -> str:
        """The proxy that the kubeconfig asks for, empty for none."""
        return str(self.cluster.get("proxy-url") or "")

    def as_bytes(self) -> bytes:
        """A kubeconfig in YAML with this context alone and no file that it points to. It holds secrets."""
        return yaml.safe_dump(self.as_mapping(), sort_keys=True).encode()

    def as_mapping(self) -> dict[str, Any]:
        """The same, not written as YAML yet."""
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": self.context,
            "clusters": [{"name": self.context, "cluster": dict(self.cluster)}],
            "users": [{"name": self.context, "user": dict(self.user)}],
            "contexts": [
                {
                    "name": self.context,
                    "context": {"cluster": self.context, "user": self.context, "namespace": self.namespace},
                }
            ],
        }


def load(source: Source = "", context: str = "") -> Kubeconfig:
    """Read a kubeconfig: a path, its text, its parsed form, or nothing for $KUBECONFIG and ~/.kube/config.

    A path list ("a:b") is merged, the first file wins. `context` is the current one unless given.
    Raises KubeconfigError, which names the file and the field.
    """
    document, where, folder = _document(source)
    name = context or _text(document, "current-context", where)
    if not name:
        raise KubeconfigError(
            f"{where} has no current-context.", hint="Name one: --context, or kubectl config use-context."
        )
    entry = _named(document, "contexts", name, where).get("context")
    if not isinstance(entry, Mapping):
        raise KubeconfigError(f"Context {name!r} in {where} is empty.", hint="Give it a cluster and a user.")
    cluster_name, user_name = _text(entry, "cluster", where), _text(entry, "user", where)
    cluster = _mapping(_named(document, "clusters", cluster_name, where).get("cluster"))
    user = _mapping(_named(document, "users", user_name, where).get("user")) if user_name else {}
    server = _text(cluster, "server", where)
    if not server.startswith(("https://", "http://")):
        raise KubeconfigError(
            f"Cluster {cluster_name!r} in {where} has {'no server' if not server else 'the server ' + repr(server)}.",
            hint="Give it a URL such as https://host:6443.",
        )
    token_file = str(folder / user["tokenFile"]) if user.get("tokenFile") else ""
    record = Kubeconfig(
        context=name,
        server=server.rstrip("/"),
        namespace=_text(entry, "namespace", where) or "default",
        cluster=_inlined(cluster, _CLUSTER_FILES, folder, f"cluster {cluster_name!r} in {where}"),
        user=_inlined(user, _USER_FILES, folder, f"user {user_name!r} in {where}"),
        token_file=token_file,
    )
    _check(record, where)
    return record


def in_cluster() -> Kubeconfig:
    """What a pod's ServiceAccount gives; the token's file is read anew as it is renewed. Raises KubeconfigError."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not (_SERVICE_ACCOUNT / "token").is_file():
        raise KubeconfigError(
            "This process does not run in a pod with a ServiceAccount token.", hint="Give it a kubeconfig instead."
        )
    authority = base64.b64encode(_read(_SERVICE_ACCOUNT / "ca.crt", "the ServiceAccount's ca.crt")).decode()
    server = f"https://{f'[{host}]' if ':' in host else host}:{port}"
    return Kubeconfig(
        context="in-cluster",
        server=server,
        namespace=_read(_SERVICE_ACCOUNT / "namespace", "the ServiceAccount's namespace").decode().strip(),
        cluster={"server": server, "certificate-authority-data": authority},
        token_file=str(_SERVICE_ACCOUNT / "token"),
    )


def decoded(entry: Mapping[str, Any], name: str, where: str) -> bytes:
    """A base64 field's bytes, empty when it is absent. Raises KubeconfigError that names the field, not its value."""
    value = entry.get(name)
    if not value:
        return b""
    try:
        return base64.b64decode("".join(str(value).split()), validate=True)
    except (binascii.Error, ValueError):
        raise KubeconfigError(f"{name} of {where} is not base64.", hint="Copy the kubeconfig again.") from None


def _document(source: Source) -> tuple[Mapping[str, Any], str, Path]:
    """The parsed document, what to call it in an error, and the folder that relative paths start from."""
    if isinstance(source, Mapping):
        return _shape(source, "the kubeconfig"), "the kubeconfig", Path.cwd()
    if isinstance(source, bytes) or (isinstance(source, str) and "\n" in source):
        return _parse(source, "the kubeconfig"), "the kubeconfig", Path.cwd()
    listed = str(source) or os.environ.get("KUBECONFIG", "") or "~/.kube/config"
    paths = [Path(item).expanduser() for item in listed.split(os.pathsep) if item]
    found = paths if len(paths) == 1 else [path for path in paths if path.is_file()] or paths[:1]
    merged: dict[str, Any] = {}
    for path in found:
        one = _absolute(_parse(_read(path, "the kubeconfig"), str(path)), path.parent)
        for key, value in one.items():
            if isinstance(value, list):
                merged[key] = [*merged.get(key, []), *value]  # the first entry of a name is the one that is found
            else:
                merged.setdefault(key, value)
    return merged, ", ".join(map(str, found)), found[0].parent


def _absolute(document: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Relative paths in a file are relative to that file: make them absolute before files are merged."""
    result = copy.deepcopy(dict(document))
    for section, entry_name, names in (
        ("clusters", "cluster", tuple(_CLUSTER_FILES)),
        ("users", "user", (*_USER_FILES, "tokenFile")),
    ):
        for item in result.get(section) or []:
            entry = item.get(entry_name) if isinstance(item, dict) else None
            for name in names:
                if isinstance(entry, dict) and entry.get(name):
                    entry[name] = str(folder / entry[name])
    return result


def _parse(text: str | bytes, where: str) -> Mapping[str, Any]:
    try:
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        # The parser's own text quotes the file, which holds secrets: it stays out.
        raise KubeconfigError(f"{where}{line} is not YAML.", hint="Copy the kubeconfig again.") from None
    return _shape(document, where)


def _shape(document: object, where: str) -> Mapping[str, Any]:
    if not isinstance(document, Mapping) or document.get("kind", "Config") != "Config":
        raise KubeconfigError(f"{where} is not a kubeconfig.", hint="A kubeconfig is YAML with `kind: Config`.")
    for section in ("clusters", "contexts"):
        if not isinstance(document.get(section), list):
            raise KubeconfigError(f"{where} has no list {section!r}.", hint="Copy the kubeconfig again.")
    return document


def _named(document: Mapping[str, Any], section: str, name: str, where: str) -> Mapping[str, Any]:
    names = []
    for item in document.get(section) or []:
        if isinstance(item, Mapping):
            if item.get("name") == name:
                return item
            names.append(str(item.get("name")))
    known = ", ".join(names[:10]) or "none"
    raise KubeconfigError(f"{where} has no {section[:-1]} {name!r}.", hint=f"It has: {known}.")


def _text(entry: Mapping[str, Any], name: str, where: str) -> str:
    value = entry.get(name)
    if value is not None and not isinstance(value, str):
        raise KubeconfigError(f"{name} in {where} is not a text.", hint="Copy the kubeconfig again.")
    return value or ""


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _inlined(entry: dict[str, Any], files: Mapping[str, str], folder: Path, where: str) -> dict[str, Any]:
    result = dict(entry)
    for name, data_name in files.items():
        path = result.pop(name, None)
        if path and not result.get(data_name):
            content = _read(folder / str(path), f"{name} of {where}")
            result[data_name] = base64.b64encode(content).decode()
    path = result.pop("tokenFile", None)
    if path:
        result["token"] = _read(folder / str(path), f"tokenFile of {where}").decode().strip()
    return result


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise KubeconfigError(
            f"Cannot read {what} at {path}: {reason}.", hint="Check the path and its owner."
        ) from None


def _check(record: Kubeconfig, where: str) -> None:
    """Refuse now what would fail later in less clear words."""
    if record.ca_pem and b"-----BEGIN" not in record.ca_pem:
        raise KubeconfigError(
            f"certificate-authority-data in {where} is not a PEM certificate.", hint="Copy the kubeconfig again."
        )
    certificate = decoded(record.user, "client-certificate-data", where)
    key = decoded(record.user, "client-key-data", where)
    if bool(certificate) != bool(key):
        missing = "client-key-data" if certificate else "client-certificate-data"
        raise KubeconfigError(f"The user of context {record.context!r} in {where} has no {missing}.", hint="Add it.")
