"""`kubeop manager` as a user runs it: a process, its environment, its exit."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request

from kubeop.crypto.keyring import generate_key
from kubeop.manager import migrate
from kubeop.manager.client import ManagerClient

COMMAND = [sys.executable, "-c", "from kubeop.cli.main import main; main()", "manager"]
KEYS = {"KUBEOP_KMS_MASTER_KEY": generate_key("k1"), "KUBEOP_JWT_SIGNING_KEY": generate_key("j1")}


def environment(tmp_path, **env):
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("KUBEOP_", "XDG_"))}
    return clean | {"HOME": str(tmp_path)} | env


def run(tmp_path, *arguments, **env):
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(tmp_path, **env),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_migrate_is_repeatable_and_says_what_it_did(tmp_path):
    url = f"sqlite:///{tmp_path}/m.db"
    first = run(tmp_path, "migrate", KUBEOP_DB_URL=url)
    assert first.returncode == 0 and f"from nothing to {migrate.head()}" in first.stdout
    again = run(tmp_path, "migrate", KUBEOP_DB_URL=url)
    assert again.returncode == 0 and again.stdout == f"The schema is at revision {migrate.head()} already.\n"


def test_migrate_without_a_database_is_one_sentence_without_the_password(tmp_path):
    url = "postgresql://kubeop:pass-word@127.0.0.1:1/kubeop"
    failed = run(tmp_path, "migrate", "--timeout-seconds", "0.5", KUBEOP_DB_URL=url)
    assert failed.returncode == 1
    assert failed.stderr.startswith("kubeop: The PostgreSQL database 'kubeop' at 127.0.0.1:1 cannot be reached:")
    assert len(failed.stderr.strip().splitlines()) == 1 and "pass-word" not in failed.stderr


def test_serve_refuses_what_cannot_work_before_it_starts(tmp_path):
    for env, words in (
        ({}, "KUBEOP_KMS_MASTER_KEY is not set"),
        ({"KUBEOP_KMS_MASTER_KEY": KEYS["KUBEOP_KMS_MASTER_KEY"]}, "KUBEOP_JWT_SIGNING_KEY is not set"),
        (KEYS | {"KUBEOP_KMS_MASTER_KEY": "short"}, "KUBEOP_KMS_MASTER_KEY"),
        (KEYS | {"KUBEOP_HTTP_ADDR": "nowhere"}, "KUBEOP_HTTP_ADDR"),
        (KEYS | {"KUBEOP_DB_URL": "mysql://u:pass-word@h/d"}, "mysql"),
        (KEYS | {"KUBEOP_DB_URL": "://pass-word"}, "KUBEOP_DB_URL is not a database URL"),
    ):
        failed = run(tmp_path, "serve", **env)
        assert failed.returncode == 1, env
        assert failed.stderr.startswith("kubeop: ") and words in failed.stderr
        assert len(failed.stderr.strip().splitlines()) == 1
        assert "short" not in failed.stderr and "pass-word" not in failed.stderr


def test_serve_alone_migrates_sqlite_answers_and_stops_on_sigterm(tmp_path):
    port = random.randrange(20000, 30000)
    env = environment(tmp_path, **KEYS, KUBEOP_HTTP_ADDR=f"127.0.0.1:{port}")
    process = subprocess.Popen([*COMMAND, "serve"], env=env, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        client = ManagerClient(f"http://127.0.0.1:{port}", "no token")
        assert client.healthy()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert b"http_request_duration_seconds" in answer.read()
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0
    lines = [json.loads(line) for line in log.splitlines()]
    assert any("SQLite" in line["event"] for line in lines)
    assert lines[-1]["event"] == "stopped"
    assert (tmp_path / ".local/share/kubeop/manager.db").is_file()
