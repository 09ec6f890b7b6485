"""Kubernetes quantities ("500m", "1Gi", "2e3"): read, compare, and write the way the API server writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import ROUND_UP, Decimal, localcontext
from functools import lru_cache

from kubeop.errors import QuantityError

_PATTERN = re.compile(r"([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,3}))?")
_DECIMAL = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
_BINARY = {1: "Ki", 2: "Mi", 3: "Gi", 4: "Ti", 5: "Pi", 6: "Ei"}
_FACTORS = {suffix: Decimal(10) ** power for power, suffix in _DECIMAL.items()}
_FACTORS |= {suffix: Decimal(1024) ** power for power, suffix in _BINARY.items()}
_NANO = Decimal(1).scaleb(-9)
_PRECISION = 120  # digits: enough for 2^63 exbibytes in nano units, so that no sum is rounded
_MAX_EXPONENT = 30
_MAX_DIGITS = 60


def parse(text: str | float) -> Decimal:
    """The number that a quantity stands for; a bare number, as YAML gives it, is one too.

    Finer than 1 nano is rounded up, as the API server does. Raises QuantityError.
    """
    return _read(text)[0]


def equal(left: str | float, right: str | float) -> bool:
    """Whether two quantities are the same amount: "1000m" and "1". Raises QuantityError for what is none."""
    return parse(left) == parse(right)


def canonical(text: str | float) -> str:
    """The same amount as the API server writes it: no fraction, the largest suffix of the family that was used."""
    return _write(*_read(text))


def ratio(text: str | float, unit: str) -> Decimal:
    """How many of `unit`, a suffix ("Mi") or a quantity ("100Mi"), the amount is. Raises QuantityError."""
    if unit in _FACTORS and unit:
        unit = f"1{unit}"
    size = parse(unit)
    if size == 0:
        raise QuantityError(f"{unit!r} is no unit to count in.", hint='Use one above zero, such as "m" or "Mi".')
    with localcontext() as context:
        context.prec = _PRECISION
        return parse(text) / size


def total(texts: Iterable[str | float]) -> str:
    """The sum, written as the API server writes it, in the family of the first that is not zero; "0" for none at all.

    Raises QuantityError.
    """
    amount, family = Decimal(0), ""
    with localcontext() as context:
        context.prec = _PRECISION
        for text in texts:
            value, own = _read(text)
            amount += value
            family = family or (own if value else "")
    return _write(amount, family)


def _write(value: Decimal, family: str) -> str:
    if value == 0:
        return "0"
    with localcontext() as context:
        context.prec = _PRECISION
        if family == "binary" and abs(value) >= 1024 and value == value.to_integral_value():
            return _binary(int(value))
        nano = int(value / _NANO)
    exponent = -9
    while exponent < 18 and nano % 1000 == 0:
        nano //= 1000
        exponent += 3
    if family == "exponent":
        return f"{nano}e{exponent}" if exponent else str(nano)
    return f"{nano}{_DECIMAL[exponent]}"


def _binary(value: int) -> str:
    power = 0
    while power < 6 and value % 1024 == 0:
        value //= 1024
        power += 1
    return f"{value}{_BINARY.get(power, '')}"


@lru_cache(maxsize=1024, typed=True)  # the same few amounts come again in each namespace; `typed`: True is not 1
def _read(text: str | float) -> tuple[Decimal, str]:
    found = None if isinstance(text, bool) else _PATTERN.fullmatch(str(text))
    if found is None:
        raise QuantityError(f"{text!r} is not a Kubernetes quantity.", hint='Write it like "500m", "2" or "1Gi".')
    sign, digits, suffix, exponent = found.groups()
    family = "exponent" if exponent else "binary" if suffix and suffix.endswith("i") else "decimal"
    if (exponent and abs(int(exponent)) > _MAX_EXPONENT) or len(digits) > _MAX_DIGITS:
        raise QuantityError(f"The quantity {text!r} is out of range.", hint='Write it like "500m", "2" or "1Gi".')
    with localcontext() as context:
        context.prec = _PRECISION
        value = Decimal(digits) * (Decimal(10) ** int(exponent) if exponent else _FACTORS[suffix or ""])
        value = value.quantize(_NANO, rounding=ROUND_UP)
        return (-value if sign == "-" else value).normalize(), family
