"""The one place that encrypts: authenticated encryption with a fresh key each time, committed to the key it came from.

A box is

    0    32  salt, random
    32   32  commitment
    64   12  nonce, random
    76    n  ciphertext, AES-256-GCM
    76+n 16  GCM tag

With `okm = HKDF-SHA256(ikm=key, salt=salt, info=join(purpose), length=64)`, the encryption key is okm[0:32] and the
commitment is okm[32:64]. The commitment is compared in constant time before anything is decrypted: GCM alone can be
made to open under two keys, and could not tell a wrong key from an altered text. `purpose` names the use and the
format's version, so that the same key gives unrelated keys to different uses. `join` is the only encoding of lists:
each part after its length as 4 bytes, big-endian, so that no two lists look the same.

Callers turn NotThisKey and Altered into errors that name ids and contexts; nothing here knows about them.
"""

from __future__ import annotations

import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SALT = 32
COMMITMENT = 32
NONCE = 12
TAG = 16
OVERHEAD = SALT + COMMITMENT + NONCE + TAG


class NotThisKey(Exception):
    """The commitment is not this key's."""


class Altered(Exception):
    """Too short, or the tag does not fit the text and its associated data."""


def join(*parts: bytes) -> bytes:
    """The parts in one byte string that no other list of parts gives."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def seal(key: bytes, plaintext: bytes, purpose: bytes, associated: bytes) -> bytes:
    """A new box. Two boxes of the same text have nothing in common."""
    return _seal(key, plaintext, purpose, associated, salt=os.urandom(SALT), nonce=os.urandom(NONCE))


def _seal(key: bytes, plaintext: bytes, purpose: bytes, associated: bytes, *, salt: bytes, nonce: bytes) -> bytes:
    # Apart, so that known-answer tests can fix what is random.
    encryption_key, commitment = _derive(key, salt, purpose)
    return salt + commitment + nonce + AESGCM(encryption_key).encrypt(nonce, plaintext, associated)


def open_(key: bytes, sealed: bytes, purpose: bytes, associated: bytes) -> bytes:
    """The text in a box. Raises NotThisKey or Altered."""
    if len(sealed) < OVERHEAD:
        raise Altered
    salt, commitment = sealed[:SALT], sealed[SALT : SALT + COMMITMENT]
    nonce = sealed[SALT + COMMITMENT : SALT + COMMITMENT + NONCE]
    encryption_key, expected = _derive(key, salt, purpose)
    if not hmac.compare_digest(commitment, expected):
        raise NotThisKey
    try:
        return AESGCM(encryption_key).decrypt(nonce, sealed[SALT + COMMITMENT + NONCE :], associated)
    except InvalidTag:
        raise Altered from None


def _derive(key: bytes, salt: bytes, purpose: bytes) -> tuple[bytes, bytes]:
    okm = HKDF(algorithm=hashes.SHA256(), length=64, salt=salt, info=join(purpose)).derive(key)
    return okm[:32], okm[32:]
