"""`kubeop keys`, run as a user runs it: a process, its environment, its standard input and output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from kubeop.crypto.envelope import Context, open_token, seal_token, token_key_id
from kubeop.crypto.keyring import Keyring, generate_key
from kubeop.crypto.tokens import SigningKeys, verify

KEY = generate_key("k1")
SECRET_PART = KEY.partition(":")[2]


def kubeop(*arguments: str, stdin: bytes = b"", **env: str) -> subprocess.CompletedProcess[bytes]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KUBEOP_")}
    command = [sys.executable, "-c", "from kubeop.cli.main import main; main()", "keys", *arguments]
    done = subprocess.run(command, input=stdin, env=clean | env, capture_output=True, check=False, timeout=60)
    assert SECRET_PART.encode() not in done.stdout + done.stderr
    return done


def good(*arguments: str, stdin: bytes = b"", **env: str) -> bytes:
    done = kubeop(*arguments, stdin=stdin, **env)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def bad(*arguments: str, stdin: bytes = b"", **env: str) -> str:
    done = kubeop(*arguments, stdin=stdin, **env)
    assert (done.returncode, done.stdout) == (1, b"")
    message = done.stderr.decode()
    assert message.startswith("kubeop: ")
    assert message.count("\n") == 1
    return message


def test_generate() -> None:
    named, other = good("generate", "--id", "prod-1").decode(), good("generate").decode()
    assert Keyring.parse(named).active_id == "prod-1"
    assert Keyring.parse(f"{named.strip()},{other}").ids[0] == "prod-1"
    assert "characters that an id cannot have" in bad("generate", "--id", "a b")


def test_token_from_the_environment_and_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(KEY + "\n")
    admin = ("token", "--role", "admin", "--subject", "alice", "--ttl-seconds", "60")
    for arguments, env in ((admin, {"KUBEOP_JWT_SIGNING_KEY": KEY}), ((*admin, "--key-file", str(path)), {})):
        claims = verify(SigningKeys.parse(KEY), good(*arguments, **env).decode())
        assert (claims.subject, claims.role, claims.key_id) == ("alice", "admin", "k1")
    tenant = ("token", "--role", "tenant", "--scope", "tenant:7", "--subject", "bob")
    assert verify(SigningKeys.parse(KEY), good(*tenant, KUBEOP_JWT_SIGNING_KEY=KEY).decode()).scope == "tenant:7"


def test_token_refuses_what_cannot_be(tmp_path: Path) -> None:
    admin = ("token", "--role", "admin", "--subject", "alice")
    assert "KUBEOP_JWT_SIGNING_KEY is not set" in bad(*admin)
    assert "Key 1 of 1 in KUBEOP_JWT_SIGNING_KEY is not base64" in bad(*admin, KUBEOP_JWT_SIGNING_KEY="k1:!!")
    assert "There is no role 'root'" in bad("token", "--role", "root", "--subject", "a", KUBEOP_JWT_SIGNING_KEY=KEY)
    assert "cannot live for 0 seconds" in bad(*admin, "--ttl-seconds", "0", KUBEOP_JWT_SIGNING_KEY=KEY)
    missing = tmp_path / "none"
    assert f"{missing} cannot be read: No such file" in bad(*admin, "--key-file", str(missing))
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    assert "it is not text" in bad(*admin, "--key-file", str(binary))
    empty = tmp_path / "empty"
    empty.write_text("\n")
    assert f"the key file {empty} holds no key" in bad(*admin, "--key-file", str(empty))


def test_seal_and_unseal_keep_every_byte() -> None:
    value = "pässword\n\x00".encode() + b"\xff\r\n"
    where = ("--tenant", "t", "--cluster", "c", "--field", "f", "--record", "r", "--record-version", "2")
    token = good("seal", *where, stdin=value, KUBEOP_KMS_MASTER_KEY=KEY)
    assert open_token(Keyring.parse(KEY), token.decode(), Context("t", "c", "f", "r", 2)) == value
    assert good("unseal", *where, stdin=token, KUBEOP_KMS_MASTER_KEY=KEY) == value


def test_unseal_says_why_it_does_not_open() -> None:
    token = seal_token(Keyring.parse(KEY), b"value", Context(tenant="t")).encode()
    assert "belongs to another context than tenant 'u', version 1" in bad(
        "unseal", "--tenant", "u", stdin=token, KUBEOP_KMS_MASTER_KEY=KEY
    )
    assert "no key with the id 'k1'; the key ring has k2" in bad(
        "unseal", stdin=token, KUBEOP_KMS_MASTER_KEY=generate_key("k2")
    )
    assert "'k1' is not the one" in bad("unseal", stdin=token, KUBEOP_KMS_MASTER_KEY=generate_key("k1"))
    assert "not a kubeop token" in bad("unseal", stdin=b"hunter2", KUBEOP_KMS_MASTER_KEY=KEY)
    assert "Standard input holds no token" in bad("unseal", stdin=b"\xff", KUBEOP_KMS_MASTER_KEY=KEY)
    assert "KUBEOP_KMS_MASTER_KEY is not set" in bad("seal", stdin=b"value")


def test_rewrap() -> None:
    new = generate_key("k2")
    token = seal_token(Keyring.parse(KEY), b"value", Context(tenant="t"))
    rewrapped = good("rewrap", stdin=token.encode(), KUBEOP_KMS_MASTER_KEY=f"{new},{KEY}").decode()
    assert token_key_id(rewrapped) == "k2"
    assert open_token(Keyring.parse(new), rewrapped, Context(tenant="t")) == b"value"
