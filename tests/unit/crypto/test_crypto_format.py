"""The stored format can never change silently: fixed vectors, and a second reading of the documented layout.

The vectors were computed once. A change that breaks one of these tests makes stored secrets unreadable: add a new
format version instead.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kubeop.crypto import box, envelope
from kubeop.crypto.envelope import Context
from kubeop.crypto.keyring import Key, Keyring

KEK, DATA_KEY = bytes(range(32)), bytes(range(32, 64))
RING = Keyring((Key("kek-1", KEK),))
DATA_KEY_ID = "0123456789abcdef"
CONTEXT = Context("tenant-a", "west", "kubeconfig", "7", 3)
VALUE = "a secret ✓".encode()

WRAPPED = bytes.fromhex(
    "01404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5fd4ca519d968769fed2aa6127928519e073826f2f09eab568"
    "86fd6513f05f102f606162636465666768696a6bafe231d5f5bdc2d8b3f5f1a8bac047ae14acfcd9012086841c2e7d42fb9df2ca58ecae590c"
    "8692a8f45361461a384c5d"
)
SEALED = bytes.fromhex(
    "0110303132333435363738396162636465665f5e5d5c5b5a595857565554535251504f4e4d4c4b4a494847464544434241403ede5be843a136"
    "c4e9b2ae314a7066691090849f8dfa57bcb4ae5fa90ab8edd06b6a6968676665646362616005ccf9cf8d412afabaac30077ee10c2154b87d25"
    "4316d98ec8f6f75b"
)
SEALED_EMPTY = bytes.fromhex(
    "011030313233343536373839616263646566404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f2eb78ddb50b776"
    "75f4a15a128217ffd75dd1d299ba1ab29540edad3ffe4e5ae1606162636465666768696a6b5ddba70bebbb86e32c8bfc4631444565"
)
TOKEN = (
    "kubeop:v1:kek-1:0123456789abcdef:"
    "AUBBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5f1MpRnZaHaf7SqmEnkoUZ4HOCby8J6rVohv1lE_BfEC9gYWJjZGVmZ2hpamuv4jHV9b3C"
    "2LP18ai6wEeuFKz82QEghoQcLn1C-53yyljsrlkMhpKo9FNhRho4TF0:"
    "ARAwMTIzNDU2Nzg5YWJjZGVmX15dXFtaWVhXVlVUU1JRUE9OTUxLSklIR0ZFRENCQUA-3lvoQ6E2xOmyrjFKcGZpEJCEn436V7y0rl-pCrjt0Gtq"
    "aWhnZmVkY2JhYAXM-c-NQSr6uqwwB37hDCFUuH0lQxbZjsj291s"
)


def test_the_vectors_open() -> None:
    data_key = envelope.unwrap(RING, id=DATA_KEY_ID, kek_id="kek-1", wrapped=WRAPPED)
    assert data_key.secret == DATA_KEY
    assert envelope.data_key_id(SEALED) == DATA_KEY_ID
    assert envelope.open_(data_key, SEALED, CONTEXT) == VALUE
    assert envelope.open_(data_key, SEALED_EMPTY, Context()) == b""
    assert envelope.open_token(RING, TOKEN, CONTEXT) == VALUE
    assert envelope.token_key_id(TOKEN) == "kek-1"


def test_the_vectors_come_out_again_with_the_same_salt_and_nonce() -> None:
    salt, nonce = bytes(range(64, 96)), bytes(range(96, 108))
    binding = box.join(b"kubeop wrap v1", b"kek-1", b"data-key", DATA_KEY_ID.encode(), b"purpose", b"data key")
    assert b"\x01" + box._seal(KEK, DATA_KEY, b"kubeop wrap v1", binding, salt=salt, nonce=nonce) == WRAPPED
    header = b"\x01\x10" + DATA_KEY_ID.encode()
    context = box.join(b"kubeop seal v1", header, b"tenant-a", b"west", b"kubeconfig", b"7", (3).to_bytes(8, "big"))
    sealed = box._seal(DATA_KEY, VALUE, b"kubeop seal v1", context, salt=salt[::-1], nonce=nonce[::-1])
    assert header + sealed == SEALED


def _open_by_the_book(key: bytes, sealed: bytes, purpose: bytes, associated: bytes) -> bytes:
    """The documented layout once more, with HKDF written out (RFC 5869) and nothing of kubeop."""
    salt, commitment, nonce, text = sealed[:32], sealed[32:64], sealed[64:76], sealed[76:]
    info = len(purpose).to_bytes(4, "big") + purpose
    pseudorandom = hmac.digest(salt, key, hashlib.sha256)
    first = hmac.digest(pseudorandom, info + b"\x01", hashlib.sha256)
    second = hmac.digest(pseudorandom, first + info + b"\x02", hashlib.sha256)
    assert commitment == second
    return AESGCM(first).decrypt(nonce, text, associated)


def _list(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def test_a_new_token_reads_as_documented() -> None:
    prefix, version, kek_id, data_key_id, wrapped64, sealed64 = envelope.seal_token(RING, VALUE, CONTEXT).split(":")
    assert (prefix, version, kek_id) == ("kubeop", "v1", "kek-1")
    wrapped, sealed = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in (wrapped64, sealed64))
    assert (wrapped[0], len(wrapped)) == (1, 125)
    binding = _list(b"kubeop wrap v1", b"kek-1", b"data-key", data_key_id.encode(), b"purpose", b"data key")
    data_key = _open_by_the_book(KEK, wrapped[1:], b"kubeop wrap v1", binding)

    header = sealed[: 2 + sealed[1]]
    assert header == bytes([1, len(data_key_id)]) + data_key_id.encode()
    names = (b"tenant-a", b"west", b"kubeconfig", b"7", (3).to_bytes(8, "big"))
    associated = _list(b"kubeop seal v1", header, *names)
    assert _open_by_the_book(data_key, sealed[len(header) :], b"kubeop seal v1", associated) == VALUE


def test_one_key_gives_unrelated_keys_to_different_purposes() -> None:
    salt = bytes(32)
    derived = {part for purpose in (b"kubeop wrap v1", b"kubeop seal v1") for part in box._derive(KEK, salt, purpose)}
    assert len(derived) == 4
