from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeop.domain import quotas
from kubeop.domain.quotas import DEFAULT_PROJECT_QUOTA, Quota
from kubeop.errors import InputError, QuantityError
from kubeop.kube import quantities

cpus = st.one_of(
    st.integers(0, 10_000).map(str), st.integers(0, 10_000_000).map("{}m".format), st.decimals(0, 99, places=3).map(str)
)
memories = st.builds("{}{}".format, st.integers(0, 10_000), st.sampled_from(["", "k", "Ki", "Mi", "Gi", "G"]))
full_quotas = st.builds(Quota, cpu=cpus, memory=memories, pods=st.integers(0, 1000))
any_quotas = st.builds(Quota, cpu=st.none() | cpus, memory=st.none() | memories, pods=st.none() | st.integers(0, 1000))


@given(any_quotas)
def test_a_quota_survives_being_written_and_read(quota):
    assert Quota.of(quota.to_dict()) == quota


@given(st.lists(full_quotas, max_size=5))
def test_the_total_is_the_exact_sum(found):
    summed = quotas.total(found)
    assert summed.cpu_cores == sum((quantities.parse(quota.cpu) for quota in found), Decimal(0))
    assert summed.memory_bytes == sum((quantities.parse(quota.memory) for quota in found), Decimal(0))
    assert summed.pods == sum(quota.pods for quota in found)


@given(full_quotas, st.lists(full_quotas, max_size=4))
def test_what_fits_in_the_remainder_fits_beside_what_is_used(limit, used):
    left = quotas.remainder(limit, used)
    if quotas.fits(quotas.total(used), limit):
        assert quotas.fits(quotas.total([*used, left]), limit)
        assert quotas.fits(left, left)
    else:
        assert any(amount == 0 for amount in (left.cpu_cores, left.memory_bytes, left.pods))


@given(any_quotas)
def test_merging_defaults_leaves_nothing_unsaid_and_changes_nothing_said(quota):
    merged = quota.merged(DEFAULT_PROJECT_QUOTA)
    assert None not in (merged.cpu, merged.memory, merged.pods)
    assert quota.to_dict().items() <= merged.to_dict().items()


@given(st.decimals(0, 10_000, places=9, allow_nan=False))
def test_formatted_cpu_reads_back_as_the_same_amount(cores):
    assert quantities.parse(quotas.format_amount(cores)) == cores


@given(st.integers(0, 2**63))
def test_formatted_memory_reads_back_as_the_same_amount(size):
    assert quantities.parse(quotas.format_memory(Decimal(size))) == size


@pytest.mark.parametrize(
    ("cores", "text"), [("0", "0"), ("2", "2"), ("0.5", "500m"), ("1.5", "1500m"), ("0.0001", "100u")]
)
def test_cpu_is_written_as_people_write_it(cores, text):
    assert quotas.format_amount(Decimal(cores)) == text


def test_memory_is_written_in_the_largest_unit_that_is_exact():
    assert quotas.format_memory(Decimal(4 * 2**30)) == "4Gi"
    assert quotas.format_memory(Decimal(1536 * 2**20)) == "1536Mi"
    assert quotas.format_memory(Decimal(1000)) == "1k"


def test_cpu_finer_than_a_nanocore_is_refused():
    with pytest.raises(QuantityError, match="billionth"):
        quotas.format_amount(Decimal("1e-10"))


@pytest.mark.parametrize("values", [{"cpu": "lots"}, {"memory": "1Qi"}, {"cpu": "-1"}, {"cpu": True}, {"memory": []}])
def test_what_is_no_quantity_is_refused_and_the_field_is_named(values):
    with pytest.raises(QuantityError, match=f"Quota {next(iter(values))}"):
        Quota.of(values)


@pytest.mark.parametrize("pods", [-1, 1.5, True, "many", 2**40])
def test_a_number_of_pods_that_is_none_is_refused(pods):
    with pytest.raises(InputError, match="Quota pods"):
        Quota.of({"pods": pods})


def test_an_unknown_field_is_named():
    with pytest.raises(InputError, match="'disk'"):
        Quota.of({"disk": "1Gi"})


def test_what_is_no_mapping_is_refused():
    with pytest.raises(InputError, match="Quotas"):
        Quota.of(["cpu"])  # type: ignore[arg-type]


def test_bare_numbers_are_quantities_as_in_yaml():
    assert Quota.of({"cpu": 2, "memory": 1024, "pods": "3"}) == Quota(cpu="2", memory="1024", pods=3)


def test_excess_names_every_field_that_does_not_fit():
    wanted = Quota(cpu="4", memory="1Gi", pods=20)
    assert quotas.excess(wanted, Quota(cpu="2000m", memory="1024Mi", pods=10)) == [
        "cpu 4 is more than 2000m",
        "pods 20 is more than 10",
    ]
    assert quotas.fits(wanted, Quota())


def test_a_remainder_without_a_limit_has_none():
    assert quotas.remainder(Quota(cpu="2"), [Quota(cpu="500m", memory="1Gi", pods=3)]) == Quota(cpu="1500m")
