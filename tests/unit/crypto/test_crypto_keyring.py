"""The key ring: reading key texts, ids, retiring, and nothing secret in any text about them."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeop.crypto.keyring import Key, Keyring, check_id, derive_id, generate_key, parse_keys
from kubeop.errors import CryptoError, KeyMissing

A, B = bytes(range(32)), bytes(range(32, 64))
A64, B64 = base64.b64encode(A).decode(), base64.b64encode(B).decode()


def test_the_first_key_is_active_and_all_are_at_hand() -> None:
    ring = Keyring.parse(f" new:{A64} , old:{B64}\n")
    assert ring.active_id == "new"
    assert ring.ids == ("new", "old")
    assert ring.key("old").secret == B
    assert [key.id for key in ring] == ["new", "old"]


def test_a_bare_key_has_an_id_derived_from_its_bytes() -> None:
    expected = hashlib.sha256(b"kubeop key id v1\x00" + A).hexdigest()[:8]
    assert Keyring.parse(A64).ids == (expected,) == (derive_id(A),) == ("f3a5d995",)


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=5, unique=True))
def test_every_text_of_good_keys_is_read_back(secrets: list[bytes]) -> None:
    text = ",".join(f"k{number}:{base64.b64encode(secret).decode()}" for number, secret in enumerate(secrets))
    assert [key.secret for key in Keyring.parse(text)] == secrets


def test_generated_keys_differ_and_are_read_back() -> None:
    first, second = generate_key("a"), generate_key("a")
    assert first != second
    assert Keyring.parse(first).active_id == "a"
    named = Keyring.parse(generate_key())
    assert named.active_id == derive_id(named.active.secret)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the source holds no key"),
        (" \n", "the source holds no key"),
        (f"a:{A64},", "Key 2 of 2 in the source is empty"),
        (f"a:{A64},,b:{B64}", "Key 2 of 3 in the source is empty"),
        ("a:*not!base64*", "Key 1 of 1 in the source is not base64"),
        (A64[:-1], "Key 1 of 1 in the source is not base64"),
        ("a:", "Key 1 of 1 in the source is 0 bytes long; it has to be 32"),
        ("a:" + base64.b64encode(A[:31]).decode(), "is 31 bytes long; it has to be 32"),
        ("a:" + base64.b64encode(A + b"x").decode(), "is 33 bytes long; it has to be 32"),
        (f"a:{A64},a:{B64}", "Key 2 of 2 in the source has the same id as key 1"),
        (f"a:{A64},b:{A64}", "Key 2 of 2 in the source has the same bytes as key 1"),
        (f":{A64}", "Key 1 of 1 in the source has no id before its ':'"),
        (f"bad id:{A64}", "characters that an id cannot have"),
        (f"-a:{A64}", "characters that an id cannot have"),
        (f"{'x' * 64}:{A64}", "too long"),
        (f"ключ:{A64}", "characters that an id cannot have"),
        (f"{A64}:a", "Key 1 of 1 in the source"),  # the wrong way round
    ],
)
def test_a_bad_text_is_refused_by_position_and_without_its_value(text: str, complaint: str) -> None:
    with pytest.raises(CryptoError) as caught:
        Keyring.parse(text, source="the source")
    assert complaint in str(caught.value)
    assert caught.value.hint
    assert caught.value.__cause__ is None
    for secret in (A64, B64, A64[:20], "not!base64", "ключ", "bad id"):
        assert secret not in str(caught.value)


@given(st.text(max_size=120))
def test_no_text_makes_anything_but_a_key_ring_or_a_crypto_error(text: str) -> None:
    try:
        ring = Keyring.parse(text)
    except CryptoError:
        return
    assert all(len(key.secret) == 32 for key in ring)


def test_lengths_are_the_callers_choice() -> None:
    long = base64.b64encode(bytes(range(64))).decode()
    assert len(parse_keys(f"a:{long}", source="it", at_least=32, at_most=64)[0].secret) == 64
    with pytest.raises(CryptoError, match="it has to be 32 to 63"):
        parse_keys(f"a:{long}", source="it", at_least=32, at_most=63)


def test_a_missing_key_names_the_ids_at_hand() -> None:
    with pytest.raises(KeyMissing, match=r"no key with the id 'gone'; the key ring has a, b\."):
        Keyring.parse(f"a:{A64},b:{B64}").key("gone")


def test_retiring() -> None:
    ring = Keyring.parse(f"a:{A64},b:{B64}")
    assert ring.without("a").ids == ("b",)
    assert ring.ids == ("a", "b")
    with pytest.raises(CryptoError, match="'b' is the only one"):
        ring.without("a").without("b")
    with pytest.raises(KeyMissing, match="'c'"):
        ring.without("c")
    with pytest.raises(CryptoError, match="at least one key"):
        Keyring(())


def test_key_bytes_show_in_no_text() -> None:
    ring = Keyring.parse(f"a:{A64}")
    for text in (repr(ring), str(ring), repr(ring.active), f"{ring.active}"):
        assert "'a'" in text
        assert repr(A)[2:-1] not in text
        assert A64 not in text


def test_keys_are_equal_by_id_and_bytes() -> None:
    assert Key("a", A) == Key("a", bytes(A))
    assert Key("a", A) != Key("a", B)
    assert Key("a", A) != Key("b", A)
    assert Key("a", A) != "a"
    assert len({Key("a", A), Key("a", A)}) == 1


def test_an_id_is_checked_without_repeating_it() -> None:
    assert check_id("A.b_c-1") == "A.b_c-1"
    with pytest.raises(CryptoError) as caught:
        generate_key("a b")
    assert "a b" not in str(caught.value)
