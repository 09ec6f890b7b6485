"""What this process has seen to be right, so that the echo of its own writes costs nothing.

Every write comes back as a watch event. The ledger keeps a digest of the parts that count, for each object as it was
last found or put right; an event with the same digest says nothing new. A state that is only passed through, such as a
finalizer set before the status, is expected once. Status and counters that others write into an
object (a ResourceQuota's usage changes with every pod) are not in the digest.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubeop import names


@dataclass(frozen=True)
class Ref:
    """One object: its kind, namespace (empty if cluster-scoped) and name."""

    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, obj: Mapping[str, Any], kind: str = "") -> Ref:
        """The reference of an object. Objects from a list do not say their kind."""
        metadata = obj["metadata"]
        return cls(kind or obj["kind"], metadata.get("namespace", ""), metadata["name"])


@dataclass(frozen=True)
class Ledger:
    """A thread-safe map of objects to the digest of what was right."""

    _digests: dict[Ref, bytes] = field(default_factory=dict)
    _expected: dict[Ref, bytes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, ref: Ref, obj: Mapping[str, Any]) -> None:
        """This is how the object is right."""
        with self._lock:
            self._digests[ref] = digest(obj)

    def expect(self, ref: Ref, obj: Mapping[str, Any]) -> None:
        """The object was just written like this, and is about to be written again."""
        with self._lock:
            self._expected[ref] = digest(obj)

    def knows(self, ref: Ref, seen: bytes) -> bool:
        """True if an object with this digest is right, or is what was expected."""
        with self._lock:
            if self._expected.get(ref) == seen:
                del self._expected[ref]
                return True
            return self._digests.get(ref) == seen

    def forget(self, ref: Ref) -> None:
        """Drop an object; with a Namespace goes all that is in it."""
        with self._lock:
            self._digests.pop(ref, None)
            self._expected.pop(ref, None)
            if ref.kind == "Namespace":
                for inside in [known for known in self._digests if known.namespace == ref.name]:
                    del self._digests[inside]

    def __len__(self) -> int:
        return len(self._digests)


def digest(obj: Mapping[str, Any]) -> bytes:
    """16 bytes that change when something changes that a controller looks at."""
    metadata = obj["metadata"]
    parts = [metadata.get("uid"), metadata.get("labels"), metadata.get("deletionTimestamp"), obj.get("spec")]
    if str(obj.get("apiVersion", "")).startswith(names.API_GROUP):
        parts += [metadata.get("finalizers"), obj.get("status")]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).digest()
