"""How a body travels: JSON that a reader of YAML takes, too, as the API server does for a server-side apply."""

from __future__ import annotations

import json
import re
from typing import Any

_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)(\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})")


def encoded(body: Any) -> bytes:
    """A body as bytes. Characters beyond 16 bits go as themselves, for YAML knows no pairs of surrogates.

    Raises TypeError and ValueError for what JSON cannot say.
    """
    text = json.dumps(body, separators=(",", ":"), allow_nan=False)
    if "\\ud" in text:
        text = _PAIR.sub(lambda found: found[1] + json.loads(f'"{found[2]}"'), text)
    return text.encode()
