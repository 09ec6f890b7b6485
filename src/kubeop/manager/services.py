"""What the handlers and the reconcile loop share, made once from the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from kubeop.crypto.tokens import SigningKeys
from kubeop.kube.client import Client
from kubeop.kube.kubeconfig import Kubeconfig
from kubeop.kube.transport import RetryPolicy
from kubeop.manager.storage.database import Database
from kubeop.manager.vault import Vault
from kubeop.settings import Settings

Connect = Callable[[Kubeconfig, float], Client]


class Poke(Protocol):
    """Tells the reconcile loop that there is work."""

    def __call__(self) -> None:
        """Wake it."""


def connect(kubeconfig: Kubeconfig, timeout_seconds: float) -> Client:
    """A client of a cluster, each request of which ends within `timeout_seconds`."""
    # Short of patience here, for a request may wait for us; the reconcile loop tries again by itself.
    patience = RetryPolicy(connection_seconds=timeout_seconds / 2, first_seconds=0, busy_seconds=timeout_seconds / 2)
    return Client(kubeconfig, timeout_seconds=timeout_seconds, retry=patience)


@dataclass(frozen=True)
class Services:
    """The manager's parts. `poke` wakes the reconcile loop after a commit."""

    settings: Settings
    database: Database
    vault: Vault
    signing_keys: SigningKeys
    poke: Poke
    connect: Connect = connect
