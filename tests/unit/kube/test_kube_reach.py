import base64
import ssl

import pytest
import urllib3

from kubeop.errors import KubeconfigError
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
    assert reach.proxy_for("https://127.0.0.1", "http://p", {"NO_PROXY": "*"}).url == "http://p:80"
    assert reach.proxy_for("https://api.example", "", {**ENV, "no_proxy": "*"}) is None
    assert reach.proxy_for("https://api.example", "", {}) is None


def test_a_proxys_user_and_password_are_told_to_it_and_to_nobody_else():
    proxy = reach.proxy_for("https://x", "https://us%40er:p%3Ass%C3%B6@[::1]", {})
    assert (proxy.url, proxy.login) == ("https://[::1]:443", ("us@er", "p:ssö"))
    assert base64.b64decode(proxy.headers()["Proxy-Authorization"].removeprefix("Basic ")).decode() == "us@er:p:ssö"
    assert "p:ss" not in repr(proxy)
    plain = reach.proxy_for("https://x", "proxy:3128", {})  # as curl has it
    assert (plain.url, plain.login, plain.headers()) == ("http://proxy:3128", None, {})


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("socks5://u:s3cret@proxy:1080", "is a socks5 proxy, which cannot be used"),
        ("http://u:s3cret@proxy:port", "is not a URL, which cannot be used"),
        ("http://u:s3cret@", "is not a URL, which cannot be used"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_by_where_it_is_from(url, said):
    with pytest.raises(KubeconfigError, match=f"^The kubeconfig's proxy-url {said}") as configured:
        reach.proxy_for("https://x", url, {})
    with pytest.raises(KubeconfigError, match=f"^HTTPS_PROXY {said}") as from_environment:
        reach.proxy_for("https://x", "", {"HTTPS_PROXY": url})
    for caught in (configured, from_environment):
        assert "s3cret" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"


def test_a_handshake_that_is_cut_off_is_a_lost_connection():
    cut_off = urllib3.exceptions.SSLError(ssl.SSLEOFError(8, "EOF occurred in violation of protocol"))
    assert reach.broken(cut_off)
    assert reach.explain(cut_off, "h:1")[0] == "the connection was lost"
    refused = urllib3.exceptions.SSLError(ssl.SSLCertVerificationError(1, "certificate has expired"))
    assert not reach.broken(refused)
    assert reach.explain(refused, "h:1")[0] == "its certificate has expired"
