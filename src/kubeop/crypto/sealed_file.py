"""Sealed values in a YAML file of variables, as they lie in Git. Putting one leaves every other line as it is."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

from kubeop.crypto.envelope import Context, is_token, open_token, seal_token, token_key_id
from kubeop.crypto.keyring import Keyring
from kubeop.errors import CryptoError, InputError

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Put:
    """What putting a value did: `before` and `after` are the file's texts, which hold tokens and no values."""

    changed: bool
    token: str
    before: str
    after: str


def put(
    path: str | Path, variable: str, value: bytes, keyring: Keyring, context: Context, *, dry_run: bool = False
) -> Put:
    """Make the file's variable a token that opens to the value with the ring's active key.

    A token that already does stays. Raises InputError for a file that is no YAML mapping or a variable that is no name.
    """
    path = Path(path)
    if not _VARIABLE.fullmatch(variable):
        raise InputError(f"{variable!r} is no name of a variable.", hint="Use letters, digits and underscores.")
    before = _text(path)
    current = _mapping(path, before).get(variable, "")
    if isinstance(current, str) and _holds(current, value, keyring, context):
        return Put(False, current, before, before)
    token = seal_token(keyring, value, context)
    after = _with_line(before, variable, f'{variable}: "{token}"')
    if _mapping(path, after).get(variable) != token:
        raise InputError(
            f"{path} holds {variable} in a form that cannot be replaced.", hint="Put it on one line of its own."
        )
    if not dry_run:
        _write(path, after)
    return Put(True, token, before, after)


def _holds(current: str, value: bytes, keyring: Keyring, context: Context) -> bool:
    if not is_token(current) or token_key_id(current) != keyring.active_id:
        return False
    try:
        return open_token(keyring, current, context) == value
    except CryptoError:
        return False


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return "---\n"
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {type(error).__name__}.", hint="Check the path.") from error


def _mapping(path: Path, text: str) -> dict[str, object]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}," if mark else str(path)
        raise InputError(f"{where} is not YAML.", hint="Correct it, then run this again.") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InputError(
            f"{path} holds no mapping of variables.", hint="Give a file such as group_vars/all/sealed.yml."
        )
    return found


def _with_line(text: str, variable: str, line: str) -> str:
    lines = text.splitlines()
    for number, old in enumerate(lines):
        if old.startswith(f"{variable}:"):
            lines[number] = line
            break
    else:
        lines.append(line)
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    """Replace the file in one step, with the rights that it had."""
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as temporary:
            temporary.write(text)
        Path(temporary.name).chmod(mode)
        Path(temporary.name).replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.", hint="Check the folder's rights.") from error
