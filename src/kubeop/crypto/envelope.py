"""How a secret is stored: sealed with a data key, which is itself wrapped by a key-encryption key (KEK).

Rotating a KEK rewraps data keys and touches no sealed value. A sealed value opens only with the data key that it
names and only in the context (tenant, cluster, field, record, version) that it was sealed in, so that it cannot be
moved from one record to another. Nothing here stores anything: the manager keeps data keys and sealed values in its
database, the Ansible collection keeps text tokens, which carry their own wrapped data key.

Sealed value (bytes), format 1
    0      1   format, 0x01
    1      1   k, the length of the data key's id, 1 to 63
    2      k   the data key's id, ASCII
    2+k   32   salt, random
    34+k  32   key commitment
    66+k  12   nonce, random
    78+k   n   ciphertext, AES-256-GCM
    78+k+n 16  GCM tag

From the salt on it is the box of `kubeop.crypto.box`, made with the data key, the purpose "kubeop seal v1" and
associated data that is the length-prefixed list (4-byte big-endian length before each part): "kubeop seal v1", the
header (bytes 0 to 2+k), tenant, cluster, field and record as UTF-8, and the version as 8 bytes, big-endian.

Wrapped data key: the layout is the KMS provider's; `kubeop.crypto.kms` documents that of the local provider. It is
bound to the data key's id and to the purpose "data key".

Text token
    kubeop:v1:<KEK id>:<data key id>:<wrapped data key>:<sealed value>
with the last two in base64url without padding, in its one canonical spelling. Ids hold no colon.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass, field

from kubeop.crypto import box, kms
from kubeop.crypto.keyring import KEY_BYTES, Keyring, check_id
from kubeop.errors import CryptoError, KeyMissing, SealBroken, WrongKey

Keys = Keyring | kms.Provider

TOKEN_PREFIX = "kubeop:v1:"  # noqa: S105 - the format's name, not a secret
_FORMAT = 1
_PURPOSE = b"kubeop seal v1"
_MAX_PLAINTEXT = 64 * 1024 * 1024  # bytes; far above any kubeconfig, and far below what AES-GCM takes at once


@dataclass(frozen=True)
class Context:
    """Where a sealed value belongs; opening needs the same one. These are names, not secrets.

    `version` counts the versions of one record, from 0 to 2**64 - 1.
    """

    tenant: str = ""
    cluster: str = ""
    field: str = ""
    record: str = ""
    version: int = 1

    def __str__(self) -> str:
        names = {"tenant": self.tenant, "cluster": self.cluster, "field": self.field, "record": self.record}
        return ", ".join([f"{name} {value!r}" for name, value in names.items() if value] + [f"version {self.version}"])


@dataclass(frozen=True)
class DataKey:
    """A data key, ready for use: `id`, `kek_id` and `wrapped` are what is stored, `secret` stays in memory."""

    id: str
    kek_id: str
    wrapped: bytes = field(repr=False)
    secret: bytes = field(repr=False)


def new_data_key(keys: Keys) -> DataKey:
    """A new random data key, wrapped by the active KEK."""
    return _wrap(kms.provider(keys), secrets.token_hex(8), secrets.token_bytes(KEY_BYTES))


def unwrap(keys: Keys, *, id: str, kek_id: str, wrapped: bytes) -> DataKey:  # noqa: A002 - the stored record's name
    """A stored data key, ready for use. Raises KeyMissing, WrongKey or SealBroken."""
    secret = kms.provider(keys).unwrap(kms.Wrapped(kek_id, wrapped), _binding(id))
    return DataKey(id, kek_id, wrapped, secret)


def rewrap(keys: Keys, data_key: DataKey) -> DataKey:
    """The same data key under the active KEK: what it sealed stays readable, the KEK before it is no longer needed."""
    return _wrap(kms.provider(keys), data_key.id, data_key.secret)


def _wrap(provider: kms.Provider, data_key_id: str, secret: bytes) -> DataKey:
    wrapped = provider.wrap(secret, _binding(data_key_id))
    return DataKey(data_key_id, wrapped.kek_id, wrapped.blob, secret)


def _binding(data_key_id: str) -> dict[str, str]:
    return {"purpose": "data key", "data-key": data_key_id}


def seal(data_key: DataKey, plaintext: bytes, context: Context) -> bytes:
    """A sealed value. Sealing the same text twice gives two unlike values."""
    if len(plaintext) > _MAX_PLAINTEXT:
        raise CryptoError(f"The value is {len(plaintext)} bytes long; at most {_MAX_PLAINTEXT} can be sealed.")
    header = _header(data_key.id)
    return header + box.seal(data_key.secret, plaintext, _PURPOSE, _associated(header, context))


def open_(data_key: DataKey, sealed: bytes, context: Context) -> bytes:
    """The text in a sealed value. Raises KeyMissing for another data key's value, WrongKey or SealBroken."""
    needed = data_key_id(sealed)
    if needed != data_key.id:
        raise KeyMissing(
            f"The sealed value needs the data key {needed!r}; the one at hand is {data_key.id!r}.",
            hint="Open it with the data key that it names.",
        )
    header = _header(needed)
    try:
        return box.open_(data_key.secret, sealed[len(header) :], _PURPOSE, _associated(header, context))
    except box.NotThisKey:
        raise WrongKey(
            f"The data key {needed!r} is not the one that sealed this value: same id, other bytes "
            "(or the sealed value was altered).",
            hint="Restore the data key, or the value, from a backup.",
        ) from None
    except box.Altered:
        raise SealBroken(
            f"The value sealed with the data key {needed!r} was altered, or belongs to another context than {context}.",
            hint="Open it with the tenant, cluster, field, record and version that it was sealed with.",
        ) from None


def data_key_id(sealed: bytes) -> str:
    """The id of the data key that a sealed value needs. Raises SealBroken for what is no sealed value."""
    length = sealed[1] if len(sealed) > 1 else 0
    name = sealed[2 : 2 + length]
    if sealed[:1] != bytes([_FORMAT]) or len(name) != length or len(sealed) < 2 + length + box.OVERHEAD:
        raise SealBroken(
            "This is not a value sealed in format 1, or it was cut short.",
            hint="Restore it from a backup, or use the version of kubeop that wrote it.",
        )
    try:
        return check_id(name.decode("ascii"))
    except (UnicodeDecodeError, CryptoError):
        raise SealBroken("The sealed value's header was altered.", hint="Restore it from a backup.") from None


def _header(key_id: str) -> bytes:
    encoded = check_id(key_id).encode("ascii")
    return bytes([_FORMAT, len(encoded)]) + encoded


def _associated(header: bytes, context: Context) -> bytes:
    try:
        names = [name.encode() for name in (context.tenant, context.cluster, context.field, context.record)]
        version = context.version.to_bytes(8, "big")
    except (UnicodeEncodeError, OverflowError):
        raise CryptoError(
            "The context cannot be encoded: a name is not Unicode text, or the version is not from 0 to 2**64 - 1."
        ) from None
    return box.join(_PURPOSE, header, *names, version)


@dataclass(frozen=True)
class _Token:
    """The parts of a text token."""

    kek_id: str
    data_key_id: str
    wrapped: bytes
    sealed: bytes

    @classmethod
    def parse(cls, text: str) -> _Token:
        parts = text.strip().split(":")
        if not is_token(text) or len(parts) != 6:
            raise SealBroken(
                "This is not a kubeop token, or it was cut short.",
                hint="A token starts with kubeop:v1: and is one line; `kubeop keys seal` makes one.",
            )
        try:
            return cls(check_id(parts[2]), check_id(parts[3]), _decode(parts[4]), _decode(parts[5]))
        except (ValueError, CryptoError):
            raise SealBroken("The token was altered.", hint="Copy the whole token again, or seal it anew.") from None

    def __str__(self) -> str:
        return f"{TOKEN_PREFIX}{self.kek_id}:{self.data_key_id}:{_encode(self.wrapped)}:{_encode(self.sealed)}"

    def unwrap(self, keys: Keys) -> DataKey:
        return unwrap(keys, id=self.data_key_id, kek_id=self.kek_id, wrapped=self.wrapped)


def seal_token(keys: Keys, plaintext: bytes, context: Context) -> str:
    """A text token with a data key of its own: all that opening needs besides the KEK and the context."""
    data_key = new_data_key(keys)
    return str(_Token(data_key.kek_id, data_key.id, data_key.wrapped, seal(data_key, plaintext, context)))


def open_token(keys: Keys, token: str, context: Context) -> bytes:
    """The text in a token; white space around it is no part of it. Raises KeyMissing, WrongKey or SealBroken."""
    parsed = _Token.parse(token)
    return open_(parsed.unwrap(keys), parsed.sealed, context)


def rewrap_token(keys: Keys, token: str) -> str:
    """The same token under the active KEK; needs no context, for the sealed value stays as it is."""
    parsed = _Token.parse(token)
    data_key = rewrap(keys, parsed.unwrap(keys))
    return str(_Token(data_key.kek_id, data_key.id, data_key.wrapped, parsed.sealed))


def token_key_id(token: str) -> str:
    """The id of the KEK that a token needs. Raises SealBroken for what is no token."""
    return _Token.parse(token).kek_id


def is_token(text: str) -> bool:
    """Whether a text means to be a token; `open_token` says whether it is one."""
    return text.strip().startswith(TOKEN_PREFIX)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError from error
    # A last character can have bits that no byte uses, and b64decode may take '+' for '-': one spelling only.
    if _encode(data) != text:
        raise ValueError
    return data
