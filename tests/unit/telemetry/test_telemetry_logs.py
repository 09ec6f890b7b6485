"""Logs: one JSON object a line, with its component and request, and no secret, whoever logs it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from kubeop.errors import InputError
from kubeop.telemetry import logs


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_a_line_says_when_where_and_what(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("manager", "INFO")
    logs.get_logger("kubeop.test").info("cluster registered", cluster="west", kubeconfig=b"hunter2", key_id="k1")
    [line] = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "component": "manager",
        "logger": "kubeop.test",
        "event": "cluster registered",
        "cluster": "west",
        "kubeconfig": "[redacted]",
        "key_id": "k1",
    }


def test_other_libraries_take_the_same_path(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("operator", "info")
    logging.getLogger("sqlalchemy").warning("cannot connect to %s", "postgresql://u:hunter2@db/x")
    logging.getLogger("urllib3").info("chatter")
    [line] = lines(capsys)
    assert line["event"] == "cannot connect to postgresql://u:[redacted]@db/x"
    assert (line["component"], line["logger"], line["level"]) == ("operator", "sqlalchemy", "warning")


def _fail(*parts: str) -> None:
    local = "".join(parts)
    try:
        len(local) // 0
    except ZeroDivisionError as error:
        raise RuntimeError("postgresql://u:hunter2@db refused") from error


@pytest.mark.parametrize("name", ["own", "foreign"])
def test_an_exception_is_a_traceback_without_values_or_secrets(capsys: pytest.CaptureFixture[str], name: str) -> None:
    logs.configure("manager")
    try:
        _fail("local", "-value")
    except RuntimeError:
        (logs.get_logger(name) if name == "own" else logging.getLogger(name)).exception("failed")
    [line] = lines(capsys)
    assert "ZeroDivisionError: " in line["exception"]
    assert "RuntimeError: postgresql://u:[redacted]@db refused" in line["exception"]
    assert "test_telemetry_logs.py" in line["exception"]
    assert "hunter2" not in json.dumps(line)
    assert "local-value" not in json.dumps(line)


def test_an_exception_given_as_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("manager")
    logs.get_logger("x").warning("check failed", exc_info=OSError("no route"))
    assert lines(capsys)[0]["exception"] == "OSError: no route"


async def test_a_request_id_follows_its_task_only(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("manager")
    log = logs.get_logger("x")

    async def handle(request_id: str) -> None:
        with logs.bound(request_id=request_id):
            await asyncio.sleep(0)
            log.info("handled", expected=request_id)
            logging.getLogger("foreign").info("handled")

    await asyncio.gather(handle("r1"), handle("r2"))
    log.info("outside")
    *inside, outside = lines(capsys)
    assert [line["request_id"] for line in inside if "expected" in line] == ["r1", "r2"]
    assert all(line["request_id"] == line.get("expected", line["request_id"]) for line in inside)
    assert len(inside) == 4
    assert "request_id" not in outside


def test_the_level_counts_and_can_be_changed(capsys: pytest.CaptureFixture[str]) -> None:
    log = logs.get_logger("x")
    for level, expected in (("error", ["error"]), ("debug", ["debug", "error"])):
        logs.configure("manager", level)
        log.debug("one")
        log.error("two")
        assert [line["level"] for line in lines(capsys)] == expected


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(InputError, match="The log level is 'loud'"):
        logs.configure("manager", "loud")


def test_odd_values_still_make_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("manager")
    logs.get_logger("x").info("odd", newline="a\nb", surrogate="\ud800", unicode="é", big=2**70, obj=object())
    [line] = lines(capsys)
    assert (line["newline"], line["surrogate"], line["unicode"], line["big"]) == ("a\nb", "\ud800", "é", 2**70)
