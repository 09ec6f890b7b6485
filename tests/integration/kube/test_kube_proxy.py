"""The API server behind a proxy that wants a password."""

import pytest
import urllib3
import yaml
from proxying import Proxy

from kubeop.errors import ClusterUnreachable
from kubeop.kube.client import Client
from kubeop.kube.tunnel import open_tunnel


@pytest.fixture
def proxy():
    found = Proxy("someone:p@ss wörd")
    yield found
    found.close()


def through(kube, url):
    config = yaml.safe_load(kube.kubeconfig.as_bytes())
    config["clusters"][0]["cluster"]["proxy-url"] = url
    return Client.from_kubeconfig(config)


def test_requests_watches_and_tunnels_go_through_it(kube, proxy, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")  # the kubeconfig's own comes first
    with through(kube, f"http://someone:p%40ss%20w%C3%B6rd@127.0.0.1:{proxy.port}") as client:
        for _ in range(3):
            assert client.get("v1", "Namespace", "default")
        assert proxy.seen == [("CONNECT", kube.host)]  # one connection, kept
        watch = client.watch("v1", "Namespace", timeout_seconds=5)
        assert next(watch)[0] == "ADDED"
        watch.close()
        before = len(proxy.seen)
        with open_tunnel(client, "kube-system", "kube-dns", 9153) as url, urllib3.PoolManager() as pool:
            assert pool.request("GET", f"{url}/metrics", timeout=10).status == 200
        assert len(proxy.seen) >= before + 2


def test_a_wrong_password_is_told_without_it(kube, proxy):
    with (
        through(kube, f"http://someone:s3cret@127.0.0.1:{proxy.port}") as client,
        pytest.raises(ClusterUnreachable, match="the proxy before it refused") as caught,
    ):
        client.version()
    assert "s3cret" not in str(caught.value)
