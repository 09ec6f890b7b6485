"""How answers are read from the wire, against a server that sends exactly the bytes that it is told to."""

import contextlib
import gzip
import socket
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pointing import kubeconfig

from kubeop import __version__
from kubeop.errors import ClusterUnreachable, KubeconfigError
from kubeop.kube.transport import RetryPolicy, Transport

SECONDS = 1.0  # the transport's timeout


class Wire:
    """Answers each request with the bytes that `answer` has then, part by part, `pause` seconds between them."""

    def __init__(self):
        self.answer, self.pause, self.close_after = [], 0.0, False
        self.connections, self.requests = 0, []
        self._ended = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as reader, contextlib.suppress(OSError):
            while lines := self._request(reader):
                self.requests.append(lines)
                for number, part in enumerate(self.answer):
                    time.sleep(self.pause if number else 0)
                    if self._ended:
                        return
                    connection.sendall(part)
                if self.close_after:
                    return

    def _request(self, reader):
        lines = []
        while (line := reader.readline()) not in (b"", b"\r\n"):
            lines.append(line.decode().rstrip())
        length = next((int(line.split()[1]) for line in lines if line.startswith("Content-Length")), 0)
        return [*lines, reader.read(length)] if lines else []

    def close(self):
        self._ended = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def wire():
    found = Wire()
    yield found
    found.close()


def connect(url, token="t0ken"):
    return Transport(kubeconfig(url, {"token": token}), timeout_seconds=SECONDS, retry=RetryPolicy(0, 0, 0))


@pytest.fixture
def transport(wire):
    found = connect(wire.url)
    yield found
    found.close()


def head(status="200 OK", *headers):
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, "", "")).encode()


def test_a_request_says_who_asks_and_goes_out_whole(wire, transport):
    wire.answer = [head("200 OK", "Content-Length: 2") + b"{}"]
    assert transport.request("PATCH", "/x", query={"a": "b c"}, body=b"{1}", content_type="a/b").body == b"{}"
    first, *headers, body = wire.requests[0]
    assert (first, body) == ("PATCH /x?a=b%20c HTTP/1.1", b"{1}")
    assert set(headers) == {
        f"Host: {wire.url.removeprefix('http://')}",
        f"User-Agent: kubeop/{__version__}",
        "Accept: application/json",
        "Accept-Encoding: identity",
        "Authorization: Bearer t0ken",
        "Content-Type: a/b",
        "Content-Length: 3",
    }


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        ([head("200 OK", "content-length: 3"), b"abc"], 200, b"abc"),
        ([head("200 OK", "Content-Length: 0")], 200, b""),
        ([head("204 No Content")], 204, b""),
        ([head("200 OK", "Transfer-Encoding: chunked"), b"2;x=y\r\nab\r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n"], 200,
         b"ab0123456789"),
        ([head("100 Continue"), head("103 Early Hints", "Link: x"), head("404 Not Found", "Content-Length: 1"), b"n"],
         404, b"n"),
        ([head("200", "Content-Length: 1"), b"r"], 200, b"r"),
        ([head("200 OK", "Content-Encoding: gzip", f"Content-Length: {len(gzip.compress(b'plain'))}"),
          gzip.compress(b"plain")], 200, b"plain"),
    ],
    ids=["length", "empty", "no content", "chunks", "interim answers", "no reason", "compressed"],
)  # fmt: skip
def test_answers_of_every_kind_are_read_over_one_connection(wire, transport, answer, status, body):
    wire.answer = answer
    for _ in range(3):
        found = transport.request("GET", "/x")
        assert (found.status, found.body) == (status, body)
    assert wire.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        [head("200 OK", "Connection: close", "Content-Length: 3"), b"abc"],
        [head("200 OK"), b"abc"],  # as long as the connection
        [b"HTTP/1.0 200 OK\r\n\r\n", b"abc"],
    ],
    ids=["said", "undelimited", "HTTP/1.0"],
)
def test_a_connection_that_ends_with_its_answer_is_not_used_again(wire, transport, answer):
    wire.answer, wire.close_after = answer, True
    for _ in range(2):
        assert transport.request("GET", "/x").body == b"abc"
    assert wire.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [b"HTTP/1.1 200 O"],
        [b"SSH-2.0-OpenSSH_9.6\r\n"],
        [head("200 OK", "Content-Length: 30"), b"s3cret"],
        [head("200 OK", "Content-Length: many"), b"s3cret"],
        [head("200 OK", "Content-Length: -1"), b"s3cret"],
        [head("200 OK", "Transfer-Encoding: chunked"), b"zz\r\ns3cret\r\n0\r\n\r\n"],
        [head("200 OK", "Transfer-Encoding: chunked"), b"9\r\ns3cret"],
        [head("200 OK", "no colon"), b"s3cret"],
        [head("200 OK", *[f"H{number}: x" for number in range(1000)])],
        [b"HTTP/1.1 200 OK\r\nLong: " + b"x" * 100_000 + b"\r\n\r\n"],
    ],
    ids=["none", "cut off", "another protocol", "short", "no number", "negative", "no size", "short chunk",
         "no header", "too many", "too long"],
)  # fmt: skip
def test_an_answer_that_is_broken_is_a_lost_connection(wire, transport, answer):
    wire.answer, wire.close_after = answer, True
    with pytest.raises(ClusterUnreachable, match="the connection was lost") as caught:
        transport.request("GET", "/x")
    assert "s3cret" not in f"{caught.value!r} {caught.value.__context__!r}"


@pytest.mark.parametrize(
    "answer",
    [
        [b"H", b"T", b"T", b"P", b"/", *[b"1"] * 100],
        [head("200 OK", "Content-Length: 100"), *[b"x"] * 100],
        [head("200 OK", "Transfer-Encoding: chunked"), *[b"1\r\nx\r\n"] * 100],
    ],
    ids=["head", "body", "chunks"],
)
def test_an_answer_that_trickles_has_one_deadline(wire, transport, answer):
    wire.answer, wire.pause = answer, 0.1
    began = time.monotonic()
    with pytest.raises(ClusterUnreachable, match="did not answer in time"):
        transport.request("GET", "/x")
    assert SECONDS <= time.monotonic() - began < 5 * SECONDS  # byte for byte it takes ten


def test_a_long_answer_over_a_thin_line_is_not_cut_off(wire, transport):
    parts = [b"x" * 8192] * 8
    wire.answer, wire.pause = [head("200 OK", f"Content-Length: {8192 * 8}"), *parts], 0.2 * SECONDS
    assert transport.request("GET", "/x").body == b"".join(parts)


def test_after_an_answer_that_came_late_the_next_one_has_its_whole_time(wire, transport):
    wire.answer, wire.pause = [head("200 OK", "Content-Length: 1"), b"x"], 0.6 * SECONDS
    for _ in range(2):
        assert transport.request("GET", "/x").body == b"x"


def test_an_answer_in_lines_is_read_as_it_comes_and_may_take_longer(wire, transport):
    lines = [b'{"n": 1}\n', b'{"n": 2}\n{"n"', b": 3}\n"]
    wire.answer, wire.pause = [head("200 OK", "Transfer-Encoding: chunked")], 0.6 * SECONDS
    wire.answer += [b"%x\r\n%b\r\n" % (len(line), line) for line in lines] + [b"0\r\n\r\n"]
    answer, found = transport.stream("/x", query={"watch": "1"}, read_seconds=10 * SECONDS)
    assert (answer.status, answer.body) == (200, b"")
    assert list(found) == [b'{"n": 1}', b'{"n": 2}', b'{"n": 3}']
    assert wire.requests[0][0] == "GET /x?watch=1 HTTP/1.1"


def test_an_answer_in_lines_that_trickles_ends_in_time(wire, transport):
    wire.answer, wire.pause = [head("200 OK", "Transfer-Encoding: chunked"), *[b"1\r\nx\r\n"] * 100], 0.1
    began = time.monotonic()
    _, found = transport.stream("/x", query={}, read_seconds=SECONDS)
    assert list(found) == []
    assert SECONDS <= time.monotonic() - began < 5 * SECONDS


def test_an_error_that_is_cut_off_is_a_lost_connection_for_a_stream_too(wire, transport):
    wire.answer, wire.close_after = [head("500 Internal Server Error", "Content-Length: 30"), b"s3cret"], True
    with pytest.raises(ClusterUnreachable, match="the connection was lost") as caught:
        transport.stream("/x", query={}, read_seconds=SECONDS)
    assert "s3cret" not in f"{caught.value!r}"


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(min_size=1, max_size=20_000), max_size=5), st.integers(1, 5000))
def test_however_an_answer_is_cut_its_body_is_the_same(wire, transport, parts, size):
    body = b"".join(parts)
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    for sent in (
        head("200 OK", f"Content-Length: {len(body)}") + body,
        head("200 OK", "Transfer-Encoding: chunked") + chunked,
    ):
        wire.answer = [sent[start : start + size] for start in range(0, len(sent), size)]
        assert transport.request("GET", "/x").body == body


@pytest.mark.parametrize("token", ["t0k\nen", "t0k\r\nX-Other: y", "t0k\u20acen"])
def test_a_token_that_cannot_be_sent_is_told_without_its_words(wire, token):
    with pytest.raises(KubeconfigError, match="The token of context 'x' holds a line break") as caught:
        connect(wire.url, token).request("GET", "/x")
    assert "t0k" not in f"{caught.value!r} {caught.value.__context__!r}"
    assert wire.connections == 0


def test_a_token_copied_with_its_line_break_is_used(wire):
    wire.answer = [head("204 No Content")]
    found = connect(wire.url, "t0ken\n")
    assert found.request("GET", "/x").status == 204
    assert "Authorization: Bearer t0ken" in wire.requests[0]
    found.close()
