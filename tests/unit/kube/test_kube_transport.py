"""How requests are repeated and given up, against a server in this process that answers as it is told."""

import dataclasses
import http.server
import json
import socket
import threading
import time

import pytest
from pointing import kubeconfig
from proxying import Proxy

from kubeop.errors import ApiError, ClusterUnreachable, KubeconfigError
from kubeop.kube.client import Client
from kubeop.kube.transport import RetryPolicy, Stop, Transport
from kubeop.kube.watch import follow

FAST = RetryPolicy(connection_seconds=5, first_seconds=0, busy_seconds=5)


class Server:
    """Answers in the order of `script`, then 200 for ever. An entry is (status, headers, body), "drop" or "hang"."""

    def __init__(self):
        self.script, self.seen = [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                outer.seen.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
                step = outer.script.pop(0) if outer.script else (200, {}, {"kind": "Ok"})
                if step == "drop":
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                if step == "hang":
                    time.sleep(2)
                    step = (200, {}, {})
                status, headers, body = step
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - the names that http.server wants

            def log_message(self, *_):
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def server():
    found = Server()
    yield found
    found.close()


@pytest.fixture
def transport(server):
    found = Transport(kubeconfig(server.url), timeout_seconds=1, retry=FAST)
    yield found
    found.close()


def status(code, reason="", **more):
    return {"kind": "Status", "code": code, "reason": reason, **more}


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_too_many_requests_are_sent_again_after_the_time_asked_for(server, transport, method):
    server.script = [(429, {"Retry-After": "1"}, status(429))]
    began = time.monotonic()
    assert transport.request(method, "/x", body=b"{}").status == 200
    assert time.monotonic() - began >= 1
    assert len(server.seen) == 2


def test_a_wait_longer_than_allowed_is_not_waited(server, transport):
    server.script = [(429, {"Retry-After": "3600"}, status(429))]
    assert transport.request("GET", "/x").status == 429
    assert len(server.seen) == 1


@pytest.mark.parametrize("asked", ["0", "Wed, 21 Oct 2015 07:28:00 GMT", "soon", "\xb2"])
def test_a_server_that_asks_for_no_time_is_not_asked_without_end(server, asked):
    server.script = [(429, {"Retry-After": asked}, status(429))] * 1000
    found = Transport(kubeconfig(server.url), timeout_seconds=1, retry=RetryPolicy(busy_seconds=1))
    assert found.request("GET", "/x").status == 429
    assert 1 < len(server.seen) < 10
    found.close()


def test_an_unavailable_server_is_asked_again_but_not_to_create(server, transport):
    server.script = [(503, {}, status(503))]
    assert transport.request("DELETE", "/x").status == 200
    server.script = [(503, {}, status(503))]
    assert transport.request("POST", "/x", body=b"{}").status == 503


def test_other_server_errors_are_repeated_for_reads_only(server, transport):
    server.script = [(500, {}, b"boom"), (504, {}, b"boom")]
    assert transport.request("GET", "/x").status == 200
    server.script = [(500, {}, b"boom")]
    assert transport.request("PATCH", "/x", body=b"{}", idempotent=True).status == 500


def test_client_errors_are_final(server, transport):
    server.script = [(404, {}, status(404))]
    assert transport.request("GET", "/x").status == 404
    assert len(server.seen) == 1


def test_a_lost_connection_is_repeated_when_that_is_safe(server, transport):
    transport.request("GET", "/warm")
    server.script = ["drop", "drop"]
    assert transport.request("PATCH", "/x", body=b"{}", idempotent=True).status == 200
    server.script = ["drop"]
    with pytest.raises(ClusterUnreachable, match="the connection was lost"):
        transport.request("POST", "/x", body=b"{}")


def test_a_server_that_never_answered_is_given_up_at_once():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    transport = Transport(kubeconfig(f"http://127.0.0.1:{port}"), retry=FAST)
    with pytest.raises(ClusterUnreachable, match=f"127.0.0.1:{port} cannot be reached: the connection is refused"):
        transport.request("GET", "/x")


def test_a_server_that_restarts_is_waited_for(server):
    transport = Transport(kubeconfig(server.url), timeout_seconds=1, retry=FAST)
    assert transport.request("GET", "/warm").status == 200
    transport.close()
    port = server.server.server_port
    server.close()
    again = []

    def restart():
        time.sleep(0.7)
        again.append(http.server.ThreadingHTTPServer(("127.0.0.1", port), server.server.RequestHandlerClass))
        again[0].serve_forever()

    thread = threading.Thread(target=restart)
    thread.start()
    try:
        assert transport.request("POST", "/x", body=b"{}").status == 200  # it was never sent, so even a POST may be
    finally:
        again[0].shutdown()
        again[0].server_close()
        thread.join()
        transport.close()
        server.server = again[0]


def test_a_server_that_hangs_is_given_up_after_the_timeout(server, transport):
    server.script = ["hang"]
    with pytest.raises(ClusterUnreachable, match="did not answer in time"):
        transport.request("GET", "/x")


def test_a_renewed_token_is_used_after_a_401(server, tmp_path):
    token = tmp_path / "token"
    token.write_text("old")
    found = Transport(kubeconfig(server.url, {"tokenFile": str(token)}), retry=FAST)
    found.request("GET", "/x")
    token.write_text("new")
    server.script = [(401, {}, status(401))]
    assert found.request("GET", "/x").status == 200
    assert [seen[2]["Authorization"] for seen in server.seen] == ["Bearer old", "Bearer old", "Bearer new"]
    server.script = [(401, {}, status(401)), (401, {}, status(401))]
    assert found.request("GET", "/x").status == 401
    found.close()


def test_a_wrong_token_is_not_tried_twice(server, transport):
    server.script = [(401, {}, status(401))]
    assert transport.request("GET", "/x").status == 401
    assert len(server.seen) == 1


def test_a_renewed_token_is_used_for_a_watch_too(server, tmp_path):
    token = tmp_path / "token"
    token.write_text("old")
    found = Transport(kubeconfig(server.url, {"tokenFile": str(token)}), retry=FAST)
    found.request("GET", "/x")
    token.write_text("new")
    server.script = [(401, {}, status(401)), (200, {}, b"{}\n")]
    answer, lines = found.stream("/x", query={}, read_seconds=1)
    assert (answer.status, list(lines)) == (200, [b"{}"])
    server.script = [(401, {}, status(401)), (401, {}, status(401))]
    assert found.stream("/x", query={}, read_seconds=1)[0].status == 401
    assert [seen[2]["Authorization"] for seen in server.seen][:3] == ["Bearer old", "Bearer old", "Bearer new"]
    found.close()


SERVED = {"kind": "APIResourceList", "resources": [{"name": "configmaps", "kind": "ConfigMap", "namespaced": True}]}
LISTED = {"kind": "ConfigMapList", "metadata": {"resourceVersion": "7"}, "items": []}
CHANGE = {"type": "ADDED", "object": {"metadata": {"name": "a", "namespace": "x", "resourceVersion": "8"}}}


def followed(server, *refusals, until=("SYNCED", "ADDED")):
    """Until these events have come: the seconds, and which requests were lists."""
    server.script = [(200, {}, SERVED), (200, {}, LISTED), *refusals, (200, {}, json.dumps(CHANGE).encode() + b"\n")]
    began = time.monotonic()
    with Client(kubeconfig(server.url), retry=FAST) as client:
        events = follow(client, "v1", "ConfigMap", "x", timeout_seconds=30)
        assert [next(events).type for _ in until] == list(until)
    return time.monotonic() - began, ["watch=1" not in path for _, path, *_ in server.seen[1:]]


@pytest.mark.parametrize("refused", [429, 500, 503, 504])
def test_a_watch_that_is_refused_goes_on_where_it_was_after_times_that_grow(server, refused):
    seconds, lists = followed(server, *[(refused, {}, status(refused))] * 4)
    assert lists == [True, *[False] * 5]
    assert seconds >= 0.75 * (0.1 + 0.2 + 0.4 + 0.8)


def test_a_refused_watch_waits_as_long_as_it_is_told_to(server):
    assert followed(server, (429, {"Retry-After": "1"}, b"Too many requests"))[0] >= 1


def test_an_expired_watch_lists_again(server):
    gone = {"type": "ERROR", "object": status(410, "Expired")}
    refusals = (200, {}, json.dumps(gone).encode() + b"\n"), (200, {}, LISTED)
    assert followed(server, *refusals, until=("SYNCED", "SYNCED", "ADDED"))[1] == [True, False, True, False]


def exec_user(tmp_path, script, **more):
    path = tmp_path / "plugin"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path), **more}}


CREDENTIAL = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}'


def test_an_exec_plugin_gives_the_token_and_is_asked_again_after_a_401(server, tmp_path):
    count = tmp_path / "count"
    script = f"echo x >> {count}\nN=$(wc -l < {count})\nprintf '{CREDENTIAL}' token$N"
    found = Transport(kubeconfig(server.url, exec_user(tmp_path, script)), retry=FAST)
    found.request("GET", "/x")
    found.request("GET", "/x")
    server.script = [(401, {}, status(401))]
    found.request("GET", "/x")
    sent = [seen[2]["Authorization"] for seen in server.seen]
    assert sent == ["Bearer token1", "Bearer token1", "Bearer token1", "Bearer token2"]
    found.close()


def test_a_failing_plugin_is_named_without_its_words(server, tmp_path):
    found = Transport(kubeconfig(server.url, exec_user(tmp_path, "echo s3cret >&2; exit 3")), retry=FAST)
    with pytest.raises(KubeconfigError, match=r"exec plugin .* failed") as caught:
        found.request("GET", "/x")
    assert "s3cret" not in str(caught.value)
    missing = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin"}}
    with pytest.raises(KubeconfigError, match="'no-such-plugin' of the kubeconfig is not installed"):
        Transport(kubeconfig(server.url, missing), retry=FAST).request("GET", "/x")


def test_basic_authentication_and_impersonation(server):
    user = {"username": "u", "password": "p", "as": "someone", "as-groups": ["g"]}
    found = Transport(kubeconfig(server.url, user), retry=FAST)
    found.request("GET", "/x")
    headers = server.seen[0][2]
    assert headers["Authorization"] == "Basic dTpw"
    assert (headers["Impersonate-User"], headers["Impersonate-Group"]) == ("someone", "g")
    found.close()


def test_a_server_without_tls_is_asked_for_through_its_proxy_by_its_whole_url(server):
    proxy = Proxy("u:p w")
    url, config = server.url, kubeconfig(server.url)
    cluster = {**config.cluster, "proxy-url": f"http://u:p%20w@127.0.0.1:{proxy.port}"}
    found = Transport(dataclasses.replace(config, cluster=cluster), retry=FAST)
    try:
        answer = found.request("GET", "/x", query={"a": "b c"})
    finally:
        found.close()
        proxy.close()
    assert (answer.status, proxy.seen) == (200, [("GET", f"{url}/x?a=b%20c")])
    assert (server.seen[0][1], server.seen[0][2]["Host"]) == ("/x?a=b%20c", url.removeprefix("http://"))


def test_an_answer_that_is_no_status_is_not_shown(server):
    with Client(kubeconfig(server.url), retry=FAST) as client:
        server.script = [(418, {}, b"<html>s3cret</html>")]
        with pytest.raises(ApiError, match="HTTP 418") as caught:
            client.version()
        assert "s3cret" not in str(caught.value)
        server.script = [(302, {"Location": "http://elsewhere"}, b"")]
        with pytest.raises(ApiError, match="redirect"):
            client.version()
        server.script = [(200, {}, b"hello")]
        with pytest.raises(ClusterUnreachable, match="not a Kubernetes object"):
            client.list("v1", "Pod")


def test_stop_runs_what_is_attached_and_what_comes_later():
    stop, ran = Stop(), []
    one, other = (lambda: ran.append(1)), (lambda: ran.append(2))
    stop.attach(one)
    stop.attach(other)
    stop.detach(other)
    stop.set()
    stop.attach(other)
    assert ran == [1, 2]
