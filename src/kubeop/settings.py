"""The services' settings, read once from the environment: the KUBEOP_* variables, LOG_LEVEL and OTEL_*; and the cache.

Reading refuses what cannot work, in one sentence that names the variable, before anything is started.
"""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kubeop.errors import InputError

LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True)
class Settings:
    """What the environment says. Fields that hold secrets are left out of `repr`.

    `db_url`: a PostgreSQL or SQLite URL. `kms_master_key` and `jwt_signing_key`: one or more keys, comma-separated,
    `id:base64` or bare base64, the first one active. `image_allowlist`: image name prefixes.
    `egress_baseline`: CIDRs that project namespaces may reach besides DNS. `db_timeout_ms`: milliseconds.
    """

    db_url: str = field(default="", repr=False)
    http_addr: str = "0.0.0.0:8080"
    kms_master_key: str = field(default="", repr=False)
    jwt_signing_key: str = field(default="", repr=False)
    image_allowlist: tuple[str, ...] = ()
    egress_baseline: tuple[str, ...] = ()
    manager_image: str = ""
    operator_image: str = ""
    operator_image_pull_policy: str = "IfNotPresent"
    admission_image: str = ""
    quota_max_requests_cpu: str = ""
    quota_max_requests_memory: str = ""
    db_max_open: int = 10
    db_timeout_ms: int = 2000
    log_level: str = "info"

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read the environment (`os.environ` unless given). Raises InputError for a value that cannot be used."""
        env = os.environ if env is None else env
        level = env.get("LOG_LEVEL", "info").lower()
        if level not in LOG_LEVELS:
            raise InputError(f"LOG_LEVEL is {level!r}.", hint=f"Use one of {', '.join(LOG_LEVELS)}.")
        return cls(
            db_url=env.get("KUBEOP_DB_URL", ""),
            http_addr=env.get("KUBEOP_HTTP_ADDR", cls.http_addr),
            kms_master_key=env.get("KUBEOP_KMS_MASTER_KEY", ""),
            jwt_signing_key=env.get("KUBEOP_JWT_SIGNING_KEY", ""),
            image_allowlist=_items(env, "KUBEOP_IMAGE_ALLOWLIST"),
            egress_baseline=_items(env, "KUBEOP_EGRESS_BASELINE"),
            manager_image=env.get("KUBEOP_MANAGER_IMAGE", ""),
            operator_image=env.get("KUBEOP_OPERATOR_IMAGE", ""),
            operator_image_pull_policy=env.get("KUBEOP_OPERATOR_IMAGE_PULL_POLICY", cls.operator_image_pull_policy),
            admission_image=env.get("KUBEOP_ADMISSION_IMAGE", ""),
            quota_max_requests_cpu=env.get("KUBEOP_QUOTA_MAX_REQUESTS_CPU", ""),
            quota_max_requests_memory=env.get("KUBEOP_QUOTA_MAX_REQUESTS_MEMORY", ""),
            db_max_open=_positive(env, "KUBEOP_DB_MAX_OPEN", cls.db_max_open),
            db_timeout_ms=_positive(env, "KUBEOP_DB_TIMEOUT_MS", cls.db_timeout_ms),
            log_level=level,
        )

    def listen_address(self) -> tuple[str, int]:
        """The host and port of `http_addr`; an empty host (":8080") means every address."""
        host, _, port = self.http_addr.rpartition(":")
        if not port.isdigit() or not 0 < int(port) < 65536:
            raise InputError(f"KUBEOP_HTTP_ADDR is {self.http_addr!r}.", hint="Use HOST:PORT, such as 0.0.0.0:8080.")
        return host or "0.0.0.0", int(port)  # noqa: S104 - a service in a pod listens on every address of the pod


def _items(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in env.get(name, "").split(",") if item.strip())


def _positive(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, "")
    if not text:
        return default
    if not text.isdigit() or int(text) == 0:
        raise InputError(f"{name} is {text!r}.", hint="Use a whole number above zero.")
    return int(text)


def cache_root() -> Path:
    """Where built binaries stay; KUBEOP_CACHE_DIR overrides it. Under sudo it is the invoking user's, so that a build
    made with and without sudo is the same one.
    """
    override = os.environ.get("KUBEOP_CACHE_DIR")
    if override:
        return Path(override)
    home = Path.home()
    user = os.environ.get("SUDO_USER", "")
    if user and os.geteuid() == 0:
        with contextlib.suppress(KeyError):  # a user that is gone: root's own home then
            home = Path(pwd.getpwnam(user).pw_dir)
    return home / ".cache" / "kubeop"
