from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeop.errors import QuantityError
from kubeop.kube import quantities


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", Decimal(0)),
        ("500m", Decimal("0.5")),
        (".5", Decimal("0.5")),
        ("2.", Decimal(2)),
        (2, Decimal(2)),
        (0.1, Decimal("0.1")),
        ("1Ki", Decimal(1024)),
        ("1.5Gi", Decimal(1536 * 2**20)),
        ("1e3", Decimal(1000)),
        ("1E3", Decimal(1000)),
        ("1E", Decimal(10) ** 18),
        ("-2", Decimal(-2)),
        ("+2", Decimal(2)),
        ("1n", Decimal("1e-9")),
        ("0.1n", Decimal("1e-9")),  # finer than nano is rounded up
    ],
)
def test_a_quantity_is_read(text, value):
    assert quantities.parse(text) == value


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("0", "0"),
        ("0Gi", "0"),
        ("1000", "1k"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Ki", "512"),
        ("1.5Mi", "1536Ki"),
        ("67108864", "67108864"),
        ("1e3", "1e3"),
        ("100e-3", "100e-3"),
        ("-1000m", "-1"),
        (1, "1"),
    ],
)
def test_a_quantity_is_written_as_the_api_server_writes_it(text, written):
    assert quantities.canonical(text) == written


@pytest.mark.parametrize("text", ["", "1 Gi", "Gi", "1gi", "1K", "0x10", "1e", "1e9999", "1" * 99, "one", "1,5", True])
def test_what_is_no_quantity_is_refused_and_named(text):
    with pytest.raises(QuantityError, match="quantity"):
        quantities.parse(text)


@pytest.mark.parametrize(
    ("one", "other", "same"), [("1", "1000m", True), ("1Gi", "1024Mi", True), ("1G", "1Gi", False), (1, "1", True)]
)
def test_amounts_are_compared_not_texts(one, other, same):
    assert quantities.equal(one, other) is same


@pytest.mark.parametrize(
    ("texts", "written"),
    [
        (["500m", "1"], "1500m"),
        (["0", "512Mi", "1.5Gi"], "2Gi"),
        (["1Gi", "-1Gi"], "0"),
        (["1Gi", 1], "1073741825"),
        (["1G", "24Mi"], "1025165824"),
        (["1e3", "1"], "1001"),
        ([], "0"),
    ],
)
def test_amounts_are_added_in_the_units_of_the_first(texts, written):
    assert quantities.total(texts) == written


@pytest.mark.parametrize(
    ("text", "unit", "count"),
    [("2Gi", "Mi", 2048), ("1500m", "m", 1500), (2, "500m", 4), ("1", "1", 1), ("1m", "k", "1e-6")],
)
def test_an_amount_is_counted_in_a_unit(text, unit, count):
    assert quantities.ratio(text, unit) == Decimal(count)


@pytest.mark.parametrize("unit", ["0", "", "Zi"])
def test_what_is_no_unit_is_refused(unit):
    with pytest.raises(QuantityError):
        quantities.ratio("1", unit)


def test_no_sum_is_rounded():
    assert quantities.total(["9E", "1n", "-9E"]) == "1n"


NUMBERS = st.from_regex(
    r"[+-]?[0-9]{1,12}(\.[0-9]{1,9})?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e[0-9]|E-[0-9])?", fullmatch=True
)


@given(NUMBERS)
def test_the_canonical_form_is_the_same_amount_and_stays(text):
    written = quantities.canonical(text)
    assert quantities.equal(text, written)
    assert quantities.canonical(written) == written
    assert "." not in written
