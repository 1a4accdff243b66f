# SPDX-License-Identifier: BSD-3-Clause
"""How many cores a process should use, by what Linux says in /proc and /sys: here in trees of files like theirs."""

import os
import sys

import pytest

from fastrnn._engine import cores as machine

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what Linux says")
pytestmark = linux_only
CPU = "sys/devices/system/cpu/cpu{}"
V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
V1 = "31 23 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct"


@pytest.fixture
def cores_of(tmp_path, monkeypatch):
    """The number for a tree of files, with an affinity."""

    def cores_of(files, affinity=range(64)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(affinity))
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        return machine.usable_cores(tmp_path)

    return cores_of


def test_this_machine_has_cores():
    assert 1 <= machine.usable_cores() <= len(os.sched_getaffinity(0))


def test_without_a_word_from_the_system_the_affinity_decides(cores_of):
    assert cores_of({}, {0, 1, 5}) == 3


# ---- kinds of cores ----


def siblings(pairs, name="core_cpus_list"):
    """A topology in which these CPUs are the hardware threads of one core each."""
    return {f"{CPU.format(cpu)}/topology/{name}": ",".join(map(str, pair)) for pair in pairs for cpu in pair}


@pytest.mark.parametrize("name", ["core_cpus_list", "thread_siblings_list"])
@pytest.mark.parametrize(
    "affinity, cores", [(range(8), 4), ({0, 4}, 1), ({0, 1, 5}, 2), ({3}, 1)], ids=["all", "a core", "two", "half"]
)
def test_the_hardware_threads_of_a_core_count_once(cores_of, name, affinity, cores):
    """As AMD and Intel number them, by the name of kernels before 5.1 too."""
    assert cores_of(siblings([(k, k + 4) for k in range(4)], name), affinity) == cores


def hybrid():
    """Four performance cores of two threads each, CPUs 0 to 7, and eight efficiency cores, 8 to 15."""
    files = siblings([(2 * k, 2 * k + 1) for k in range(4)] + [(k,) for k in range(8, 16)])
    return files | {"sys/devices/cpu_core/cpus": "0-7", "sys/devices/cpu_atom/cpus": "8-15"}


@pytest.mark.parametrize("affinity, cores", [(range(16), 4), (range(6, 10), 1), (range(8, 12), 4)])
def test_of_a_hybrid_machine_the_performance_cores_count(cores_of, affinity, cores):
    """The others do where the process may use no performance core."""
    assert cores_of(hybrid(), affinity) == cores


@pytest.mark.parametrize(
    "capacities, cores",
    [
        ([1024, 900, 900, 900, 300, 300, 300, 300], 4),  # 4 x 900 is more than 8 x 300
        ([1024, 400, 400, 400, 400, 400], 6),  # 6 x 400 is more than 1024
        ([500] * 4, 4),
        ([1024, 300, 300, 300], 4),
    ],
)
def test_slow_cores_count_where_all_together_do_more_at_their_pace(cores_of, capacities, cores):
    files = {f"{CPU.format(cpu)}/cpu_capacity": capacity for cpu, capacity in enumerate(capacities)}
    assert cores_of(files, range(len(capacities))) == cores


def test_capacities_that_are_not_known_of_all_are_not_used(cores_of):
    assert cores_of({f"{CPU.format(0)}/cpu_capacity": 1024}, range(4)) == 4


# ---- quotas ----


@pytest.mark.parametrize(
    "content, cores",
    [
        ("max 100000", 64),
        ("150000 100000", 1),
        ("50000 100000", 1),
        ("400000 100000", 4),
        ("9900000 100000", 64),
        ("", 64),
        ("max", 64),
        ("many 100000", 64),
        ("1 2 3", 64),
        ("100000 0", 64),
    ],
)
def test_a_quota_counts_in_whole_cores(cores_of, content, cores):
    """At least one; what cannot be read is no limit."""
    files = {"proc/self/cgroup": "0::/", "proc/self/mountinfo": V2, "sys/fs/cgroup/cpu.max": content}
    assert cores_of(files) == cores


def test_the_smallest_quota_of_nested_groups_counts(cores_of):
    """Version 2: a pod in a slice; the group of the process itself has none."""
    files = {"proc/self/cgroup": "0::/kube.slice/pod/app", "proc/self/mountinfo": V2}
    files |= {f"sys/fs/cgroup/{name}cpu.max": "max 100000" for name in ("", "kube.slice/pod/app/")}
    assert cores_of(files | {"sys/fs/cgroup/kube.slice/cpu.max": "800000 100000"}) == 8
    assert cores_of(files | {"sys/fs/cgroup/kube.slice/pod/cpu.max": "300000 100000"}) == 3


def version_1(group, quota, period=100000):
    return {
        f"sys/fs/cgroup/cpu,cpuacct/{group}cpu.cfs_quota_us": quota,
        f"sys/fs/cgroup/cpu,cpuacct/{group}cpu.cfs_period_us": period,
    }


def test_quotas_of_version_1(cores_of):
    """Nested, -1 for none; other controllers, and the tree of version 2 beside it, have no say."""
    files = {
        "proc/self/cgroup": "5:memory:/other\n4:cpu,cpuacct:/docker/abc\n0::/init.scope",
        "proc/self/mountinfo": "\n".join(
            [V1, V1.replace("cpu,cpuacct", "memory"), V2.replace("fs/cgroup", "fs/unified")]
        ),
        "sys/fs/cgroup/memory/cpu.cfs_quota_us": 100000,
        "sys/fs/cgroup/memory/cpu.cfs_period_us": 100000,
    }
    assert cores_of(files | version_1("", -1) | version_1("docker/abc/", -1)) == 64
    assert cores_of(files | version_1("docker/", 1200000)) == 12
    assert cores_of(files | version_1("docker/abc/", 250000)) == 2


@pytest.mark.parametrize("path", ["/docker/abc", "/elsewhere", "/../.."])
def test_a_group_that_is_mounted_as_the_top(cores_of, path):
    """In a container its own group is all that there is; a path from outside says nothing about what is below."""
    mount = V1.replace(" / ", " /docker/abc ", 1)
    files = {"proc/self/cgroup": f"4:cpu,cpuacct:{path}", "proc/self/mountinfo": mount}
    assert cores_of(files | version_1("", 600000)) == 6


def test_quota_and_kinds_of_cores_together(cores_of):
    files = {"proc/self/cgroup": "0::/", "proc/self/mountinfo": V2, "sys/fs/cgroup/cpu.max": "600000 100000"}
    assert cores_of(hybrid() | files, range(16)) == 4
    assert cores_of(hybrid() | files, range(8, 16)) == 6


def test_files_in_another_form_are_no_limit(cores_of):
    """Nothing of this is what Linux writes."""
    files = {"proc/self/cgroup": "0\n:\n::", "proc/self/mountinfo": "- cgroup2\n1 2 - cgroup2 x y\n - "}
    topology = {f"{CPU.format(0)}/topology/core_cpus_list": "a-b", "sys/devices/cpu_core/cpus": "0-"}
    assert cores_of(files | topology, range(4)) == 4


@pytest.mark.parametrize("known, cores", [({"hw.perflevel0.physicalcpu": 6}, 6), ({"hw.physicalcpu": 4}, 4)])
def test_macos_is_asked_for_its_performance_cores(known, cores, monkeypatch):
    """Where there is one kind of cores, older systems know the one name only."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(machine, "_sysctl", known.get)
    assert machine.usable_cores() == cores
