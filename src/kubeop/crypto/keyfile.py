"""A key in a file of its own, made once: for a trial on one machine. A fleet keeps its keys in a KMS or a vault."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from kubeop.crypto.keyring import Keyring, generate_key
from kubeop.errors import InputError


def ensure(path: str | Path) -> str:
    """The key in the file; a missing file is made with a new key, readable by its owner only.

    Safe when several processes ask at once: all get the key of the first. Raises InputError for a file of no use.
    """
    path = Path(path).expanduser()
    try:
        if not path.exists():
            _create(path)
        if path.stat().st_mode & 0o077:
            raise InputError(f"The key file {path} can be read by others.", hint=f"Run `chmod 600 {path}`.")
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The key file {path} cannot be used: {type(error).__name__}.", hint="Check the path and its rights."
        ) from error
    if not text:
        raise InputError(f"The key file {path} is empty.", hint="Put the key back, or remove the file for a new one.")
    Keyring.parse(text)
    return text


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(generate_key() + "\n")
        with contextlib.suppress(FileExistsError):  # another process was faster: its key is the one
            os.link(temporary, path)
    finally:
        Path(temporary).unlink()
