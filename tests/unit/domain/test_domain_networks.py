import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeop.domain.networks import outside, parse_cidr, parse_cidrs
from kubeop.errors import InputError

SPACE = ipaddress.ip_network("10.0.0.0/24")


@st.composite
def small_networks(draw):
    prefix = draw(st.integers(24, 32))
    base = int(SPACE.network_address) + draw(st.integers(0, 255))
    return str(ipaddress.ip_network((base >> (32 - prefix) << (32 - prefix), prefix)))


def addresses(cidrs):
    return {address for cidr in cidrs for address in ipaddress.ip_network(cidr)}


@given(small_networks(), st.lists(small_networks(), max_size=4), st.lists(small_networks(), max_size=3))
def test_outside_is_what_counting_addresses_says(cidr, allowed, excluded):
    beyond = outside(cidr, allowed, excluded)
    assert addresses(beyond) == addresses([cidr]) - addresses(excluded) - addresses(allowed)


def test_a_wide_cidr_is_inside_when_its_exceptions_cut_the_rest_away():
    assert outside("10.0.0.0/7", ["10.0.0.0/8"], ["11.0.0.0/8"]) == ()
    assert outside("10.0.0.0/7", ["10.0.0.0/8"]) == ("11.0.0.0/8",)


def test_nothing_is_inside_an_empty_list():
    assert outside("192.0.2.0/24", []) == ("192.0.2.0/24",)


def test_the_two_address_families_do_not_meet():
    assert outside("::/0", ["0.0.0.0/0"]) == ("::/0",)
    assert outside("2001:db8:1::/48", ["2001:db8::/32"]) == ()
    assert outside("2001:db8::/31", ["2001:db8::/32"]) == ("2001:db9::/32",)


@pytest.mark.parametrize("text", ["10.0.0.0", "10.0.0.0/33", "all", "", None, 8, "10.0.0.0/a", "1.2.3/8"])
def test_what_is_no_cidr_is_refused(text):
    with pytest.raises(InputError, match="is not a CIDR"):
        parse_cidr(text)


def test_host_bits_are_refused_with_what_was_meant():
    with pytest.raises(InputError, match=r"Use 10\.0\.0\.0/8"):
        parse_cidr("10.1.2.3/8")


def test_cidrs_keep_their_order_and_lose_repeats():
    assert parse_cidrs(["10.0.0.0/8", "2001:DB8:0::/32", "10.0.0.0/8"]) == ("10.0.0.0/8", "2001:db8::/32")
