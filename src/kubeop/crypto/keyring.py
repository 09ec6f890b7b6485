"""Keys with ids, and the ring that holds them: the first key is active, all of them can open.

The text form is a comma-separated list of keys, each `id:base64` or bare base64 (standard alphabet, padded). A bare
key's id is derived from its bytes, so that the same key has the same id everywhere. Ids are no secrets and appear in
errors and logs; key bytes never do, and neither does any part of a key text that cannot be read, for it may be a key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from kubeop.errors import CryptoError, KeyMissing

KEY_BYTES = 32
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_ID_PREFIX = b"kubeop key id v1\x00"
_HINT = "Use ID:BASE64 or BASE64, comma-separated; `kubeop keys generate` makes a key."


@dataclass(frozen=True)
class Key:
    """One key: `id` names it anywhere, `secret` is its bytes and stays out of `repr`."""

    id: str
    secret: bytes = field(repr=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Key):
            return NotImplemented
        return self.id == other.id and hmac.compare_digest(self.secret, other.secret)

    def __hash__(self) -> int:
        return hash(self.id)


def derive_id(secret: bytes) -> str:
    """The id of a key that was given without one: 8 hex digits of a SHA-256 over a prefix of ours and the key."""
    return hashlib.sha256(_ID_PREFIX + secret).hexdigest()[:8]


def check_id(key_id: str) -> str:
    """`key_id` itself, when it can be one. Raises CryptoError, without repeating the text, when it cannot."""
    if not _ID.fullmatch(key_id):
        raise CryptoError(
            "The key id has characters that an id cannot have, or is too long.",
            hint="Use 1 to 63 letters, digits, '.', '_' and '-', starting with a letter or digit.",
        )
    return key_id


def generate_key(key_id: str | None = None) -> str:
    """A new random key as `id:base64`. Without `key_id` the id is derived from the key."""
    secret = secrets.token_bytes(KEY_BYTES)
    name = derive_id(secret) if key_id is None else check_id(key_id)
    return f"{name}:{base64.b64encode(secret).decode()}"


def parse_keys(text: str, *, source: str, at_least: int = KEY_BYTES, at_most: int = KEY_BYTES) -> tuple[Key, ...]:
    """The keys of a text, in order. `source` names where the text came from; lengths are bytes, both ends included.

    Raises CryptoError with the position of the first key that cannot be used, never with any of its text.
    """
    if not text.strip():
        raise CryptoError(f"{source} holds no key.", hint=_HINT)
    entries = [entry.strip() for entry in text.split(",")]
    keys: list[Key] = []
    for position, entry in enumerate(entries, start=1):
        where = f"Key {position} of {len(entries)} in {source}"
        key = _parse_key(entry, where, at_least, at_most)
        for earlier, other in enumerate(keys, start=1):
            if other.id == key.id:
                raise CryptoError(f"{where} has the same id as key {earlier}.", hint="Give each key an id of its own.")
            if hmac.compare_digest(other.secret, key.secret):
                raise CryptoError(f"{where} has the same bytes as key {earlier}.", hint="Remove one of the two.")
        keys.append(key)
    return tuple(keys)


def _parse_key(entry: str, where: str, at_least: int, at_most: int) -> Key:
    if not entry:
        raise CryptoError(f"{where} is empty.", hint=_HINT)
    name, colon, encoded = entry.rpartition(":")
    if colon and not _ID.fullmatch(name):
        raise CryptoError(
            f"{where} has no id before its ':', or one that is too long or has characters that an id cannot have.",
            hint="Use 1 to 63 letters, digits, '.', '_' and '-', starting with a letter or digit.",
        )
    try:
        secret = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        # `from None`: the exception of the decoder could carry the text.
        raise CryptoError(f"{where} is not base64.", hint=_HINT) from None
    if not at_least <= len(secret) <= at_most:
        wanted = f"{at_least}" if at_least == at_most else f"{at_least} to {at_most}"
        raise CryptoError(f"{where} is {len(secret)} bytes long; it has to be {wanted}.", hint=_HINT)
    return Key(name if colon else derive_id(secret), secret)


@dataclass(frozen=True)
class Keyring:
    """An ordered, non-empty set of 32-byte keys with distinct ids. The first is active: it seals; all of them open."""

    keys: tuple[Key, ...]

    def __post_init__(self) -> None:
        if not self.keys:
            raise CryptoError("A key ring needs at least one key.", hint=_HINT)

    @classmethod
    def parse(cls, text: str, *, source: str = "the key ring") -> Keyring:
        """Read the text form. Raises CryptoError, which names `source` and the position of the key at fault."""
        return cls(parse_keys(text, source=source))

    def __iter__(self) -> Iterator[Key]:
        return iter(self.keys)

    @property
    def active(self) -> Key:
        """The key that new values are sealed with."""
        return self.keys[0]

    @property
    def active_id(self) -> str:
        """The id of the active key."""
        return self.keys[0].id

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the active one first."""
        return tuple(key.id for key in self.keys)

    def key(self, key_id: str) -> Key:
        """The key with that id. Raises KeyMissing, which names the ids at hand."""
        for key in self.keys:
            if key.id == key_id:
                return key
        raise KeyMissing(
            f"There is no key with the id {key_id!r}; the key ring has {', '.join(self.ids)}.",
            hint="Add the key with that id to the key ring, after the active one.",
        )

    def without(self, key_id: str) -> Keyring:
        """The ring after retiring one key. Raises CryptoError for an unknown id and for the last key.

        Whether something still needs the key is for the caller to find out first.
        """
        self.key(key_id)
        if len(self.keys) == 1:
            raise CryptoError(
                f"The key {key_id!r} is the only one in the key ring and cannot be retired.",
                hint="Add its successor first and rewrap what was sealed with it.",
            )
        return Keyring(tuple(key for key in self.keys if key.id != key_id))
