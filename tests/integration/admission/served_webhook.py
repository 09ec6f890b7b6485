"""A webhook of ours on this host, where a cluster's API server reaches it."""

from __future__ import annotations

import base64
import contextlib
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kubeop import names
from kubeop.crypto import certificates
from kubeop.kube.client import Client
from kubeop.manifests import webhooks

MANAGER = "kubeop-test"


@dataclass
class Webhook:
    """A running webhook, where it is, and the folder of its certificate."""

    process: subprocess.Popen[bytes]
    address: str
    port: int
    tls: Path

    @contextlib.contextmanager
    def connection(self) -> Iterator[ssl.SSLSocket]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection((self.address, self.port), timeout=5) as plain,
            context.wrap_socket(plain) as secured,
        ):
            yield secured

    def serves(self) -> bytes:
        """The certificate that it serves with, in DER."""
        with self.connection() as secured:
            return secured.getpeercert(binary_form=True) or b""

    def ready(self) -> bool:
        assert self.process.poll() is None, "the webhook ended"
        with contextlib.suppress(OSError), self.connection() as secured:
            secured.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return b" 200 " in secured.recv(64)
        return False

    def register(self, client: Client, ca_pem: bytes) -> None:
        bundle = base64.b64encode(ca_pem).decode()
        url = f"https://{self.address}:{self.port}"
        for obj in webhooks.webhook_configurations(bundle, url=url):
            client.server_side_apply(obj, field_manager=MANAGER, force=True)

    def unregister(self, client: Client) -> None:
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
            client.delete("admissionregistration.k8s.io/v1", kind, names.ADMISSION)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


def issue(folder: Path, address: str) -> certificates.Certificate:
    """Put a certificate for the address in the folder."""
    issued = certificates.issue_server(certificates.issue_ca("kubeop test", 1), ["localhost"], [address])
    (folder / "tls.key").write_bytes(issued.key_pem)
    (folder / "tls.crt").write_bytes(issued.cert_pem)
    return issued


def free_port(address: str) -> int:
    with socket.socket() as found:
        found.bind((address, 0))
        return int(found.getsockname()[1])
