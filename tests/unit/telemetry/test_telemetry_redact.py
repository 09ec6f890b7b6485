"""Redaction: what is hidden, what stays, and that no input takes long or breaks it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeop.crypto.certificates import issue_ca
from kubeop.crypto.keyring import Keyring, generate_key
from kubeop.crypto.tokens import SigningKeys, issue
from kubeop.telemetry.redact import REDACTED, is_secret_name, redact, text

HIDDEN = (
    "kubeconfig", "kubeConfig", "kube_config", "token", "accessToken", "access_token", "password", "passwd", "secret",
    "client_secret", "Authorization", "authorization", "X-Auth-Token", "set-cookie", "key", "keys", "private_key",
    "privateKey", "KUBEOP_KMS_MASTER_KEY", "KUBEOP_JWT_SIGNING_KEY", "KUBEOP_HOOK_SECRET", "KUBEOP_DB_URL", "db_url",
    "key_pem", "key_material", "keyMaterial", "client-key-data", "data_key", "apikey", "passphrase", "credentials",
    "jwt",
)  # fmt: skip
SHOWN = (
    "key_id", "key_ids", "keyId", "kek_id", "kid", "token_id", "secret_name", "secretName", "token_ttl_seconds",
    "monkey",    "cluster", "tenant", "namespace", "keyboard", "turkey_count", "url",
    "kubeconfig_path", "name", "event", "secret_namespace",
)  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
def test_names_of_secrets_hide_their_values(name: str) -> None:
    assert is_secret_name(name)
    assert redact({name: "hunter2"}) == {name: REDACTED}
    assert redact({name: ["hunter2", {"a": "hunter2"}]}) == {name: REDACTED}


@pytest.mark.parametrize("name", SHOWN)
def test_other_names_show_their_values(name: str) -> None:
    assert redact({name: "k1"}) == {name: "k1"}


def test_that_a_secret_is_absent_or_present_may_be_seen() -> None:
    fields = {"token": "", "password": None, "kubeconfig": True, "secret": False}
    assert redact(fields) == fields


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("postgresql://user:hunter2@db:5432/kubeop?x=1", f"postgresql://user:{REDACTED}@db:5432/kubeop?x=1"),
        ("at postgresql+psycopg://u:hun@ter2@db/x failed", f"at postgresql+psycopg://u:{REDACTED}@db/x failed"),
        ("redis://:hunter2@cache", f"redis://:{REDACTED}@cache"),
        ("https://u:hun/ter2@host/path", f"https://u:{REDACTED}@host/path"),
        ("Authorization: Bearer hunter2.x-y", f"Authorization: {REDACTED} {REDACTED}"),
        ("sent bearer hunter2", f"sent bearer {REDACTED}"),
        ("connect failed: host=db password=hunter2 user=u", f"connect failed: host=db password={REDACTED} user=u"),
        ("""{"password": "hunter2 and more", "a": 1}""", f"""{{"password": {REDACTED}, "a": 1}}"""),
        ("KUBEOP_HOOK_SECRET='hunter2'", f"KUBEOP_HOOK_SECRET={REDACTED}"),
        ("    client-key-data: aHVudGVyMg==", f"    client-key-data: {REDACTED}"),
        ("    token: hunter2\n    other: x", f"    token: {REDACTED}\n    other: x"),
    ],
)
def test_credentials_inside_a_text_are_hidden(dirty: str, clean: str) -> None:
    assert text(dirty) == clean
    assert redact({"nested": [{"deep": dirty}]}) == {"nested": [{"deep": clean}]}


@pytest.mark.parametrize(
    "harmless",
    [
        "https://host:8443/path",
        "http://[::1]:8080/healthz",
        "The token expired at 2027-01-15T08:00:00Z.",
        "There is no key with the id 'k1'; the key ring has k2.",
        "mail to someone@example.com",
        "kubeop:v1:kek-1:0123456789abcdef:abc:def",
    ],
)
def test_other_texts_stay(harmless: str) -> None:
    assert text(harmless) == harmless


def test_tokens_and_private_keys_are_known_by_their_look() -> None:
    token = issue(SigningKeys.parse(generate_key()), subject="me", role="admin", ttl_seconds=60)
    key = issue_ca("x").key_pem.decode()
    shown = text(f"got {token} and\n{key}then {key[:90]}")
    assert shown == f"got {REDACTED} and\n{REDACTED}\nthen {REDACTED}"


def test_every_kind_of_value_becomes_json() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("hunter2")

    ring = Keyring.parse(generate_key("k1"))
    cycle: dict[str, Any] = {}
    cycle["again"] = cycle
    shown = redact(
        {
            "bytes": b"hunter2",
            "object": ring,
            "error": ValueError("password=hunter2"),
            "broken": Broken(),
            "set": {1},
            "tuple": (1, 2.5, None, True),
            3: "number",
            "cycle": cycle,
        }
    )
    assert "hunter2" not in json.dumps(shown)
    assert shown["bytes"] == "<7 bytes>"
    assert shown["object"] == "Keyring(keys=(Key(id='k1'),))"
    assert shown["error"] == f"password={REDACTED}"
    assert shown["broken"] == "<Broken, whose text failed with RuntimeError>"
    assert shown["tuple"] == [1, 2.5, None, True]
    assert shown["3"] == "number"
    assert json.dumps(shown["cycle"]).count("again") == 7


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=20,
)


@given(st.sampled_from(HIDDEN), values, st.lists(st.sampled_from(["cluster", "spec", "0"]), max_size=5))
def test_a_secret_shows_at_no_depth(name: str, around: Any, path: list[str]) -> None:
    value: Any = {name: "hunter2-hunter2", "around": around}
    for step in path:
        value = [value] if step == "0" else {step: value}
    shown = redact(value)
    assert "hunter2-hunter2" not in json.dumps(shown)
    assert isinstance(shown, Mapping | list)


@pytest.mark.parametrize(
    "piece", ["a", "a-", "a.", "token", "token=", "://", "a://a", "Bearer ", "-----BEGIN ", '"', "eyJ", "key"]
)
def test_no_long_text_takes_long(piece: str) -> None:
    # A pattern that is quadratic would take minutes here; the text is cut to a length that a log line may have.
    shown = text(piece * 1_000_000)
    assert len(shown) < 200_000
    assert shown.endswith(f"({len(piece) * 1_000_000} characters)") or REDACTED in shown
