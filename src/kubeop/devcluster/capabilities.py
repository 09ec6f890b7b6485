"""The capabilities of this process, as the kernel lists them."""

from __future__ import annotations

from pathlib import Path

_BITS = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_SYS_RESOURCE": 24}


def has(name: str, status: Path = Path("/proc/self/status")) -> bool:
    """Whether this process has the capability in effect."""
    for line in status.read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> _BITS[name] & 1)
    return False
