"""One kept-alive HTTP/1.1 connection to an API server, made for many small requests.

urllib3 keeps the pool, proxies, TLS and errors. Here a request goes out in one write and its answer is read without the
email package, for a third less CPU, and within one deadline. What is read in pieces (a watch) goes urllib3's own way.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Mapping
from http.client import BadStatusLine, HTTPException, IncompleteRead, LineTooLong, RemoteDisconnected
from socket import socket
from typing import Any, BinaryIO

import urllib3
from urllib3 import HTTPHeaderDict, HTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection

_LINE_BYTES = 65536
_SLOWEST = 16384  # bytes a second: what comes faster, such as a long list over a thin line, is not cut off
_HEADERS = 200  # lines
_DIGITS = {10: re.compile(r"[0-9]{1,15}"), 16: re.compile(r"[0-9a-fA-F]{1,15}")}
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d)(?: |\r?\n)")


def install(pool: urllib3.HTTPConnectionPool) -> urllib3.HTTPConnectionPool:
    """Let a pool that has no connections yet make them of this kind.

    Its requests bring all their headers: Host, User-Agent and Accept-Encoding are not added.
    """
    pool.ConnectionCls = _SecureConnection if pool.scheme == "https" else _Connection
    return pool


class _Connection(HTTPConnection):
    """`timeout` is that of the whole answer, not of each of its bytes; see `_Timed`."""

    _whole = ""  # the method of a request whose answer is read whole, empty when it is read in pieces

    def request(  # type: ignore[override]  # as urllib3 has it
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        preload_content: bool = True,
        **options: bool,
    ) -> None:
        if not preload_content:
            self._whole = ""
            super().request(method, url, body, headers, preload_content=False, **options)
            return
        self._whole = method
        length = () if body is None else (f"Content-Length: {len(body)}",)
        lines = (f"{method} {url} HTTP/1.1", *(f"{name}: {value}" for name, value in (headers or {}).items()), *length)
        head = "\r\n".join((*lines, "", "")).encode("latin-1")
        if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1:
            raise ValueError("A header of the request holds a line break.")  # without its words: it may be a token
        if self.sock is None:
            self.connect()
        self.sock.settimeout(self.timeout)
        self.sock.sendall(head + (body or b""))

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 has it
        if not self._whole:
            return super().getresponse()
        seconds = float(self.timeout or 0)  # Transport always gives some
        reader: BinaryIO = io.BufferedReader(_Timed(self.sock, seconds))
        status = 0
        while status < 200:  # 1xx comes before the answer
            minor, status = _status(reader)
            headers = _headers(reader)
        delimited = True
        if self._whole == "HEAD" or status in (204, 304):
            body = b""
        elif "chunked" in headers.get("Transfer-Encoding", "").lower():
            body = _chunks(reader)
        elif "Content-Length" in headers:
            body = _exactly(reader, _number(headers["Content-Length"], 10))
        else:
            body, delimited = reader.read(), False
        if not delimited or minor == 0 or "close" in headers.get("Connection", "").lower():
            self.close()
        # Of an empty answer urllib3 makes None, unless it reads it itself; one that is compressed it unpacks.
        whole = body and "Content-Encoding" not in headers
        return HTTPResponse(body if whole else io.BytesIO(body), headers, status)


class _SecureConnection(_Connection, HTTPSConnection):
    pass


class _Timed(io.RawIOBase):
    """A socket's bytes, within `seconds` and what they take at `_SLOWEST`. TimeoutError when that is over."""

    def __init__(self, source: socket, seconds: float) -> None:
        self._source = source
        self._deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer is not whole in time")
        self._source.settimeout(left)
        received = self._source.recv_into(buffer)
        self._deadline += received / _SLOWEST
        return received


def _status(reader: BinaryIO) -> tuple[int, int]:
    """The minor version of HTTP/1 and the status."""
    line = reader.readline(_LINE_BYTES)
    if not line:
        raise RemoteDisconnected("the connection was closed without an answer")
    found = _STATUS_LINE.match(line)
    if found is None:
        raise BadStatusLine("not HTTP/1")
    return int(found[1]), int(found[2])


def _headers(reader: BinaryIO) -> HTTPHeaderDict:
    found = HTTPHeaderDict()
    for _ in range(_HEADERS):
        line = reader.readline(_LINE_BYTES)
        if not line.endswith(b"\n"):
            raise LineTooLong("header") if len(line) == _LINE_BYTES else IncompleteRead(line)
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            if line.strip():
                raise HTTPException("a header line without a colon")
            return found
        found.add(name.strip(), value.strip())
    raise HTTPException(f"more than {_HEADERS} headers")


def _exactly(reader: BinaryIO, length: int) -> bytes:
    body = reader.read(length)
    if len(body) < length:
        raise IncompleteRead(b"", length - len(body))  # without its words: they may be a secret
    return body


def _chunks(reader: BinaryIO) -> bytes:
    parts = []
    while size := _number(reader.readline(_LINE_BYTES).decode("latin-1").partition(";")[0], 16):
        parts.append(_exactly(reader, size))
        _exactly(reader, 2)  # the line break after it
    _headers(reader)  # trailers, which nobody uses
    return b"".join(parts)


def _number(text: str, base: int) -> int:
    digits = text.strip()
    if not _DIGITS[base].fullmatch(digits):  # int() takes signs and underscores too
        raise HTTPException("a length that is no number")
    return int(digits, base)
