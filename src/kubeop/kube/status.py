"""Turn an API server's Status object into one of our errors. Bodies that are no Status are never shown."""

from __future__ import annotations

import re
from typing import Any

from kubeop.errors import ApiError, ApplyConflict

_MAX_CHARACTERS = 600  # a Status message can hold a whole rejected object
_MANAGER = re.compile(r'conflict with "([^"]*)"')
_INVALID_VALUE = re.compile(r"Invalid value: (.*): ([^:]+)", re.DOTALL)
_MAX_VALUE = 80
_RBAC = re.compile(r'User "[^"]*" cannot ')
_FORBIDDEN = re.compile(r'^\S+ "[^"]*" is forbidden: ')
_TYPED = re.compile(r"^failed to (?:create typed patch object|convert new object) \([^)]*\)(?: to proper version)?: ")
_OTHER_TYPE = re.compile(r"got &(?:value\.valueUnstructured)?\{.*\}", re.DOTALL)
_SUBJECT = {"apply": "applied", "delete": "deleted", "create": "created", "get": "read", "list": "listed"}


def to_error(status: int, body: Any, what: str, verb: str, host: str) -> ApiError:
    """The error for an answer. `what`: the object or path; `verb`: apply, create, delete, get, list, …"""
    found = body if isinstance(body, dict) and body.get("kind") == "Status" else {}
    reason = str(found.get("reason") or "")
    causes = (found.get("details") or {}).get("causes") or []
    conflicts = [cause for cause in causes if cause.get("reason") == "FieldManagerConflict"]
    if status == 409 and conflicts:
        owned = _by_manager(conflicts)
        return ApplyConflict(
            f"{what}: {_conflicts(owned)}.",
            status=status,
            reason=reason,
            hint="Leave these fields out, or take them over by force.",
            what=what,
            owners=tuple(owned),
        )
    told = _invalid(causes) if status == 422 and causes else _plain(str(found.get("message") or ""))
    message = _cut(told) or f"HTTP {status} and no word from Kubernetes"
    sentence = f"{what} cannot be {_SUBJECT.get(verb, verb)} at {host}: {message}"
    hint = _hint(status, reason, message, causes) if found else "Is it the API server that answers, and by https://?"
    return ApiError(sentence.rstrip(".") + ".", status=status, reason=reason, hint=hint)


def _invalid(causes: list[dict[str, Any]]) -> str:
    """Field and fault of each cause. A value that is long stays out: it can be a whole pod with its environment."""
    parts = []
    for cause in causes:
        message = str(cause.get("message", ""))
        found = _INVALID_VALUE.fullmatch(message)
        if found and len(found[1]) > _MAX_VALUE:
            message = found[2]
        field = str(cause.get("field") or "").removeprefix("[]")
        parts.append(f"{field}: {message}" if field else message)
    return "; ".join(dict.fromkeys(parts))


def _plain(message: str) -> str:
    """The server's words without what is said already, and without a value of another type: it may be a secret."""
    message = _OTHER_TYPE.sub("got another type", _TYPED.sub("", message))
    if not _RBAC.search(message):
        message = _FORBIDDEN.sub("", message)
    return message.removeprefix(": ")


def _by_manager(causes: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The fields of a conflict by the manager that owns them."""
    by_manager: dict[str, list[str]] = {}
    for cause in causes:
        owner = _MANAGER.search(str(cause.get("message", "")))
        by_manager.setdefault(owner[1] if owner else "another manager", []).append(str(cause.get("field", "")))
    return by_manager


def _conflicts(by_manager: dict[str, list[str]]) -> str:
    parts = []
    for manager, fields in by_manager.items():
        shown = ", ".join(fields[:5]) + (f" and {len(fields) - 5} more" if len(fields) > 5 else "")
        parts.append(f'{"field" if len(fields) == 1 else "fields"} {shown} of field manager "{manager}"')
    return "conflict over " + " and over ".join(parts)


_HINTS = {
    401: "The credentials are missing, wrong or expired: log in again.",
    403: "The API server's admission forbids it, whatever the user's rights: change what it names.",
    413: "The object is too large: keep big content outside, or split it.",
    429: "The API server asks for less: try again later.",
    502: "A proxy before the API server has no answer from it: try again.",
    503: "The API server is starting, stopping or overloaded: try again.",
    504: "The API server is overloaded: try again.",
}
# Words of the API server, and what to do then; the first that is found counts.
_SAID = (
    ("immutable", "This field cannot be changed in place: delete the object, or give the new one another name."),
    ("conversion webhook", "The webhook that converts between versions must answer: see its Service and pods."),
    ("failed calling webhook", "The webhook must answer: see its Service and pods, or who made its configuration."),
    ("ValidatingAdmissionPolicy", "Change what the policy asks for."),
    ("exceeded quota", "Ask for less, or raise the namespace's ResourceQuota."),
    ("failed quota", "Give every container the requests and limits that the namespace's ResourceQuota counts."),
    ("violates PodSecurity", "Set in the pod what is listed: the namespace's Pod Security level asks for it."),
    ("usage per", "Change requests and limits to what the namespace's LimitRange allows."),
    ("RBAC permissions not currently held", "Who grants rights must have them: apply it as a user who does."),
    ("request is too large", "The object is too large: keep big content outside, or split it."),
    ("may not be more than", "The object is too large: keep big content outside, or split it."),
    ("illegal base64", "The data of a Secret is base64: plain text goes under stringData."),
    ("got another type", "Correct the type: a text that looks like a number, or as true or false, needs quotes."),
    ("field not declared in schema", "Correct the name of the field, or its place."),
)


def _hint(status: int, reason: str, message: str, causes: list[dict[str, Any]]) -> str:
    if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return "Wait until the namespace is gone, then run again."
    if "admission webhook" in message and "denied" in message:
        return "Change what the webhook asks for."
    if status == 403 and _RBAC.search(message):
        return "Give the user of the kubeconfig this permission by a Role or ClusterRole."
    for words, hint in _SAID:
        if words in message:
            return hint
    if status == 404 and message.startswith("namespaces "):
        return "Create the namespace first."
    if reason == "AlreadyExists":
        return "Choose another name, or apply it instead."
    return _HINTS.get(status, "")


def _cut(message: str) -> str:
    return message if len(message) <= _MAX_CHARACTERS else f"{message[:_MAX_CHARACTERS]} …"
