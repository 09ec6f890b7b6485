"""What a tenant or a project may use: CPU and memory requests, and a number of pods.

Arithmetic is exact (Decimal). A field that is None says nothing: for a tenant no limit, for a project the default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kubeop.errors import InputError, QuantityError
from kubeop.kube import quantities

_FIELDS = ("cpu", "memory", "pods")
_MAX_PODS = 2**31 - 1


def _amount(name: str, text: str | None) -> Decimal | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise QuantityError(f"Quota {name} is {text!r}.", hint="Use a quantity as text, such as 500m or 1Gi.")
    try:
        amount = quantities.parse(text)
    except QuantityError as error:
        raise QuantityError(f"Quota {name}: {error.message}", hint=error.hint) from error
    if amount < 0:
        raise QuantityError(f"Quota {name} is {text!r}, below zero.", hint="Use zero or more.")
    return amount


def _text(name: str, value: object) -> str | None:
    """A quantity as YAML may carry it: text or a bare number; True and lists are none."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise QuantityError(f"Quota {name} is {value!r}.", hint="Use a quantity, such as 500m or 1Gi.")


@dataclass(frozen=True)
class Quota:
    """A limit on the sum of requests: `cpu` in cores ("500m", "2"), `memory` in bytes ("1Gi"), and a count of `pods`.

    Raises QuantityError for a text that is no quantity or is negative, InputError for a number of pods that is none.
    """

    cpu: str | None = None
    memory: str | None = None
    pods: int | None = None

    def __post_init__(self) -> None:
        for name in ("cpu", "memory"):
            _amount(name, getattr(self, name))
        if self.pods is not None and (type(self.pods) is not int or not 0 <= self.pods <= _MAX_PODS):
            raise InputError(f"Quota pods is {self.pods!r}.", hint="Use a whole number, zero or more.")

    @classmethod
    def of(cls, values: Mapping[str, Any] | None) -> Quota:
        """Read `{cpu, memory, pods}` as it stands in an object or a request; each is optional."""
        if values is not None and not isinstance(values, Mapping):
            raise InputError(f"Quotas is {values!r}.", hint="Use a mapping with cpu, memory and pods.")
        values = values or {}
        unknown = sorted(set(values) - set(_FIELDS))
        if unknown:
            raise InputError(f"Quota has an unknown field {unknown[0]!r}.", hint=f"Use {', '.join(_FIELDS)}.")
        pods = values.get("pods")
        return cls(
            cpu=_text("cpu", values.get("cpu")),
            memory=_text("memory", values.get("memory")),
            pods=int(pods) if isinstance(pods, str) and pods.isascii() and pods.isdigit() else pods,
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields that say something, as in `spec.quotas` of a Tenant or Project."""
        return {name: getattr(self, name) for name in _FIELDS if getattr(self, name) is not None}

    def merged(self, defaults: Quota) -> Quota:
        """This quota, with the defaults where it says nothing."""
        return Quota(
            cpu=defaults.cpu if self.cpu is None else self.cpu,
            memory=defaults.memory if self.memory is None else self.memory,
            pods=defaults.pods if self.pods is None else self.pods,
        )

    @property
    def cpu_cores(self) -> Decimal | None:
        """`cpu` in cores, None if it says nothing."""
        return _amount("cpu", self.cpu)

    @property
    def memory_bytes(self) -> Decimal | None:
        """`memory` in bytes, None if it says nothing."""
        return _amount("memory", self.memory)


# What a project gets when it says nothing.
DEFAULT_PROJECT_QUOTA = Quota(cpu="1", memory="1Gi", pods=10)


def total(quotas: Iterable[Quota]) -> Quota:
    """The sum, field by field; a field that says nothing counts as zero."""
    cpu = memory = Decimal(0)
    pods = 0
    for quota in quotas:
        cpu += quota.cpu_cores or 0
        memory += quota.memory_bytes or 0
        pods += quota.pods or 0
    return Quota(cpu=format_amount(cpu), memory=format_memory(memory), pods=pods)


def remainder(limit: Quota, used: Iterable[Quota]) -> Quota:
    """What is left of `limit`, never below zero; a field without a limit stays without one."""
    spent = total(used)
    cpu, memory = limit.cpu_cores, limit.memory_bytes
    return Quota(
        cpu=None if cpu is None else format_amount(max(Decimal(0), cpu - (spent.cpu_cores or 0))),
        memory=None if memory is None else format_memory(max(Decimal(0), memory - (spent.memory_bytes or 0))),
        pods=None if limit.pods is None else max(0, limit.pods - (spent.pods or 0)),
    )


def excess(wanted: Quota, limit: Quota) -> list[str]:
    """In which fields `wanted` is more than `limit`, such as "cpu 4 is more than 2"; empty if it fits.

    A wanted field that says nothing asks for nothing: merge the defaults in first.
    """
    found = []
    for name, amount, most in (
        ("cpu", wanted.cpu_cores, limit.cpu_cores),
        ("memory", wanted.memory_bytes, limit.memory_bytes),
        ("pods", wanted.pods, limit.pods),
    ):
        if amount is not None and most is not None and amount > most:
            found.append(f"{name} {getattr(wanted, name)} is more than {getattr(limit, name)}")
    return found


def fits(wanted: Quota, limit: Quota) -> bool:
    """True if no field of `wanted` is more than the same field of `limit`."""
    return not excess(wanted, limit)


def format_amount(amount: Decimal) -> str:
    """Cores, or a count, as the API server writes them: 2 -> "2", 0.5 -> "500m"."""
    text = f"{amount:f}"
    if quantities.parse(text) != amount:
        raise QuantityError(f"The amount {amount} is finer than a billionth.", hint="Use millicores, such as 500m.")
    return quantities.canonical(text)


def format_memory(size: Decimal) -> str:
    """Bytes as the API server writes them, in binary units where these are exact: 1073741824 -> "1Gi"."""
    if size == 0 or size % 1024 != 0:
        return format_amount(size)
    return quantities.canonical(f"{size / 1024:f}Ki")
