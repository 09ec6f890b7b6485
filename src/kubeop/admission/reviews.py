"""AdmissionReview, the API server's question and our answer, as structs that are read and written in one pass.

Only what the rules look at is read; everything else in the question is skipped. The object under review stays a plain
mapping: the rules are the same functions that judge manifests anywhere else.
"""

from __future__ import annotations

from typing import Any

import msgspec

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"


class GroupResource(msgspec.Struct, frozen=True):
    """What kind of object is asked about; the version plays no part."""

    group: str
    resource: str


class User(msgspec.Struct, frozen=True):
    """Who asks."""

    username: str = ""
    groups: tuple[str, ...] = ()


class Request(msgspec.Struct, frozen=True, rename="camel"):
    """One change that somebody wants to make. `object` is the whole object as it would be, `old_object` as it is."""

    uid: str
    resource: GroupResource
    operation: str
    name: str = ""
    namespace: str = ""
    sub_resource: str = ""
    user_info: User = User()
    object: dict[str, Any] | None = None
    old_object: dict[str, Any] | None = None

    @property
    def obj(self) -> dict[str, Any]:
        """The object as it would be, empty for a deletion."""
        return self.object or {}

    @property
    def old(self) -> dict[str, Any]:
        """The object as it is, empty for a creation."""
        return self.old_object or {}

    @property
    def resource_path(self) -> str:
        """The resource as a webhook configuration names it, such as `pods/ephemeralcontainers`."""
        return f"{self.resource.resource}/{self.sub_resource}" if self.sub_resource else self.resource.resource

    def is_leaving(self) -> bool:
        """True for an object on its way out, whose finalizers must come off whatever it says."""
        return bool((self.obj.get("metadata") or {}).get("deletionTimestamp"))


class Question(msgspec.Struct, frozen=True):
    """The review as it comes."""

    request: Request


class Status(msgspec.Struct, frozen=True):
    """Why not: the message is shown to whoever made the request."""

    code: int
    message: str
    reason: str = "Forbidden"
    status: str = "Failure"


class Response(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The answer to one request. `patch` is a JSON patch in base64."""

    uid: str
    allowed: bool
    status: Status | None = None
    patch: bytes | None = None
    patch_type: str | None = None


class Answer(msgspec.Struct, frozen=True, rename="camel"):
    """The review as it goes back."""

    response: Response
    api_version: str = API_VERSION
    kind: str = KIND


_decoder = msgspec.json.Decoder(Question)
_encoder = msgspec.json.Encoder()


def decode(body: bytes) -> Request:
    """Read a review. Raises ValueError that says what does not fit."""
    try:
        return _decoder.decode(body).request
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ValueError(f"not an {KIND} of {API_VERSION}: {error}") from error


def encode(response: Response) -> bytes:
    """Write the answer."""
    return _encoder.encode(Answer(response))


def encode_patch(operations: list[dict[str, Any]]) -> bytes:
    """A JSON patch; msgspec writes bytes as base64, as the API server wants them."""
    return _encoder.encode(operations)
