"""Control groups of version 1, hybrid and version 2, as trees of files like the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcluster import cgroups
from localcluster.console import ClusterError
from localcluster.layout import CGROUP

OFFERED = "cpuset cpu io memory hugetlb pids rdma"


def always(_: Path) -> bool:
    """Folders of a test are no mounts."""
    return True


def version_1(mounted: Path, *names: str) -> Path:
    for name in names:
        (mounted / name).mkdir(parents=True)
    return mounted


def version_2(mounted: Path, offered: str = OFFERED) -> Path:
    """Every group has these files at once, as in the kernel."""
    for group in (mounted, mounted / CGROUP, mounted / CGROUP / "n1"):
        group.mkdir(parents=True, exist_ok=True)
        (group / "cgroup.controllers").write_text(offered + "\n")
    return mounted


def test_version_1_has_a_hierarchy_per_controller(tmp_path: Path) -> None:
    version_1(tmp_path, "memory", "pids", "cpu,cpuacct")
    (tmp_path / "cpu").symlink_to("cpu,cpuacct")
    (tmp_path / "release").write_text("")
    assert not cgroups.is_v2(tmp_path)
    names = [path.name for path in cgroups.hierarchies(tmp_path, always)]
    assert names == ["cpu,cpuacct", "memory", "pids"]
    assert cgroups.tracking(tmp_path) == tmp_path / "pids" / CGROUP
    entries = [path.relative_to(tmp_path).parts[0] for path in cgroups.entry_files("n1", tmp_path)]
    assert entries == ["pids", "memory"]


def test_the_hybrid_layout_counts_as_version_1(tmp_path: Path) -> None:
    version_1(tmp_path, "memory", "pids")
    version_2(tmp_path / "unified", "")
    assert not cgroups.is_v2(tmp_path)
    assert tmp_path / "unified" in cgroups.hierarchies(tmp_path, always)
    assert cgroups.tracking(tmp_path) == tmp_path / "pids" / CGROUP


def test_version_2_has_one_hierarchy(tmp_path: Path) -> None:
    version_2(tmp_path)
    assert cgroups.is_v2(tmp_path)
    assert cgroups.hierarchies(tmp_path) == [tmp_path]
    assert cgroups.tracking(tmp_path) == tmp_path / CGROUP
    assert cgroups.entry_files("n1", tmp_path) == [tmp_path / CGROUP / "n1" / "cgroup.procs"]


@pytest.mark.parametrize("present", [(), ("memory",), ("pids", "cpu")])
def test_what_is_missing_is_said_with_a_remedy(tmp_path: Path, present: tuple[str, ...]) -> None:
    version_1(tmp_path, *present)
    with pytest.raises(ClusterError, match=r"mount them, or boot with systemd\.unified_cgroup"):
        cgroups.hierarchies(tmp_path, always)


def test_folders_that_are_no_mounts_are_no_hierarchies(tmp_path: Path) -> None:
    version_1(tmp_path, "memory", "pids")
    with pytest.raises(ClusterError, match="no memory and pids"):
        cgroups.hierarchies(tmp_path)


def test_nothing_mounted_at_all_is_said_the_same_way(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="no memory and pids"):
        cgroups.hierarchies(tmp_path / "nothing")


def test_a_cpuset_of_version_1_is_filled_from_its_parent(tmp_path: Path) -> None:
    for group in (tmp_path, tmp_path / CGROUP, tmp_path / CGROUP / "n1"):
        group.mkdir(exist_ok=True)
        (group / "cpuset.cpus").write_text("0-1" if group == tmp_path else "")
        (group / "cpuset.mems").write_text("0" if group == tmp_path else "")
    cgroups.make_in(tmp_path, "n1", v2=False)
    made = tmp_path / CGROUP / "n1"
    assert ((made / "cpuset.cpus").read_text(), (made / "cpuset.mems").read_text()) == ("0-1", "0")


def test_version_2_hands_controllers_down_to_every_group_but_the_last(tmp_path: Path) -> None:
    version_2(tmp_path)
    cgroups.make_in(tmp_path, "n1", v2=True)
    for group in (tmp_path, tmp_path / CGROUP):
        given = (group / "cgroup.subtree_control").read_text().split()
        assert given == ["+cpuset", "+cpu", "+memory", "+pids", "+io", "+hugetlb"]
    assert not (tmp_path / CGROUP / "n1" / "cgroup.subtree_control").exists()


def test_a_controller_that_version_2_does_not_offer_is_named(tmp_path: Path) -> None:
    version_2(tmp_path, "cpu memory pids")
    with pytest.raises(ClusterError, match="the kernel offers no cpuset control group"):
        cgroups.make_in(tmp_path, "n1", v2=True)
