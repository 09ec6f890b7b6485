import ssl

import pytest
import urllib3

from kubeop.kube import reach

ENV = {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "10.0.0.0/8,.corp.example,exact.example"}


@pytest.mark.parametrize(
    ("server", "proxied"),
    [
        ("https://api.example:6443", True),
        ("https://10.1.2.3:6443", False),
        ("https://11.1.2.3:6443", True),
        ("https://a.corp.example", False),
        ("https://exact.example", False),
        ("https://notexact.example", True),
        ("https://127.0.0.1:6443", False),
        ("https://[::1]:6443", False),
        ("https://localhost:6443", False),
        ("http://api.example", False),  # HTTPS_PROXY is for https
    ],
)
def test_the_environment_says_what_goes_through_a_proxy(server, proxied):
    assert bool(reach.proxy_for(server, "", ENV)) is proxied


def test_the_kubeconfigs_proxy_comes_first():
    assert reach.proxy_for("https://127.0.0.1", "http://p", {"NO_PROXY": "*"}) == "http://p"
    assert reach.proxy_for("https://api.example", "", {**ENV, "no_proxy": "*"}) == ""
    assert reach.proxy_for("https://api.example", "", {}) == ""


def test_a_handshake_that_is_cut_off_is_a_lost_connection():
    cut_off = urllib3.exceptions.SSLError(ssl.SSLEOFError(8, "EOF occurred in violation of protocol"))
    assert reach.broken(cut_off)
    assert reach.explain(cut_off, "h:1")[0] == "the connection was lost"
    refused = urllib3.exceptions.SSLError(ssl.SSLCertVerificationError(1, "certificate has expired"))
    assert not reach.broken(refused)
    assert reach.explain(refused, "h:1")[0] == "its certificate has expired"
