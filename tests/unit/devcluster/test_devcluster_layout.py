import itertools
import os
import pwd
from pathlib import Path

import pytest

from kubeop import settings
from kubeop.devcluster import layout, slots
from kubeop.errors import DevClusterError


@pytest.mark.parametrize("name", ["kubeop", "a", "kubeop-test", "x" * 32, "c0-9"])
def test_a_label_is_a_name(name: str) -> None:
    assert layout.Layout(name).root == layout.state_root() / name


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a.b", "../etc", "a/b", "9a", "x" * 33, "a\n"])
def test_anything_else_is_refused_by_name(name: str) -> None:
    with pytest.raises(DevClusterError, match="cannot be a cluster's name") as caught:
        layout.Layout(name)
    assert repr(name) in str(caught.value)
    assert "lower-case letters" in caught.value.hint


def test_no_two_slots_share_an_address() -> None:
    every = [layout.Addresses(slot) for slot in range(layout.SLOTS)]
    networks = [network for slot in every for network in (slot.link, slot.pods, slot.services)]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(networks, 2))
    assert all(slot.pods.num_addresses > 500 for slot in every)
    with pytest.raises(DevClusterError):
        layout.Addresses(layout.SLOTS)


def test_the_cache_under_sudo_is_the_invoking_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBEOP_CACHE_DIR", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", "daemon")
    assert settings.cache_root() == Path(pwd.getpwnam("daemon").pw_dir) / ".cache" / "kubeop"
    monkeypatch.setenv("SUDO_USER", "no-such-user")
    assert settings.cache_root() == Path.home() / ".cache" / "kubeop"
    monkeypatch.setenv("KUBEOP_CACHE_DIR", "/elsewhere")
    assert settings.cache_root() == Path("/elsewhere")


def test_a_cluster_shows_no_password() -> None:
    cluster = layout.Cluster(
        "a", Path("/k"), "postgresql://kubeop:hunter2@10.200.0.2:5432/kubeop", "10.200.0.2", Path("/")
    )
    assert "hunter2" not in repr(cluster)


def test_what_goes_wrong_under_the_lock_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="work"), slots.lock(tmp_path / "slots.lock"):
        raise FileNotFoundError("work")


def test_the_holder_of_the_lock_may_delete_it(tmp_path: Path) -> None:
    path = tmp_path / "cluster.lock"
    with slots.lock(path):
        path.unlink()
    with slots.lock(path):
        assert path.exists()
