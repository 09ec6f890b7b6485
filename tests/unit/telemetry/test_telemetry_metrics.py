"""Metrics and the endpoints that serve them, over a real socket."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families

from kubeop import BUILD_VERSION
from kubeop.errors import InputError
from kubeop.telemetry import metrics
from kubeop.telemetry.endpoints import serve


def test_the_names_are_those_of_the_specification() -> None:
    metrics.observe_request(method="GET", route="/v1/clusters/{id}", status=200, seconds=0.01)
    metrics.observe_reconcile(group="g", version="v1", kind="Project", result="success", seconds=0.2)
    metrics.observe_admission(webhook="validate", operation="CREATE", kind="Pod", decision="denied", seconds=0.001)
    content_type, body = metrics.exposition()
    assert content_type.startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    labels = {name: {label for s in family.samples for label in s.labels} for name, family in families.items()}
    assert labels["http_request_duration_seconds"] == {"method", "route", "status", "le"}
    assert labels["controller_runtime_reconcile"] == {"group", "version", "kind", "result"}  # plus _total
    assert labels["controller_runtime_reconcile_time_seconds"] == {"group", "version", "kind", "le"}
    assert labels["admission_requests"] == {"webhook", "operation", "kind", "decision"}
    assert b"# TYPE http_request_errors_total counter" in body
    assert b"process_resident_memory_bytes" in body
    assert metrics.value("kubeop_build_info", {"version": BUILD_VERSION, "commit": ""}) == 1


def test_only_server_errors_count_as_errors() -> None:
    for status, expected in ((200, 0), (404, 0), (499, 0), (500, 1), (503, 1)):
        labels = {"method": "POST", "route": "/errors", "status": str(status)}
        metrics.observe_request(method="POST", route="/errors", status=status, seconds=0.5)
        assert metrics.value("http_request_errors_total", labels) == expected
        assert metrics.value("http_request_duration_seconds_count", labels) == 1
        assert metrics.value("http_request_duration_seconds_sum", labels) == 0.5


def test_leading_is_a_gauge() -> None:
    for leading, expected in ((True, 1), (False, 0)):
        metrics.set_leader("lease", leading=leading)
        assert metrics.value("kubeop_leader", {"lease": "lease"}) == expected


def test_counting_adds_up() -> None:
    labels = {"group": "g", "version": "v", "kind": "Tenant", "result": "error"}
    assert metrics.value("controller_runtime_reconcile_total", labels) == 0
    for _ in range(3):
        metrics.observe_reconcile(**labels, seconds=1)
    assert metrics.value("controller_runtime_reconcile_total", labels) == 3
    assert metrics.value("controller_runtime_reconcile_time_seconds_sum", {k: labels[k] for k in list(labels)[:3]}) == 3


def test_the_endpoints_answer_and_say_which_check_failed() -> None:
    state: dict[str, str | None] = {"database": None}

    def broken() -> str | None:
        if state["database"] == "broken":
            raise RuntimeError("hunter2")
        return None

    with (
        serve(0, {"database": lambda: state["database"], "kms": broken}, host="127.0.0.1") as endpoints,
        urllib3.PoolManager() as http,
    ):
        base = f"http://127.0.0.1:{endpoints.port}"

        def get(path: str, method: str = "GET") -> tuple[int, str]:
            answer = http.request(method, base + path, retries=False, timeout=10)
            return answer.status, answer.data.decode()

        assert get("/healthz") == (200, "ok\n")
        assert get("/readyz?verbose") == (200, "database: ok\nkms: ok\nok\n")
        assert get("/healthz", "HEAD") == (200, "")
        assert "kubeop_build_info" in get("/metrics")[1]
        assert get("/")[0] == 404
        assert get("/readyz", "POST")[0] == 501
        state["database"] = "PostgreSQL does not answer."
        assert get("/readyz") == (503, "database: PostgreSQL does not answer.\nkms: ok\nnot ok\n")
        assert get("/healthz")[0] == 200
        state["database"] = "broken"
        status, body = get("/readyz")
        assert (status, "kms: the check failed with RuntimeError" in body) == (503, True)
        assert "hunter2" not in body


def test_liveness_has_checks_of_its_own() -> None:
    with (
        serve(0, {}, liveness={"loop": lambda: "stuck"}, host="127.0.0.1") as endpoints,
        urllib3.PoolManager() as http,
    ):
        answers = [
            http.request("GET", f"http://127.0.0.1:{endpoints.port}/{path}", retries=False, timeout=10)
            for path in ("healthz", "readyz")
        ]
        assert [(answer.status, answer.data) for answer in answers] == [(503, b"loop: stuck\nnot ok\n"), (200, b"ok\n")]


def test_a_client_that_says_nothing_or_nonsense_holds_nobody_up() -> None:
    with serve(0, {}, host="127.0.0.1") as endpoints, urllib3.PoolManager() as http:
        address = ("127.0.0.1", endpoints.port)
        silent, noisy = (socket.create_connection(address, timeout=10) for _ in range(2))
        noisy.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert b"400" in noisy.recv(1000)
        assert http.request("GET", f"http://127.0.0.1:{endpoints.port}/healthz", timeout=10).status == 200
        silent.close()
        noisy.close()


def test_a_port_that_cannot_be_had_is_said_and_freed_after_stopping() -> None:
    with serve(0, {}, host="127.0.0.1") as endpoints:
        port = endpoints.port
        with pytest.raises(
            InputError, match=f"Port {port} for metrics and health cannot be listened on: Address already"
        ):
            serve(port, {}, host="127.0.0.1")
    with serve(port, {}, host="127.0.0.1") as again:
        assert again.port == port
    with pytest.raises(InputError, match="Port 70000"):
        serve(70000, {}, host="127.0.0.1")


def test_only_metrics_needs_prometheus() -> None:
    # The Ansible plugins and the command line log too, and do without the services' parts.
    script = "import json, sys; import kubeop.telemetry.logs, kubeop.cli.keys; print(json.dumps(sorted(sys.modules)))"
    modules = json.loads(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout)
    assert "kubeop.telemetry.logs" in modules
    assert not [name for name in modules if name.startswith("prometheus_client")]
