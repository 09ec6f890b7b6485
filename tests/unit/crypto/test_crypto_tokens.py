"""Access tokens: which are issued, which are accepted, and what is said about the others."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeop.crypto import tokens
from kubeop.crypto.keyring import generate_key
from kubeop.crypto.tokens import MAX_TTL_SECONDS, SigningKeys, issue, verify
from kubeop.errors import CryptoError, InputError, TokenError

OLD, NEW = generate_key("old"), generate_key("new")
KEYS = SigningKeys.parse(OLD)
SECRET = KEYS.keys[0].secret


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def forge(claims: Any = None, *, secret: bytes = SECRET, payload: bytes | None = None, **header: Any) -> str:
    """A JWT made by hand, so that every part of it can be wrong. A header or claim set to None is left out."""
    now = int(time.time())
    full = {"iss": "kubeop", "sub": "me", "role": "admin", "iat": now, "exp": now + 60} | (claims or {})
    head = {"alg": "HS256", "kid": "old"} | header
    parts = [
        _b64(json.dumps({name: item for name, item in values.items() if item is not None}).encode())
        for values in (head, full)
    ]
    if payload is not None:
        parts[1] = _b64(payload)
    signed = ".".join(parts)
    return f"{signed}.{_b64(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def refusal(token: str, keys: SigningKeys = KEYS) -> str:
    with pytest.raises(TokenError) as caught:
        verify(keys, token)
    assert caught.value.hint
    assert len(token) < 12 or token not in str(caught.value)
    return str(caught.value)


def test_an_issued_token_says_who_it_is_for() -> None:
    before = time.time()
    claims = verify(KEYS, issue(KEYS, subject="alice", role="tenant", scope="tenant:7", ttl_seconds=120))
    assert (claims.subject, claims.role, claims.scope, claims.key_id) == ("alice", "tenant", "tenant:7", "old")
    assert before + 119 <= claims.expires_at.timestamp() <= time.time() + 120
    assert claims.expires_at.utcoffset().total_seconds() == 0
    assert claims.token_id != verify(KEYS, issue(KEYS, subject="a", role="admin", ttl_seconds=1000)).token_id


def test_what_is_made_by_hand_in_the_same_way_is_accepted() -> None:
    assert verify(KEYS, forge()).subject == "me"
    assert verify(KEYS, f" {forge()}\n").role == "admin"


def test_two_keys_are_valid_while_they_rotate() -> None:
    rotating, new_only = SigningKeys.parse(f"{NEW},{OLD}"), SigningKeys.parse(NEW)
    old_token = issue(KEYS, subject="a", role="admin", ttl_seconds=60)
    new_token = issue(rotating, subject="a", role="admin", ttl_seconds=60)
    assert (rotating.active_id, rotating.ids) == ("new", ("new", "old"))
    assert [verify(rotating, token).key_id for token in (old_token, new_token)] == ["old", "new"]
    assert "signed with the key 'old', which this manager does not know; it knows new." in refusal(old_token, new_only)


def test_a_signature_of_other_bytes_is_refused() -> None:
    impostor = SigningKeys.parse(generate_key("old"))
    assert "signature is wrong" in refusal(issue(impostor, subject="a", role="admin", ttl_seconds=60))


@given(st.data())
def test_any_changed_character_is_refused(data: st.DataObject) -> None:
    token = issue(KEYS, subject="alice", role="tenant", scope="tenant:7", ttl_seconds=600)
    # The signature's last character has two bits that no byte uses; changing these changes nothing.
    place = data.draw(st.integers(0, len(token) - 2))
    letter = data.draw(
        st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef0123456789-_.").filter(lambda c: c != token[place])
    )
    refusal(token[:place] + letter + token[place + 1 :])


@given(st.text(max_size=200))
def test_no_text_makes_anything_but_a_token_error(text: str) -> None:
    for token in (text, f"{text}.{text}.{text}", f"{_b64(text.encode(errors='replace'))}.e30.x"):
        with pytest.raises(TokenError):
            verify(KEYS, token)


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ({"alg": "none"}, "not signed with HS256"),
        ({"alg": "HS512"}, "not signed with HS256"),
        ({"alg": "RS256"}, "not signed with HS256"),
        ({"alg": "hs256"}, "not signed with HS256"),
        ({"alg": None}, "not a JWT"),
        ({"kid": None}, "names no key"),
        ({"kid": ""}, "names no key"),
        ({"kid": 7}, "names no key"),
        ({"kid": "x" * 300}, "which this manager does not know"),
        ({"crit": ["exp"], "exp": 1}, "not a JWT"),
        ({"b64": False, "crit": ["b64"]}, "not a JWT"),
        ({"unheard-of": 1}, "not a JWT"),
    ],
)
def test_a_wrong_header_is_refused(header: dict[str, Any], complaint: str) -> None:
    assert complaint in refusal(forge(**header))


def test_an_unsigned_token_is_refused() -> None:
    head, payload, _ = forge(alg="none").split(".")
    assert "not signed with HS256" in refusal(f"{head}.{payload}.")
    head, payload, _ = forge().split(".")
    assert "signature is wrong" in refusal(f"{head}.{payload}.")


NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("claims", "complaint"),
    [
        ({"exp": NOW}, "The token expired at 2027-01-15T08:00:00Z."),
        ({"exp": NOW - 1}, "The token expired at 2027-01-15T07:59:59Z."),
        ({"exp": None}, "does not say when"),
        ({"iat": None}, "does not say when"),
        ({"exp": str(NOW + 60)}, "does not say when"),
        ({"exp": NOW + 0.5}, "does not say when"),
        ({"exp": True}, "does not say when"),
        ({"exp": 10**18}, "does not say when"),
        ({"iat": -1}, "does not say when"),
        ({"nbf": "soon"}, "does not say when"),
        ({"iat": NOW + 31}, "not valid before 2027-01-15T08:00:31Z"),
        ({"nbf": NOW + 31}, "not valid before 2027-01-15T08:00:31Z"),
        ({"iat": NOW, "exp": NOW + MAX_TTL_SECONDS + 1}, "lives longer than"),
        ({"iss": "another"}, "issuer is not 'kubeop'"),
        ({"iss": None}, "issuer is not 'kubeop'"),
        ({"sub": None}, "no subject or no role"),
        ({"sub": 7}, "no subject or no role"),
        ({"role": None}, "no subject or no role"),
        ({"role": ["admin"]}, "no subject or no role"),
        ({"scope": 7}, "not a JWT"),
    ],
)
def test_wrong_claims_are_refused(monkeypatch: pytest.MonkeyPatch, claims: dict[str, Any], complaint: str) -> None:
    monkeypatch.setattr(tokens.time, "time", lambda: float(NOW))
    assert complaint in refusal(forge(claims))


@pytest.mark.parametrize("claims", [{"iat": NOW + 30}, {"nbf": NOW + 30}, {"exp": NOW + 1}, {"nbf": NOW - 9}])
def test_clocks_may_differ_a_little(monkeypatch: pytest.MonkeyPatch, claims: dict[str, Any]) -> None:
    monkeypatch.setattr(tokens.time, "time", lambda: float(NOW))
    assert verify(KEYS, forge(claims)).subject == "me"


@pytest.mark.parametrize(
    ("token", "complaint"),
    [
        ("", "There is no token"),
        (" \n", "There is no token"),
        ("abc", "not a JWT"),
        ("a.b.c", "not a JWT"),
        ("é.b.c", "not a JWT"),
        (forge(payload=b"[]"), "not a JWT"),
        (forge(payload=b"not json"), "not a JWT"),
        (forge({"note": "x" * 9000}), "longer than 8192 characters"),
    ],
)
def test_what_is_no_token_is_refused(token: str, complaint: str) -> None:
    assert complaint in refusal(token)


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ({"subject": " "}, "subject has 1 to 253 characters"),
        ({"subject": "x" * 254}, "subject has 1 to 253 characters"),
        ({"role": "root"}, "no role 'root'"),
        ({"scope": "tenant:1"}, "'admin' has no scope"),
        ({"role": "tenant"}, "cannot have the scope ''"),
        ({"role": "tenant", "scope": "project:1"}, "cannot have the scope 'project:1'"),
        ({"role": "project", "scope": "project:"}, "cannot have the scope 'project:'"),
        ({"ttl_seconds": 0}, "cannot live for 0 seconds"),
        ({"ttl_seconds": MAX_TTL_SECONDS + 1}, "cannot live for"),
    ],
)
def test_a_token_that_cannot_be_is_not_issued(wanted: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        issue(KEYS, **({"subject": "me", "role": "admin", "ttl_seconds": 60} | wanted))


@pytest.mark.parametrize(("length", "accepted"), [(31, False), (32, True), (64, True), (512, True), (513, False)])
def test_a_signing_key_has_32_bytes_or_more(length: int, accepted: bool) -> None:
    text = "k:" + base64.b64encode((bytes(range(256)) * 3)[:length]).decode()
    if accepted:
        keys = SigningKeys.parse(text)
        assert verify(keys, issue(keys, subject="me", role="admin", ttl_seconds=60)).key_id == "k"
    else:
        with pytest.raises(CryptoError, match=f"is {length} bytes long; it has to be 32 to 512"):
            SigningKeys.parse(text)


def test_no_key_shows_in_any_text() -> None:
    assert OLD.partition(":")[2] not in repr(KEYS)
    assert repr(SECRET)[2:-1] not in repr(KEYS)
