"""Who we are to an API server: headers and a client certificate from a kubeconfig's user entry.

Tokens, token files, basic authentication and client certificates are read here. Exec plugins and auth providers are the
official `kubernetes` client's work; it is imported only for them, for that import takes longer than most of our runs.
"""

from __future__ import annotations

import base64
import importlib
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kubeop.errors import KubeconfigError
from kubeop.kube.kubeconfig import Kubeconfig, decoded

_TOKEN_FILE_SECONDS = 60.0  # how long a token read from a file is used before the file is looked at again
_EARLY_SECONDS = 30.0  # a token that ends this soon is renewed before it is used
_PLUGIN_SECONDS = 60.0


class Credentials:
    """Headers and client certificate for one kubeconfig; thread-safe. Nothing of it shows in `repr`."""

    def __init__(self, kubeconfig: Kubeconfig) -> None:
        self._kubeconfig = kubeconfig
        self._user: Mapping[str, Any] = kubeconfig.user
        self._lock = threading.Lock()
        self._headers: dict[str, str] | None = None
        self._certificate: tuple[bytes, bytes] | None = None
        self._expires = float("inf")  # Unix time

    def headers(self) -> dict[str, str]:
        """The headers that authenticate a request, renewed when they are about to expire. Raises KubeconfigError."""
        headers = self._headers
        if headers is None or time.time() > self._expires:
            with self._lock:
                if self._headers is None or time.time() > self._expires:
                    self._renew()
                headers = self._headers
        return headers or {}

    def certificate(self) -> tuple[bytes, bytes] | None:
        """The client certificate and its key, both PEM, or None."""
        self.headers()
        return self._certificate

    def refresh(self, refused: Mapping[str, str]) -> bool:
        """After a 401 to `refused` headers: get new ones where that is possible. Whether they differ."""
        with self._lock:
            if self._headers == refused and self._renewable():
                self._renew()
            return self._headers != refused

    def _renewable(self) -> bool:
        return bool(self._kubeconfig.token_file or self._user.get("exec") or self._user.get("auth-provider"))

    def _renew(self) -> None:
        user, expires = self._user, float("inf")
        headers: dict[str, str] = {}
        certificate = decoded(user, "client-certificate-data", "the user"), decoded(user, "client-key-data", "the user")
        if self._kubeconfig.token_file:
            headers["Authorization"] = f"Bearer {_token_from(self._kubeconfig.token_file)}"
            expires = time.time() + _TOKEN_FILE_SECONDS
        elif user.get("token"):
            headers["Authorization"] = f"Bearer {user['token']}"
        elif user.get("username"):
            pair = f"{user['username']}:{user.get('password', '')}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        elif user.get("exec"):
            status = _within(lambda: _exec(self._kubeconfig), f"The exec plugin {_command(user)!r}")
            if status.get("token"):
                headers["Authorization"] = f"Bearer {status['token']}"
            if status.get("clientCertificateData"):
                certificate = status["clientCertificateData"].encode(), str(status.get("clientKeyData", "")).encode()
            expires = _expiry(status.get("expirationTimestamp"))
        elif user.get("auth-provider"):
            value = _within(lambda: _auth_provider(self._kubeconfig), "The auth provider")
            headers["Authorization"] = value["authorization"]
            expires = time.time() + _TOKEN_FILE_SECONDS
        self._headers = _sendable(headers | _impersonation(user), self._kubeconfig.context)
        self._certificate = certificate if all(certificate) else None
        self._expires = expires


def _token_from(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise KubeconfigError(
            f"Cannot read the token file {path}: {error.strerror}.", hint="Check the path and its owner."
        ) from None


def _impersonation(user: Mapping[str, Any]) -> dict[str, str]:
    headers = {"Impersonate-User": str(user["as"])} if user.get("as") else {}
    groups = user.get("as-groups") or []
    if len(groups) > 1:
        raise KubeconfigError(
            "The kubeconfig's user impersonates several groups.", hint="Name at most one in as-groups."
        )
    return headers | ({"Impersonate-Group": str(groups[0])} if groups else {})


def _sendable(headers: Mapping[str, str], context: str) -> dict[str, str]:
    """The headers without space around their values, as a token copied with its line break has."""
    stripped = {name: value.strip() for name, value in headers.items()}
    for name, value in stripped.items():
        if not (value.isascii() and value.isprintable()):
            what = "user name or group" if name.startswith("Impersonate") else "token"
            raise KubeconfigError(
                f"The {what} of context {context!r} holds a line break or another character that cannot be sent.",
                hint="Copy it again, as one line.",
            )
    return stripped


def _command(user: Mapping[str, Any]) -> str:
    return str((user.get("exec") or {}).get("command", ""))


def _exec(kubeconfig: Kubeconfig) -> dict[str, Any]:
    provider: Any = importlib.import_module("kubernetes.config.exec_provider")
    config: Any = importlib.import_module("kubernetes.config.kube_config")
    plugin = config.ConfigNode("exec", dict(kubeconfig.user["exec"]))
    cluster = config.ConfigNode("cluster", dict(kubeconfig.cluster))
    status: dict[str, Any] = provider.ExecProvider(plugin, None, cluster).run()
    return status


def _auth_provider(kubeconfig: Kubeconfig) -> dict[str, Any]:
    client: Any = importlib.import_module("kubernetes.client")
    config: Any = importlib.import_module("kubernetes.config")
    configuration = client.Configuration()
    config.load_kube_config_from_dict(kubeconfig.as_mapping(), client_configuration=configuration)
    return {"authorization": configuration.api_key.get("authorization", "")}


def _within(call: Callable[[], dict[str, Any]], what: str) -> dict[str, Any]:
    """Run a credential plugin, but not for ever; its own words stay out of the error, for they may hold secrets."""
    result: list[dict[str, Any]] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(call())
        except BaseException as error:  # noqa: BLE001 - a plugin may fail in any way; reported below
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_PLUGIN_SECONDS)
    if result:
        return result[0]
    if not failure:
        reason = f"gave no credentials within {_PLUGIN_SECONDS:.0f} s"
    elif isinstance(failure[0], FileNotFoundError):
        reason = "is not installed"
    else:
        reason = f"failed ({type(failure[0]).__name__})"
    raise KubeconfigError(f"{what} of the kubeconfig {reason}.", hint="Run it by hand to see why, or log in again.")


def _expiry(text: str | None) -> float:
    if not text:
        return float("inf")
    try:
        end = datetime.fromisoformat(text)
    except ValueError:
        return float("inf")
    return end.replace(tzinfo=end.tzinfo or UTC).timestamp() - _EARLY_SECONDS
