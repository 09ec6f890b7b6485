"""What is refused before anything is started: each with the real thing missing, and one sentence that says so."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubeop.devcluster import network, preflight
from kubeop.devcluster.layout import Addresses
from kubeop.errors import DevClusterError

KUBEOP = Path(sys.executable).with_name("kubeop")
NAME = "it-refused"
DUMMY = "kubeop-it-dummy"


def up(*before: str, env: dict[str, str] | None = None, name: str = NAME) -> subprocess.CompletedProcess[str]:
    command = [*before, str(KUBEOP), "dev", "up", "--name", name]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **(env or {})}
    )


def in_mounts(script: str) -> tuple[str, ...]:
    """A prefix that runs a command after `script`, in a mount namespace of its own."""
    return ("unshare", "--mount", "sh", "-c", f'{script} && exec "$@"', "sh")


@pytest.fixture
def address() -> Iterator[Addresses]:
    """The last slot's addresses, with the host's on an interface of somebody else."""
    addresses = Addresses(63)
    subprocess.run(["ip", "link", "add", DUMMY, "type", "veth"], check=True)
    try:
        subprocess.run(["ip", "addr", "add", f"{addresses.host}/32", "dev", DUMMY], check=True)
        yield addresses
    finally:
        subprocess.run(["ip", "link", "del", DUMMY], check=True)


def test_without_root() -> None:
    os.seteuid(65534)
    try:
        with pytest.raises(DevClusterError, match=r"needs root\. Run the same command with sudo"):
            preflight.check_privileges()
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("capability", ["net_admin", "sys_admin"])
def test_without_a_capability(capability: str) -> None:
    done = up("setpriv", f"--bounding-set=-{capability}")
    assert done.returncode == 1
    assert f"This process lacks the capability CAP_{capability.upper()}." in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_a_package() -> None:
    done = up(*in_mounts("mount --bind /dev/null $(command -v runc)"))
    assert done.returncode == 1
    assert done.stderr == "kubeop: The package runc must be installed. `kubeop dev packages --install` does.\n"


def test_without_disk(tmp_path: Path) -> None:
    done = up(*in_mounts(f"mount -t tmpfs -o size=64m none {tmp_path}"), env={"KUBEOP_DEV_STATE_DIR": str(tmp_path)})
    assert done.returncode == 1
    assert f"{tmp_path} has 0.1 GiB free; a cluster needs 3 GiB." in done.stderr


def test_with_a_name_that_is_none() -> None:
    done = up(name="No Name")
    assert done.returncode == 1
    assert "'No Name' cannot be a cluster's name." in done.stderr


def test_with_a_folder_of_binaries_that_is_not_there() -> None:
    done = up(env={"KUBEBUILDER_ASSETS": "/no/such/folder"})
    assert done.returncode == 1
    assert "The folder of binaries /no/such/folder does not exist." in done.stderr


def test_an_address_in_use_is_named(address: Addresses) -> None:
    with pytest.raises(DevClusterError, match=f"{address.host} is already in use by the interface {DUMMY}"):
        network.check_address(address)


def test_a_new_cluster_avoids_what_the_host_uses(address: Addresses) -> None:
    with pytest.raises(DevClusterError, match="All 64 address ranges"):
        network.free_slot(set(range(63)))
    assert network.free_slot(set(range(62))) == 62


def test_nothing_was_left() -> None:
    assert not Path("/var/lib/kubeop/dev", NAME).exists()
    assert not Path("/run/netns", f"kubeop-dev-{NAME}").exists()
