import pytest

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
