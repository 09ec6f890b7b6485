"""Why a server cannot be reached, in plain words, and whether a proxy stands before it."""

from __future__ import annotations

import base64
import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from kubeop.errors import KubeconfigError

PROXY_REFUSED = ("the proxy before it refused", "Check HTTPS_PROXY, NO_PROXY and the kubeconfig's proxy-url.")
_CERTIFICATES = (
    (
        "Hostname mismatch",
        "IP address mismatch",
        "its certificate is for another name",
        "Use a server name that the certificate has, or set tls-server-name.",
    ),
    (
        "certificate has expired",
        "",
        "its certificate has expired",
        "Renew the API server's certificate, or check this machine's clock.",
    ),
    (
        "self-signed",
        "unable to get",
        "its certificate is not from the kubeconfig's certificate authority",
        "The kubeconfig may be of an older cluster at this address: fetch it again.",
    ),
    (
        "WRONG_VERSION_NUMBER",
        "UNKNOWN_PROTOCOL",
        "it does not speak TLS",
        "Check the port and https:// in the kubeconfig's server.",
    ),
)


def unresolvable(error: BaseException) -> bool:
    """Whether the host's name has no address, which waiting does not cure."""
    return any(isinstance(one, NameResolutionError) for one in _chain(error))


def broken(error: BaseException) -> bool:
    """Whether a connection ended before its time, as when a server is stopped; a TLS handshake may be cut off too."""
    ended = (ConnectionError, ProtocolError, ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
    return any(isinstance(one, ended) for one in _chain(error))


def late(error: BaseException) -> bool:
    """Whether the answer to a request that was sent did not come in time."""
    return any(isinstance(one, ReadTimeoutError) for one in _chain(error))


def explain(error: BaseException, host: str) -> tuple[str, str]:
    """A connection error as a reason and a hint."""
    chain = list(_chain(error))
    if any(isinstance(one, ProxyError) for one in chain):
        return PROXY_REFUSED
    if unresolvable(error):
        return f"the name {host.rpartition(':')[0]} has no address", "Check the server in the kubeconfig, and DNS."
    if any(isinstance(one, (ssl.SSLError, SSLError)) for one in chain) and not broken(error):
        return _tls_reason(" ".join(str(one) for one in chain))
    if late(error):
        return "it did not answer in time", "It may be overloaded or hang: look at its own /readyz, then try again."
    if any(isinstance(one, ConnectionRefusedError) for one in chain):
        return "the connection is refused", "Is the API server running, and is this its port?"
    if any(isinstance(one, TimeoutError) for one in chain):
        return "no connection within the time allowed", "Check the address, the network and firewalls between."
    if any(isinstance(one, NewConnectionError) for one in chain):  # no route to the host, network down
        return "there is no way to its address", "Check the address, the network and routes."
    if any(isinstance(one, ConnectTimeoutError) for one in chain):
        return "no connection within the time allowed", "Check the address, the network and firewalls between."
    if broken(error) or isinstance(error, HTTPError):
        return "the connection was lost", "It may be restarting: try again."
    return type(error).__name__, "Check the server in the kubeconfig."


@dataclass(frozen=True)
class Proxy:
    """A proxy that speaks HTTP, itself reached by http or https. `login`: user and password, if it wants them."""

    scheme: str
    host: str
    port: int
    login: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Its address, without user and password."""
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def headers(self) -> dict[str, str]:
        """What a request to it needs besides."""
        if self.login is None:
            return {}
        return {"Proxy-Authorization": f"Basic {base64.b64encode(':'.join(self.login).encode()).decode()}"}


def proxy_for(server: str, configured: str, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy for a server: the kubeconfig's, else HTTPS_PROXY (for http HTTP_PROXY) unless NO_PROXY names it.

    Raises KubeconfigError, which names the field or the variable, when it cannot be used.
    """
    if configured:
        return _proxy(configured, "The kubeconfig's proxy-url")
    parts = urlsplit(server)
    name = f"{parts.scheme}_proxy"
    found = next((one for one in (name, name.upper()) if environ.get(one)), "")
    if not found or _direct(parts.hostname or "", environ.get("no_proxy") or environ.get("NO_PROXY") or ""):
        return None
    return _proxy(environ[found], found)


def _proxy(url: str, where: str) -> Proxy:
    """The URL's parts; without a scheme it is http, as everywhere. The URL is not in the error: it holds a password."""
    try:
        parts = urlsplit(url.strip() if "://" in url else f"http://{url.strip()}")
        port = parts.port
    except ValueError:
        raise _unusable(where, "not a URL") from None
    if not parts.hostname:
        raise _unusable(where, "not a URL")
    if parts.scheme not in ("http", "https"):
        raise _unusable(where, f"a {parts.scheme} proxy")
    login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return Proxy(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), login)


def _unusable(where: str, what: str) -> KubeconfigError:
    return KubeconfigError(
        f"{where} is {what}, which cannot be used.",
        hint="Give it the URL of an HTTP proxy such as http://proxy:3128.",
    )


def _direct(host: str, no_proxy: str) -> bool:
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    for item in (entry.strip().lower() for entry in no_proxy.split(",")):
        if item == "*":
            return True
        if address is not None and _within(address, item):
            return True
        if item and (host == item.lstrip("*.") or host.endswith("." + item.lstrip("*."))):
            return True
    return False


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, network: str) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except (ValueError, TypeError):
        return False


def _tls_reason(text: str) -> tuple[str, str]:
    for one, other, reason, hint in _CERTIFICATES:
        if one in text or (other and other in text):
            return reason, hint
    return "the TLS handshake failed", "The server may want a client certificate, or another TLS version."


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what it came from; urllib3 also keeps causes in `reason` and in its arguments."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found
