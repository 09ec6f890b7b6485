"""`kubeop keys`: make keys, access tokens, and sealed values.

What is secret comes by environment, file or standard input, never as an argument, for arguments show in the process
list and in shell histories.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from kubeop.crypto import envelope, keyring, tokens
from kubeop.errors import InputError
from kubeop.settings import Settings

app = typer.Typer(
    help="Make keys, and tokens signed with them; seal and open values.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # it could print local variables, and these hold keys
)

_MAX_INPUT = 64 * 1024 * 1024  # bytes

KeyFile = Annotated[
    Path | None, typer.Option("--key-file", help="Read the keys from this file instead of the environment.")
]
Tenant = Annotated[str, typer.Option(help="The tenant that the value belongs to.")]
Cluster = Annotated[str, typer.Option(help="The cluster that the value belongs to.")]
Field = Annotated[str, typer.Option(help="What the value is, such as kubeconfig.")]
Record = Annotated[str, typer.Option(help="The id of the record that holds it.")]
Version = Annotated[int, typer.Option("--record-version", help="The version of that record.", min=0)]


@app.command()
def generate(
    key_id: Annotated[str | None, typer.Option("--id", help="The key's id; derived from the key if left out.")] = None,
) -> None:
    """Print a new random key, ID:BASE64, good as a KMS master key or as a signing key."""
    typer.echo(keyring.generate_key(key_id))


@app.command()
def token(
    role: Annotated[str, typer.Option(help="admin, tenant or project.")],
    subject: Annotated[str, typer.Option(help="Who will use the token; the audit log shows it.")],
    scope: Annotated[str, typer.Option(help="tenant:ID or project:ID; nothing for an admin.")] = "",
    ttl_seconds: Annotated[int, typer.Option(help="How long it is valid; at most 90 days.")] = 3600,
    key_file: KeyFile = None,
) -> None:
    """Print an access token for the manager, signed with the first key of KUBEOP_JWT_SIGNING_KEY."""
    text, source = _keys("KUBEOP_JWT_SIGNING_KEY", key_file)
    keys = tokens.SigningKeys.parse(text, source=source)
    typer.echo(tokens.issue(keys, subject=subject, role=role, scope=scope, ttl_seconds=ttl_seconds))


@app.command()
def seal(
    tenant: Tenant = "",
    cluster: Cluster = "",
    field: Field = "",
    record: Record = "",
    record_version: Version = 1,
    key_file: KeyFile = None,
) -> None:
    """Seal standard input, every byte of it, and print the token. The same context has to be given to open it."""
    ring = _ring(key_file)
    context = envelope.Context(tenant, cluster, field, record, record_version)
    typer.echo(envelope.seal_token(ring, _standard_input(), context))


@app.command()
def unseal(
    tenant: Tenant = "",
    cluster: Cluster = "",
    field: Field = "",
    record: Record = "",
    record_version: Version = 1,
    key_file: KeyFile = None,
) -> None:
    """Open the token on standard input and print the value as it was, without a line end of its own."""
    ring = _ring(key_file)
    context = envelope.Context(tenant, cluster, field, record, record_version)
    typer.echo(envelope.open_token(ring, _token_from_input(), context), nl=False)


@app.command()
def rewrap(key_file: KeyFile = None) -> None:
    """Print the token on standard input anew, under the first key of KUBEOP_KMS_MASTER_KEY; the value stays sealed."""
    typer.echo(envelope.rewrap_token(_ring(key_file), _token_from_input()))


def _ring(key_file: Path | None) -> keyring.Keyring:
    text, source = _keys("KUBEOP_KMS_MASTER_KEY", key_file)
    return keyring.Keyring.parse(text, source=source)


def _keys(variable: str, key_file: Path | None) -> tuple[str, str]:
    """The text of the keys, and where it came from."""
    if key_file is not None:
        try:
            return key_file.read_text(encoding="utf-8"), f"the key file {key_file}"
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise InputError(f"The key file {key_file} cannot be read: {reason}.", hint="Check the path.") from None
    settings = Settings.from_env()
    text = settings.kms_master_key if variable == "KUBEOP_KMS_MASTER_KEY" else settings.jwt_signing_key
    if not text.strip():
        raise InputError(
            f"{variable} is not set.", hint="Set it, or give --key-file; `kubeop keys generate` makes a key."
        )
    return text, variable


def _standard_input() -> bytes:
    data = sys.stdin.buffer.read(_MAX_INPUT + 1)
    if len(data) > _MAX_INPUT:
        raise InputError(f"Standard input is longer than {_MAX_INPUT} bytes.", hint="Seal a shorter value.")
    return data


def _token_from_input() -> str:
    try:
        return _standard_input().decode("ascii")
    except UnicodeDecodeError:
        raise InputError(
            "Standard input holds no token.", hint="Give the token that `kubeop keys seal` made."
        ) from None
