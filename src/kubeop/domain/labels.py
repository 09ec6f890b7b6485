"""Labels of a registered cluster, such as its region and ring: what Kubernetes would take as labels, too."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kubeop.errors import InputError

MAX_LABELS = 64
_PART = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"(?=.{1,253}/)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*/")
_LETTERS = "up to 63 letters, digits, dashes, dots and underscores, with a letter or digit at both ends"


def check_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels, if each could be one of Kubernetes. Raises InputError, which never repeats a value."""
    if len(labels) > MAX_LABELS:
        raise InputError(f"{len(labels)} labels are too many.", hint=f"At most {MAX_LABELS} are kept.")
    for key, value in labels.items():
        prefix = _PREFIX.match(key)
        if not _PART.fullmatch(key, prefix.end() if prefix else 0):
            raise InputError(
                f"The label key {key[:64]!r} cannot be used.",
                hint=f"Use {_LETTERS}; a DNS name and a slash may stand before it.",
            )
        if value and not _PART.fullmatch(value):
            raise InputError(
                f"The value of the label {key} cannot be used.", hint=f"Use {_LETTERS}, or leave it empty."
            )
    return dict(labels)
