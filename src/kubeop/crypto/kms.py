"""Who holds the key-encryption keys: a provider wraps data keys and never shows the key that it wraps them with.

`LocalProvider` does it in this process with the keys of a key ring. A cloud's KMS or an HSM fits the same protocol: its
`wrapped` bytes are its own business, `binding` becomes its encryption context.

What LocalProvider makes of a 32-byte data key, 125 bytes with nothing variable in them:

    0    1   format, 0x01
    1   32   salt, random
    33  32   key commitment
    65  12   nonce, random
    77  32   the data key, encrypted with AES-256-GCM
    109 16   GCM tag

Everything from the salt on is the box of `kubeop.crypto.box`, made with the KEK, the purpose "kubeop wrap v1" and
associated data that is the length-prefixed list: "kubeop wrap v1", the KEK's id, then the names and values of the
binding, sorted by name (for a data key: `data-key` = its id, `purpose` = "data key").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from kubeop.crypto import box
from kubeop.crypto.keyring import Keyring
from kubeop.errors import SealBroken, WrongKey

_FORMAT = b"\x01"
_PURPOSE = b"kubeop wrap v1"


@dataclass(frozen=True)
class Wrapped:
    """A key encrypted with the KEK `kek_id`; `blob` is no secret."""

    kek_id: str
    blob: bytes


class Provider(Protocol):
    """A holder of key-encryption keys (KEKs)."""

    @property
    def active_id(self) -> str:
        """The id of the KEK that wraps from now on."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of every KEK that can still unwrap."""

    def wrap(self, secret: bytes, binding: Mapping[str, str]) -> Wrapped:
        """Encrypt a key with the active KEK, bound to names and values that `unwrap` has to repeat."""

    def unwrap(self, wrapped: Wrapped, binding: Mapping[str, str]) -> bytes:
        """Decrypt a key. Raises KeyMissing, WrongKey or SealBroken."""


@dataclass(frozen=True)
class LocalProvider:
    """KEKs in this process's memory, from a key ring."""

    keyring: Keyring

    @property
    def active_id(self) -> str:
        """The id of the ring's active key."""
        return self.keyring.active_id

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the ring's keys."""
        return self.keyring.ids

    def wrap(self, secret: bytes, binding: Mapping[str, str]) -> Wrapped:
        """Encrypt a key with the ring's active key."""
        kek = self.keyring.active
        return Wrapped(kek.id, _FORMAT + box.seal(kek.secret, secret, _PURPOSE, _associated(kek.id, binding)))

    def unwrap(self, wrapped: Wrapped, binding: Mapping[str, str]) -> bytes:
        """Decrypt a key. Raises KeyMissing, WrongKey or SealBroken."""
        kek = self.keyring.key(wrapped.kek_id)
        if wrapped.blob[:1] != _FORMAT:
            raise SealBroken(
                "The wrapped data key was altered, or a newer version made it.",
                hint="Restore it from a backup, or use the version of kubeop that wrote it.",
            )
        try:
            return box.open_(kek.secret, wrapped.blob[1:], _PURPOSE, _associated(kek.id, binding))
        except box.NotThisKey:
            raise WrongKey(
                f"The key {kek.id!r} is not the one that wrapped this data key: same id, other bytes "
                f"(or the wrapped key was altered). The key ring has {', '.join(self.ids)}.",
                hint=f"Put the bytes that {kek.id!r} had before back into the key ring.",
            ) from None
        except box.Altered:
            raise SealBroken(
                f"The data key wrapped by the key {kek.id!r} was altered, or belongs to another record.",
                hint="Restore it from a backup.",
            ) from None


def provider(keys: Keyring | Provider) -> Provider:
    """`keys` as a provider: a key ring becomes a LocalProvider."""
    return LocalProvider(keys) if isinstance(keys, Keyring) else keys


def _associated(kek_id: str, binding: Mapping[str, str]) -> bytes:
    pairs = [text.encode() for name in sorted(binding) for text in (name, binding[name])]
    return box.join(_PURPOSE, kek_id.encode(), *pairs)
