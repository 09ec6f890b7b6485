"""Filters, the lookup and the callback: what they give back, and that an error never holds a secret."""

from __future__ import annotations

import importlib
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError, AnsibleLookupError
from ansible.executor.stats import AggregateStats
from jinja2.nativetypes import NativeEnvironment
from plugin_docs import PACKAGE, ROOT

from kubeop.crypto.envelope import Context, seal_token
from kubeop.crypto.keyring import Keyring, generate_key
from kubeop.crypto.tokens import SigningKeys, verify


def plugin(kind: str, name: str) -> Any:
    return importlib.import_module(f"{PACKAGE}.{kind}.{name}")


def test_unseal_opens_in_its_own_context_only() -> None:
    key = generate_key("k1")
    token = seal_token(Keyring.parse(key), b"hunter2", Context(field="password"))
    unseal = plugin("filter", "unseal").FilterModule().filters()["unseal"]
    assert unseal(token, key, field="password") == "hunter2"
    with pytest.raises(AnsibleFilterError) as caught:
        unseal(token, key, field="other")
    assert "hunter2" not in str(caught.value)
    assert key.partition(":")[2] not in str(caught.value)


def test_unseal_names_what_is_no_token() -> None:
    unseal = plugin("filter", "unseal").FilterModule().filters()["unseal"]
    with pytest.raises(AnsibleFilterError, match="token"):
        unseal("plain text", generate_key())


def test_admin_token_is_signed_and_short_lived() -> None:
    key = generate_key("k1")
    issued = plugin("filter", "admin_token").FilterModule().filters()["admin_token"](key, "ci", 60)
    claims = verify(SigningKeys.parse(key), issued)
    assert (claims.subject, claims.role) == ("ci", "admin")


def test_admin_token_never_repeats_a_key_that_it_cannot_read() -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        plugin("filter", "admin_token").admin_token("not-a-key-but-maybe-a-secret")
    assert "maybe-a-secret" not in str(caught.value)


QUANTITIES = ("quantity", "quantity_text", "quantity_sum")


def test_the_examples_of_the_quantity_filters_are_true() -> None:
    filters = {f"kubeop.platform.{name}": plugin("filter", name).FilterModule().filters()[name] for name in QUANTITIES}
    environment = NativeEnvironment()  # as Ansible: numbers stay numbers
    environment.filters |= filters
    projects = [{"quota": {"memory": "2Gi"}}, {"quota": {"memory": "4096Mi"}}]
    shown = 0
    for name in QUANTITIES:
        for line in plugin("filter", name).EXAMPLES.split("---")[1].strip().splitlines():
            (template,) = yaml.safe_load(line).values()
            found = environment.from_string(template).render(kubeop_tenants=[{"projects": projects}])
            assert found == yaml.safe_load(line.rpartition(" # ")[2]), line
            shown += 1
    assert shown == 8


@pytest.mark.parametrize("name", QUANTITIES)
def test_what_is_no_quantity_is_named(name: str) -> None:
    with pytest.raises(AnsibleFilterError, match="much"):
        plugin("filter", name).FilterModule().filters()[name](["much"] if name == "quantity_sum" else "much")


def test_a_text_is_not_a_list_of_quantities() -> None:
    with pytest.raises(AnsibleFilterError, match="not a list"):
        plugin("filter", "quantity_sum").quantity_sum("12")


def test_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "kms"
    lookup = plugin("lookup", "key").LookupModule()
    first = lookup.run([str(path)])
    assert lookup.run([str(path)]) == first
    assert Keyring.parse(first[0]).active_id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("text", "mode", "told"), [("", 0o600, "empty"), ("k1:AAAA\n", 0o600, "Key"), ("x", 0o644, "chmod")]
)
def test_key_refuses_a_file_of_no_use(tmp_path: Path, text: str, mode: int, told: str) -> None:
    path = tmp_path / "kms"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(AnsibleLookupError, match=told):
        plugin("lookup", "key").LookupModule().run([str(path)])
    assert path.read_text() == text


def test_summary_shows_components_and_times() -> None:
    callback = plugin("callback", "summary").CallbackModule()
    shown: list[str] = []
    callback._display = SimpleNamespace(display=shown.append)
    task = SimpleNamespace(_role=SimpleNamespace(get_name=lambda: "kubeop.platform.verify"))
    callback.v2_playbook_on_task_start(task, is_conditional=False)
    row = {"cluster": "eu-1", "component": "kubeop-manager", "version": "0.1.0", "ready": "2/2", "api": "http://a:1"}
    stats = AggregateStats()
    stats.update_custom_stats("kubeop_components", [row], host="eu-1")
    callback.v2_playbook_on_stats(stats)
    assert shown[1].split() == ["cluster", "component", "version", "ready", "api"]
    assert shown[3].split() == list(row.values())
    assert shown[-1].split()[0] == "kubeop.platform.verify"


def test_summary_is_silent_without_roles() -> None:
    assert plugin("callback", "summary").table(("role", "seconds"), []) == []


def test_the_examples_secrets_open_with_the_key_of_its_readme() -> None:
    folder = ROOT / "inventories" / "example"
    key = next(
        line.partition("=")[2] for line in (folder / "README.md").read_text().splitlines() if "SEAL_KEY=" in line
    )
    sealed = yaml.safe_load((folder / "group_vars" / "all" / "sealed.yml").read_text())
    unseal = plugin("filter", "unseal").unseal
    opened = {
        field: unseal(sealed[name], key, field=field)
        for name, field in (
            ("kubeop_db_url_sealed", "db_url"),
            ("kubeop_kms_master_key_sealed", "kms"),
            ("kubeop_jwt_signing_key_sealed", "jwt"),
        )
    }
    assert opened["db_url"].startswith("postgresql://")
    assert Keyring.parse(opened["kms"]).ids == ("kms-1",)
    assert SigningKeys.parse(opened["jwt"]).ids == ("jwt-1",)
