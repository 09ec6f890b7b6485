"""The envelope: what is sealed opens with the right keys in the right context, and with nothing else."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeop.crypto import box, envelope
from kubeop.crypto.envelope import Context
from kubeop.crypto.keyring import Key, Keyring, generate_key
from kubeop.crypto.kms import LocalProvider, Provider, Wrapped
from kubeop.errors import CryptoError, KeyMissing, SealBroken, WrongKey

RING = Keyring.parse(generate_key("k1"))
OTHER = Keyring.parse(generate_key("k1"))  # same id, other bytes
DATA_KEY = envelope.new_data_key(RING)
HERE = Context("tenant-a", "west", "kubeconfig", "7", 3)
SECRET = b"apiVersion: v1\nkind: Config\n"

names = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
contexts = st.builds(Context, names, names, names, names, st.integers(0, 2**64 - 1))


@given(st.binary(max_size=2000), contexts)
def test_what_is_sealed_opens(value: bytes, context: Context) -> None:
    assert envelope.open_(DATA_KEY, envelope.seal(DATA_KEY, value, context), context) == value
    assert envelope.open_token(RING, envelope.seal_token(RING, value, context), context) == value


@given(contexts, contexts)
def test_another_context_is_refused(sealed_in: Context, opened_in: Context) -> None:
    if sealed_in == opened_in:
        opened_in = replace(opened_in, record=opened_in.record + "x")
    sealed = envelope.seal(DATA_KEY, SECRET, sealed_in)
    with pytest.raises(SealBroken, match="another context"):
        envelope.open_(DATA_KEY, sealed, opened_in)


@pytest.mark.parametrize("field", [field.name for field in fields(Context)])
def test_each_part_of_the_context_counts(field: str) -> None:
    sealed = envelope.seal(DATA_KEY, SECRET, HERE)
    other = replace(HERE, **{field: 4 if field == "version" else "else"})
    with pytest.raises(SealBroken) as caught:
        envelope.open_(DATA_KEY, sealed, other)
    assert str(other) in str(caught.value)


def test_no_two_contexts_look_alike() -> None:
    # What concatenation without lengths would confuse.
    sealed = envelope.seal(DATA_KEY, SECRET, Context(tenant="ab", cluster="c"))
    for other in (Context(tenant="a", cluster="bc"), Context(tenant="abc"), Context(tenant="ab", field="c")):
        with pytest.raises(SealBroken):
            envelope.open_(DATA_KEY, sealed, other)
    assert box.join(b"ab", b"c") != box.join(b"a", b"bc")
    assert box.join(b"a") != box.join(b"a", b"")


def test_every_flipped_bit_of_a_sealed_value_is_refused() -> None:
    sealed = envelope.seal(DATA_KEY, b"secret", HERE)
    for bit in range(len(sealed) * 8):
        altered = bytearray(sealed)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises((SealBroken, WrongKey, KeyMissing)):
            envelope.open_(DATA_KEY, bytes(altered), HERE)


def test_every_flipped_bit_of_a_wrapped_key_is_refused() -> None:
    for bit in range(len(DATA_KEY.wrapped) * 8):
        altered = bytearray(DATA_KEY.wrapped)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises((SealBroken, WrongKey)):
            envelope.unwrap(RING, id=DATA_KEY.id, kek_id="k1", wrapped=bytes(altered))


@given(st.data())
def test_any_changed_character_of_a_token_is_refused(data: st.DataObject) -> None:
    token = envelope.seal_token(RING, b"secret", HERE)
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c != token[place]))
    with pytest.raises((SealBroken, WrongKey, KeyMissing)):
        envelope.open_token(RING, token[:place] + letter + token[place + 1 :], HERE)


@given(st.integers(0, 200))
def test_a_value_cut_short_or_made_longer_is_refused(length: int) -> None:
    sealed = envelope.seal(DATA_KEY, b"secret", HERE)
    for altered in (sealed[: min(length, len(sealed) - 1)], sealed + b"\x00" * (length + 1)):
        with pytest.raises((SealBroken, KeyMissing)):
            envelope.open_(DATA_KEY, altered, HERE)


@given(st.binary(max_size=300))
def test_no_bytes_make_anything_but_a_crypto_error(data: bytes) -> None:
    with pytest.raises(CryptoError):
        envelope.open_(DATA_KEY, data, HERE)


@given(st.text(max_size=100))
def test_no_text_makes_anything_but_a_crypto_error(text: str) -> None:
    for token in (text, "kubeop:v1:" + text, f"kubeop:v1:k1:{DATA_KEY.id}:{text}:{text}"):
        with pytest.raises(CryptoError):
            envelope.open_token(RING, token, HERE)


def test_sealing_twice_gives_nothing_in_common() -> None:
    first, second = (envelope.seal(DATA_KEY, SECRET, HERE) for _ in range(2))
    header = 2 + len(DATA_KEY.id)
    assert first[:header] == second[:header]
    for start, end in ((0, 32), (32, 64), (64, 76), (76, 200)):  # salt, commitment, nonce, text and tag
        assert first[header + start : header + end] != second[header + start : header + end]
    tokens = [envelope.seal_token(RING, SECRET, HERE).split(":") for _ in range(2)]
    assert all(a != b for a, b in zip(tokens[0][3:], tokens[1][3:], strict=True))


def test_no_secret_shows_in_what_is_stored() -> None:
    sealed = envelope.seal(DATA_KEY, SECRET, HERE)
    for stored in (sealed, DATA_KEY.wrapped, repr(DATA_KEY).encode()):
        assert SECRET not in stored
        assert DATA_KEY.secret not in stored
    assert repr(DATA_KEY) == f"DataKey(id='{DATA_KEY.id}', kek_id='k1')"


def test_a_key_that_is_not_there_is_named() -> None:
    token = envelope.seal_token(RING, SECRET, HERE)
    with pytest.raises(KeyMissing, match=r"no key with the id 'k1'; the key ring has k2, k3\."):
        envelope.open_token(Keyring.parse(f"{generate_key('k2')},{generate_key('k3')}"), token, HERE)
    another = envelope.new_data_key(RING)
    with pytest.raises(KeyMissing, match=f"needs the data key '{DATA_KEY.id}'; the one at hand is '{another.id}'"):
        envelope.open_(another, envelope.seal(DATA_KEY, SECRET, HERE), HERE)


def test_a_key_with_the_right_id_and_other_bytes_is_called_wrong() -> None:
    token = envelope.seal_token(RING, SECRET, HERE)
    with pytest.raises(WrongKey, match="'k1' is not the one that wrapped this data key: same id, other bytes"):
        envelope.open_token(OTHER, token, HERE)
    impostor = replace(DATA_KEY, secret=bytes(32))
    with pytest.raises(WrongKey, match=f"data key '{DATA_KEY.id}' is not the one that sealed this value"):
        envelope.open_(impostor, envelope.seal(DATA_KEY, SECRET, HERE), HERE)


def test_a_wrapped_key_is_bound_to_its_ids() -> None:
    with pytest.raises(SealBroken, match="belongs to another"):
        envelope.unwrap(RING, id="0" * 16, kek_id="k1", wrapped=DATA_KEY.wrapped)
    renamed = Keyring((Key("k2", RING.active.secret),))
    with pytest.raises(SealBroken, match="belongs to another"):
        envelope.unwrap(renamed, id=DATA_KEY.id, kek_id="k2", wrapped=DATA_KEY.wrapped)
    with pytest.raises(SealBroken, match="newer version"):
        envelope.unwrap(RING, id=DATA_KEY.id, kek_id="k1", wrapped=b"\x02" + DATA_KEY.wrapped[1:])


def test_rewrapping_keeps_values_readable_and_needs_the_old_key_no_more() -> None:
    sealed, token = envelope.seal(DATA_KEY, SECRET, HERE), envelope.seal_token(RING, SECRET, HERE)
    both = Keyring((*Keyring.parse(generate_key("k2")), *RING))
    rewrapped, new_token = envelope.rewrap(both, DATA_KEY), envelope.rewrap_token(both, token)
    assert (rewrapped.id, rewrapped.kek_id) == (DATA_KEY.id, "k2")
    assert envelope.token_key_id(token) == "k1"
    assert envelope.token_key_id(new_token) == "k2"
    assert new_token.rsplit(":", 1)[1] == token.rsplit(":", 1)[1]  # the sealed value itself is untouched

    new_only = both.without("k1")
    stored = envelope.unwrap(new_only, id=rewrapped.id, kek_id=rewrapped.kek_id, wrapped=rewrapped.wrapped)
    assert envelope.open_(stored, sealed, HERE) == SECRET
    assert envelope.open_token(new_only, new_token, HERE) == SECRET
    with pytest.raises(KeyMissing, match="'k1'"):
        envelope.open_token(new_only, token, HERE)


def test_white_space_around_a_token_is_no_part_of_it() -> None:
    token = envelope.seal_token(RING, SECRET, HERE)
    assert envelope.open_token(RING, f"  {token}\n", HERE) == SECRET
    assert envelope.is_token(f" {token}\n")
    assert not envelope.is_token("kubeop:v2:x")
    assert not envelope.is_token("hunter2")


def test_a_token_has_one_spelling() -> None:
    token = envelope.seal_token(RING, b"12345", HERE)
    sealed = token.rsplit(":", 1)[1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(sealed) % 4 == 2  # the last character has four bits that no byte uses
    unused_bit = alphabet[alphabet.index(token[-1]) ^ 1]
    for variant in (token[:-1] + unused_bit, token + "==", token[:-8] + "\n" + token[-8:], token + ":"):
        with pytest.raises(SealBroken):
            envelope.open_token(RING, variant, HERE)


def test_what_cannot_be_sealed_is_said() -> None:
    for context in (Context(tenant="\ud800"), Context(version=-1), Context(version=2**64)):
        with pytest.raises(CryptoError, match="context cannot be encoded"):
            envelope.seal(DATA_KEY, b"", context)
    with pytest.raises(CryptoError, match="at most"):
        envelope.seal(DATA_KEY, bytes(64 * 1024 * 1024 + 1), HERE)


def test_another_kms_fits_the_same_protocol() -> None:
    class Counting:
        """A provider that is not a key ring: it counts its calls."""

        def __init__(self) -> None:
            self.inner, self.calls = LocalProvider(RING), 0

        @property
        def active_id(self) -> str:
            return self.inner.active_id

        @property
        def ids(self) -> tuple[str, ...]:
            return self.inner.ids

        def wrap(self, secret: bytes, binding: dict[str, str]) -> Wrapped:
            self.calls += 1
            assert binding["purpose"] == "data key"
            return self.inner.wrap(secret, binding)

        def unwrap(self, wrapped: Wrapped, binding: dict[str, str]) -> bytes:
            self.calls += 1
            return self.inner.unwrap(wrapped, binding)

    provider: Provider = Counting()
    assert envelope.open_token(provider, envelope.seal_token(provider, SECRET, HERE), HERE) == SECRET
    assert provider.calls == 2
    assert (provider.active_id, provider.ids) == ("k1", ("k1",))
