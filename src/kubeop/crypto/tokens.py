"""The manager's access tokens: JWTs signed with HS256 and nothing else, by a key that the header names.

Two or more signing keys are valid at once while they rotate: the first signs, all of them verify. A token lives at most
MAX_TTL_SECONDS, whoever signed it. Verifying says what is wrong in one sentence and never repeats the token.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import OctKey

from kubeop.crypto.keyring import Key, parse_keys
from kubeop.errors import InputError, TokenError

ISSUER = "kubeop"
ALGORITHM = "HS256"
ROLES = ("admin", "tenant", "project")
MAX_TTL_SECONDS = 90 * 24 * 3600
LEEWAY_SECONDS = 30  # how far the clocks of issuer and verifier may differ
_MAX_TOKEN_CHARACTERS = 8192
_KEY_BYTES = (32, 512)
_NEW_TOKEN = "`kubeop keys token` makes a new one."  # noqa: S105 - a hint, not a secret


@dataclass(frozen=True)
class SigningKeys:
    """The keys that sign (the first) and verify (all). Their bytes stay out of `repr`."""

    keys: tuple[Key, ...]

    @classmethod
    def parse(cls, text: str, *, source: str = "the signing keys") -> SigningKeys:
        """Read `id:base64` or bare base64 keys of at least 32 bytes, comma-separated.

        Raises CryptoError, which names `source` and the position of the key at fault.
        """
        at_least, at_most = _KEY_BYTES
        return cls(parse_keys(text, source=source, at_least=at_least, at_most=at_most))

    @property
    def active_id(self) -> str:
        """The id of the key that signs."""
        return self.keys[0].id

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of every key whose tokens are accepted, the active one first."""
        return tuple(key.id for key in self.keys)


@dataclass(frozen=True)
class Claims:
    """What a valid token says. `scope` is "tenant:<id>" or "project:<id>" for these roles and empty for an admin."""

    subject: str
    role: str
    scope: str
    expires_at: datetime
    token_id: str = ""
    key_id: str = ""


def issue(keys: SigningKeys, *, subject: str, role: str, scope: str = "", ttl_seconds: int) -> str:
    """A token signed with the active key, valid from now for `ttl_seconds`.

    Raises InputError for a subject, role, scope or lifetime that a token cannot have.
    """
    _check_claims(subject, role, scope)
    if not 0 < ttl_seconds <= MAX_TTL_SECONDS:
        raise InputError(
            f"A token cannot live for {ttl_seconds} seconds.", hint=f"Use 1 to {MAX_TTL_SECONDS} seconds (90 days)."
        )
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "sub": subject,
        "role": role,
        "iat": now,
        "nbf": now,
        "exp": now + ttl_seconds,
        "jti": secrets.token_hex(16),
    }
    if scope:
        claims["scope"] = scope
    key = keys.keys[0]
    return jwt.encode({"alg": ALGORITHM, "kid": key.id}, claims, _native(key), algorithms=[ALGORITHM])


def _check_claims(subject: str, role: str, scope: str) -> None:
    if not subject.strip() or len(subject) > 253:
        raise InputError("A token's subject has 1 to 253 characters.", hint="Name the person or service that uses it.")
    if role not in ROLES:
        raise InputError(f"There is no role {role!r}.", hint=f"Use one of {', '.join(ROLES)}.")
    if role == "admin" and scope:
        raise InputError("A token with the role 'admin' has no scope.", hint="Leave the scope out.")
    kind, _, name = scope.partition(":")
    if role != "admin" and (kind != role or not name or len(scope) > 253):
        raise InputError(
            f"A token with the role {role!r} cannot have the scope {scope!r}.", hint=f"Use the scope {role}:<id>."
        )


def verify(keys: SigningKeys, token: str) -> Claims:
    """What a token says, once its signature and times are found right. Raises TokenError."""
    token = token.strip()
    if not token:
        raise TokenError("There is no token.", hint="Send one as `Authorization: Bearer <token>`.")
    key = _signer(keys, _header(token))
    try:
        claims = jwt.decode(token, _native(key), algorithms=[ALGORITHM]).claims
    except BadSignatureError:
        raise TokenError(
            f"The token's signature is wrong: it was altered, or signed with another key of the id {key.id!r}.",
            hint=_NEW_TOKEN,
        ) from None
    except (JoseError, ValueError, TypeError):
        raise _malformed() from None
    return _checked(claims, key.id)


def _header(token: str) -> dict[str, Any]:
    if len(token) > _MAX_TOKEN_CHARACTERS:
        raise TokenError(f"The token is longer than {_MAX_TOKEN_CHARACTERS} characters.", hint=_NEW_TOKEN)
    try:
        return dict(jws.extract_compact(token.encode("ascii")).protected)
    except (JoseError, ValueError, TypeError):
        raise _malformed() from None


def _signer(keys: SigningKeys, header: dict[str, Any]) -> Key:
    """The key that the header names, once its algorithm is found to be ours."""
    if header.get("alg") != ALGORITHM:
        raise TokenError(f"The token is not signed with {ALGORITHM}.", hint=_NEW_TOKEN)
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not key_id:
        raise TokenError("The token's header names no key (kid).", hint=_NEW_TOKEN)
    for key in keys.keys:
        if key.id == key_id:
            return key
    raise TokenError(
        f"The token is signed with the key {key_id[:63]!r}, which this manager does not know; "
        f"it knows {', '.join(keys.ids)}.",
        hint=f"Add that key to KUBEOP_JWT_SIGNING_KEY, or make a new token: {_NEW_TOKEN}",
    )


def _checked(claims: dict[str, Any], key_id: str) -> Claims:
    if claims.get("iss") != ISSUER:
        raise TokenError(f"The token's issuer is not {ISSUER!r}.", hint=_NEW_TOKEN)
    issued, not_before, expires = _times(claims)
    now = time.time()
    if now >= expires:
        raise TokenError(f"The token expired at {_moment(expires):%Y-%m-%dT%H:%M:%SZ}.", hint=_NEW_TOKEN)
    if max(issued, not_before) > now + LEEWAY_SECONDS:
        raise TokenError(
            f"The token is not valid before {_moment(max(issued, not_before)):%Y-%m-%dT%H:%M:%SZ}.",
            hint="Set the clocks of the machine that issued it and of the manager.",
        )
    if expires - issued > MAX_TTL_SECONDS:
        raise TokenError(f"The token lives longer than {MAX_TTL_SECONDS} seconds (90 days).", hint=_NEW_TOKEN)
    subject, role = claims.get("sub"), claims.get("role")
    scope, token_id = claims.get("scope", ""), claims.get("jti", "")
    if not (isinstance(subject, str) and subject and isinstance(role, str) and role):
        raise TokenError("The token names no subject or no role.", hint=_NEW_TOKEN)
    if not (isinstance(scope, str) and isinstance(token_id, str)):
        raise _malformed()
    return Claims(subject, role, scope, _moment(expires), token_id, key_id)


def _times(claims: dict[str, Any]) -> tuple[int, int, int]:
    """`iat`, `nbf` and `exp` in seconds since 1970. `exp` and `iat` have to be there, `nbf` need not."""
    issued, expires = claims.get("iat"), claims.get("exp")
    times = (issued, claims.get("nbf", issued), expires)
    # A bool is an int to Python; beyond the year 9999 there is no datetime.
    if any(type(value) is not int or not 0 <= value < 253402300800 for value in times):
        raise TokenError("The token does not say when it was issued and when it expires.", hint=_NEW_TOKEN)
    return times  # type: ignore[return-value]  # checked above


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)


def _native(key: Key) -> OctKey:
    return OctKey.import_key(key.secret, {"kid": key.id})


def _malformed() -> TokenError:
    return TokenError("The token is not a JWT, or it was cut short.", hint=f"Copy the whole token again. {_NEW_TOKEN}")
