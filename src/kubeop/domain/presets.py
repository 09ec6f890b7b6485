"""Ready-made baselines, from the most closed to the most open: what a namespace gets that says no more than their name.

`restricted` is the baseline of projects. `baseline` is for what runs for the whole cluster, such as an ingress
controller; `privileged` for what works on the nodes, such as agents for storage and monitoring.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubeop.domain.quotas import DEFAULT_PROJECT_QUOTA, Quota
from kubeop.errors import InputError


@dataclass(frozen=True)
class Preset:
    """Fields of a Baseline: the Pod Security level, the network isolation, and the quota where none is given."""

    pod_security: str
    isolation: str
    quota: Quota


PRESETS = {
    "restricted": Preset("restricted", "namespace", DEFAULT_PROJECT_QUOTA),
    "baseline": Preset("baseline", "cluster", Quota(cpu="4", memory="8Gi", pods=40)),
    "privileged": Preset("privileged", "none", Quota(cpu="8", memory="16Gi", pods=80)),
}


def preset(name: str) -> Preset:
    """The preset of this name. Raises InputError."""
    try:
        return PRESETS[name]
    except KeyError:
        raise InputError(f"There is no preset {name!r}.", hint=f"Use one of {', '.join(PRESETS)}.") from None
