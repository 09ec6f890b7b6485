"""A namespace of its own for each test, and a gate before the API server that can be shut."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import uuid
from urllib.parse import urlsplit

import pytest
import yaml

from kubeop.kube.client import Client

MANAGER = "kubeop-test"


@pytest.fixture
def namespace(kube):
    """The name of a new namespace, deleted after the test."""
    name = f"kubeop-it-{uuid.uuid4().hex[:8]}"
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    kube.delete("v1", "Namespace", name)


@pytest.fixture
def limited(kube, namespace, cluster):
    """A client of a user who may do everything with ConfigMaps in the test's namespace, and nothing else."""
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}]
    metadata = {"name": "limited", "namespace": namespace}
    rbac = "rbac.authorization.k8s.io/v1"
    kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    kube.create({"apiVersion": rbac, "kind": "Role", "metadata": metadata, "rules": rules})
    kube.create(
        {
            "apiVersion": rbac,
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "limited"},
            "subjects": [{"kind": "ServiceAccount", "name": "limited", "namespace": namespace}],
        }
    )
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/limited/token"
    token = kube.request("POST", path, body=asked)["status"]["token"]
    config = yaml.safe_load(kube.kubeconfig.as_bytes())
    config["users"][0]["user"] = {"token": token}
    with Client.from_kubeconfig(config) as client:
        yield client


class Gate:
    """Forwards connections to an API server until it is shut; opened again, it listens at the same port."""

    def __init__(self, target):
        self.target = target
        self.port = 0
        self.taken = 0
        self.after = None  # called with the number of bytes that clients have sent so far
        self._sent = 0
        self._open = set()
        self.open()

    def open(self):
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self):
        """Refuse connections and break those that are open, as a server that is killed."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            self.taken += 1
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near):
        with near, socket.create_connection(self.target) as far, selectors.DefaultSelector() as selector:
            self._open |= {near, far}
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            with contextlib.suppress(OSError):
                while True:
                    for key, _ in selector.select():
                        data = key.fileobj.recv(1 << 16)
                        if not data:
                            return
                        key.data.sendall(data)
                        if key.fileobj is near and self.after:
                            self._sent += len(data)
                            self.after(self._sent)
            self._open -= {near, far}


@pytest.fixture
def gate(kube):
    """The gate, and `gate.kubeconfig` that leads through it."""
    parts = urlsplit(kube.server)
    found = Gate((parts.hostname, parts.port or 443))
    config = yaml.safe_load(kube.kubeconfig.as_bytes())
    config["clusters"][0]["cluster"] |= {
        "server": f"https://127.0.0.1:{found.port}",
        "tls-server-name": parts.hostname,
    }
    found.kubeconfig = config
    yield found
    found.shut()
