"""What is read from the machine: control groups, capabilities, packages, the newest PostgreSQL."""

from pathlib import Path

import pytest

from kubeop.devcluster import capabilities, cgroups, database, packages
from kubeop.devcluster.layout import Layout
from kubeop.errors import DevClusterError

VERSION_1 = """30 20 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
31 20 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
"""
VERSION_2 = "35 20 0:30 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
HYBRID = VERSION_1 + "36 20 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"


def detect(tmp_path: Path, mounts: str, *, systemd: bool = False) -> cgroups.Tree:
    (tmp_path / "mountinfo").write_text(mounts)
    return cgroups.detect(tmp_path / "mountinfo", tmp_path if systemd else tmp_path / "none")


def test_version_1(tmp_path: Path) -> None:
    tree = detect(tmp_path, VERSION_1, systemd=True)
    assert (tree.version, tree.unified) == (1, ())
    assert tree.group(Layout("a")) == "/kubeop-dev-a"
    assert Path("/sys/fs/cgroup/memory/kubeop-dev-a") in tree.folders(Layout("a"))


def test_version_2_with_and_without_systemd(tmp_path: Path) -> None:
    assert detect(tmp_path, VERSION_2).folders(Layout("a")) == [Path("/sys/fs/cgroup/kubeop-dev-a")]
    owned = detect(tmp_path, VERSION_2, systemd=True)
    assert owned.group(Layout("a")) == "/kubeop.slice/kubeop-dev-a.service"


def test_a_hybrid_machine_has_its_controllers_in_version_1(tmp_path: Path) -> None:
    tree = detect(tmp_path, HYBRID)
    assert tree.version == 1
    unified = Path("/sys/fs/cgroup/unified/kubeop-dev-a")
    assert unified not in tree.folders(Layout("a"))
    assert unified in tree.all_folders(Layout("a"))


def test_no_control_groups(tmp_path: Path) -> None:
    with pytest.raises(DevClusterError, match="no control groups"):
        detect(tmp_path, "20 1 0:1 / / rw - ext4 /dev/vda rw\n")


def test_capabilities_are_bits(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tx\nCapEff:\t0000000000001000\n")
    assert capabilities.has("CAP_NET_ADMIN", status)
    assert not capabilities.has("CAP_SYS_ADMIN", status)


def test_a_missing_package_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = packages.Package("nothing-of-this-name", packages.tool("no-such-program"))
    for_images = packages.Package("only-for-images", packages.tool("no-such-program"), for_cluster=False)
    present = packages.Package("coreutils", packages.tool("ls"))
    monkeypatch.setattr(packages, "PACKAGES", (absent, for_images, present))
    assert packages.missing() == ("nothing-of-this-name", "only-for-images")
    assert packages.missing(for_cluster_only=True) == ("nothing-of-this-name",)


def test_the_newest_postgresql_is_taken(tmp_path: Path) -> None:
    with pytest.raises(DevClusterError, match="PostgreSQL is not on this machine"):
        database.binaries(tmp_path)
    for major in ("9", "15", "17"):
        (tmp_path / major / "bin").mkdir(parents=True)
        (tmp_path / major / "bin" / "postgres").touch()
    (tmp_path / "18" / "bin").mkdir(parents=True)  # its client programs only
    assert database.binaries(tmp_path) == tmp_path / "17" / "bin"
