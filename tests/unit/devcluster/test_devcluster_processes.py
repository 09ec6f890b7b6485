import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubeop.devcluster import processes
from kubeop.devcluster.layout import Layout


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setenv("KUBEOP_DEV_STATE_DIR", str(tmp_path))
    found = Layout("unit")
    found.run.mkdir(parents=True)
    return found


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def record(layout: Layout, **fields: object) -> None:
    processes.record_path(layout, "thing").write_text(json.dumps(fields))


def test_a_process_is_known_by_pid_and_start_time(layout: Layout, sleeper: subprocess.Popen[bytes]) -> None:
    [real] = processes.identify([sleeper.pid])
    record(layout, pid=real.pid, start_time=real.start_time, digest="d", boot=processes.boot())
    found = processes.recorded(layout, "thing")
    assert found is not None
    assert found.alive()
    processes.stop([found])
    assert not found.alive()


def test_a_reused_pid_is_left_alone(layout: Layout, sleeper: subprocess.Popen[bytes]) -> None:
    [real] = processes.identify([sleeper.pid])
    record(layout, pid=real.pid, start_time=real.start_time - 1, digest="d", boot=processes.boot())
    found = processes.recorded(layout, "thing")
    assert found is not None
    assert not found.alive()
    processes.stop([found])
    assert sleeper.poll() is None


def test_a_record_of_another_boot_names_nobody(layout: Layout, sleeper: subprocess.Popen[bytes]) -> None:
    [real] = processes.identify([sleeper.pid])
    record(layout, pid=real.pid, start_time=real.start_time, digest="d", boot="another")
    assert processes.recorded(layout, "thing") is None


def test_a_process_lives_until_its_last_thread_has_ended() -> None:
    script = "import ctypes, threading; threading.Thread(target=input).start(); ctypes.CDLL(None).pthread_exit(None)"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as process:
        stat = Path(f"/proc/{process.pid}/stat")
        while stat.read_text().rpartition(")")[2].split()[0] != "Z":
            assert process.poll() is None
        [real] = processes.identify([process.pid])
        assert real.alive()
        process.kill()
        process.wait()
        assert not real.alive()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', "12"])
def test_an_unreadable_record_is_none(layout: Layout, text: str) -> None:
    processes.record_path(layout, "thing").write_text(text)
    assert processes.recorded(layout, "thing") is None


def test_what_ignores_sigterm_is_killed() -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 1; done"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        processes.stop(processes.identify([process.pid]), grace_seconds=0.2)
        assert processes.identify([process.pid]) == []


def test_a_changed_file_is_another_way_of_running(tmp_path: Path) -> None:
    file = tmp_path / "config"
    component = processes.Component("thing", ("run", "--config"), files=(file,))
    before = component.digest()
    file.write_text("a: 1")
    assert component.digest() != before
    assert component.digest() == processes.Component("thing", ("run", "--config"), files=(file,)).digest()


def test_last_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert processes.last_words(log) == "it left no log"
    log.write_text("first\n" + "x" * 20000 + "\nthe end\n\n")
    assert processes.last_words(log) == "the end"
