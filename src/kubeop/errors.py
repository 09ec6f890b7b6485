"""Every error that kubeop raises on purpose, in one tree.

An error's text is one sentence that says what is wrong and where, and a hint that says what to do next.
It never holds a secret: no key, token, kubeconfig or database password. `PartlyDone`, of which ApplyInterrupted,
ApplyFailed and NotReady are kinds, also holds what was done nevertheless.

KubeopError
├── InputError              what the user gave cannot be used
│   ├── QuantityError       not a Kubernetes quantity
│   └── KubeconfigError     not a readable kubeconfig
├── CryptoError             a key text cannot be used, or a sealed value cannot be opened:
│   ├── KeyMissing          no key with the id that it needs
│   ├── WrongKey            the key with that id has other bytes
│   └── SealBroken          it was altered, or belongs to another context
├── TokenError              a JWT that is missing, expired, or not ours
├── ClusterError            a Kubernetes API server
│   ├── ClusterUnreachable  it does not answer, or not as itself
│   │   └── ApplyInterrupted  the same, after some of many objects were applied
│   ├── ApiError            it answered with an error status
│   │   └── ApplyConflict   another field manager owns a field that we want to set
│   ├── ApplyFailed         some objects of many could not be applied, and why
│   ├── NotReady            all objects were applied, and one did not become ready, or cannot be watched
│   └── WaitError           an object did not become ready, and why
├── ManagerError            the kubeop manager's API refused or did not answer
├── DatabaseError           PostgreSQL is down, or the schema is not the one expected
└── DevClusterError         the embedded cluster cannot start or stop
"""

from __future__ import annotations

from collections.abc import Sequence


class KubeopError(Exception):
    """The root of the tree: catch it at an edge (command line, module, request) and show `str(error)`."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message} {hint}".strip())


class InputError(KubeopError):
    """A value that the user gave cannot be used."""


class QuantityError(InputError):
    """A text that is not a Kubernetes quantity."""


class KubeconfigError(InputError):
    """A kubeconfig that cannot be read or lacks what a connection needs."""


class CryptoError(KubeopError):
    """A key text cannot be used, or a sealed value cannot be opened."""


class KeyMissing(CryptoError):
    """No key at hand has the id that a sealed value needs."""


class WrongKey(CryptoError):
    """The key at hand has the id that a sealed value needs, and other bytes."""


class SealBroken(CryptoError):
    """A sealed value was altered, cut short, or belongs to another context."""


class TokenError(KubeopError):
    """A JWT that is missing, expired or not ours."""


class ClusterError(KubeopError):
    """Something about a Kubernetes API server."""


class ClusterUnreachable(ClusterError):
    """The API server does not answer, or its certificate is not the expected one."""


class NoAnswer(ClusterUnreachable):
    """The API server took a request and did not answer it in time; whether it was carried out is not known."""


class ApiError(ClusterError):
    """The API server answered with an error status.

    `status` is the HTTP code, `reason` the machine-readable reason of the Status object ("NotFound", "Conflict", …),
    `retry_seconds` the time after which the server wants to be asked again, 0 when it says none.
    """

    def __init__(self, message: str, *, status: int, reason: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.reason = reason
        self.retry_seconds = 0.0


class PartlyDone(KubeopError):
    """Some of many things could not be done. `failures`: one error for each; `result`: what was done.

    `summary` is the same error without the failures in its words.
    """

    def __init__(
        self, message: str, *, failures: tuple[KubeopError, ...], result: object, summary: KubeopError, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.failures = failures
        self.result = result
        self.summary = summary


class ApplyInterrupted(PartlyDone, ClusterUnreachable):
    """The API server was lost in the middle. `failures`: the errors before that."""


class ApplyConflict(ApiError):
    """Another field manager owns a field that we want to set. `what`: the object; `owners`: those managers."""

    def __init__(
        self, message: str, *, status: int, reason: str, hint: str, what: str = "", owners: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, status=status, reason=reason, hint=hint)
        self.what = what
        self.owners = owners


class ApplyFailed(PartlyDone, ClusterError):
    """Some objects could not be applied; the others were."""


class NotReady(PartlyDone, ClusterError):
    """All objects were applied, and the wait for them failed. `failures`: why, one WaitError or ClusterError."""


class WaitError(ClusterError):
    """An object did not become ready in time, or never will."""


class ManagerError(KubeopError):
    """The manager's API refused a request or did not answer. `status` is the HTTP code, 0 without an answer."""

    def __init__(self, message: str, *, status: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


class DatabaseError(KubeopError):
    """PostgreSQL does not answer, or its schema is not the one that this version expects."""


class DevClusterError(KubeopError):
    """The embedded cluster cannot start or stop."""


def in_words(sentences: Sequence[str], most: int) -> str:
    """The first `most` sentences, and how many more there are."""
    more = len(sentences) - most
    return " ".join([*sentences[:most], *([f"And {more} more."] if more > 0 else [])])
