"""Secrets taken out of what is about to be logged: by the name of the field, and by their look inside any text.

It errs on the side of hiding: a field whose name speaks of a secret is hidden whole, whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REDACTED = "[redacted]"
_MAX_DEPTH = 8
_MAX_TEXT = 16384  # characters; a longer text in a log is a body that should not be there

_SECRET_NAME = re.compile(
    r"kube-?_?config|token|passw|passphrase|secret|authorization|credential|cookie|bearer|jwt"
    r"|(?:^|[_\-.])(?:pw|pwd|dsn|pat|key|keys|pem)(?:$|[_\-.](?:pem|bytes|data|material|text|b64|base64)$)"
    r"|key_?material|(?:private|signing|master|data|api|access|client|encryption)[_\-]?keys?"
    r"|(?:db|database)_?url",
    re.IGNORECASE,
)
# What says something about a secret without being one: token_id, secret_name, signing_key_ids, token_ttl_seconds.
_HARMLESS_END = re.compile(r"[_\-](?:id|ids|name|names|namespace|count|seconds|days|at|path|file)$", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# Each pattern is linear in the text: none starts with a repetition that could match at every place.
_PATTERNS = (
    # scheme://user:password@host, also without a user; up to the last @, for a password may hold @ and / itself
    (re.compile(r"(\b[a-z][a-z0-9+.\-]{0,30}://[^\s:/@]{0,256}):\S*@", re.IGNORECASE), rf"\1:{REDACTED}@"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), REDACTED),
    (re.compile(r"\beyJ[\w\-]+\.[\w\-]+\.[\w\-]*"), REDACTED),  # a JWT
    (re.compile(r"\b(Bearer|Basic)\s+[\w\-.~+/=]+", re.IGNORECASE), rf"\1 {REDACTED}"),
    # password=…, "token": "…", client-key-data: …; what stands before the word, such as KUBEOP_HOOK_, stays
    (
        re.compile(
            r"""((?:passw(?:or)?d|passphrase|token|secret|authorization|(?:client|private|signing|master|api)[_\-]?key"""
            r"""(?:[_\-]data)?)["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&"'}\])]+)""",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
)


def is_secret_name(name: str) -> bool:
    """Whether a field of this name is hidden whatever it holds."""
    words = _CAMEL.sub("_", name)
    return bool(_SECRET_NAME.search(words)) and not _HARMLESS_END.search(words)


def text(value: str) -> str:
    """The text without the credentials that show by their look: URLs, tokens, private keys, `password=…`."""
    if len(value) > _MAX_TEXT:
        value = f"{value[:_MAX_TEXT]}… ({len(value)} characters)"
    for pattern, replacement in _PATTERNS:
        value = pattern.sub(replacement, value)
    return value


def redact(value: Any, depth: int = 0) -> Any:
    """A copy of any value that is safe to log and to write as JSON. Bytes become their length, objects their `repr`."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if depth >= _MAX_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        return {
            text(str(name)): REDACTED if _hidden(str(name), item) else redact(item, depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, depth + 1) for item in value]
    return text(_representation(value))


def _hidden(name: str, item: object) -> bool:
    # That a secret is absent, or whether it is there, is worth knowing and gives nothing away.
    return is_secret_name(name) and item is not None and item != "" and not isinstance(item, bool)


def _representation(value: object) -> str:
    try:
        return str(value) if isinstance(value, BaseException) else repr(value)
    except Exception as error:  # noqa: BLE001 - a log line must never fail because of what it was given
        return f"<{type(value).__name__}, whose text failed with {type(error).__name__}>"
