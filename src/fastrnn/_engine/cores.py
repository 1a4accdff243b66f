# SPDX-License-Identifier: BSD-3-Clause
"""How many cores of the machine a process may use.

The CPUs of its affinity, of these one per physical core (a second hardware thread adds nothing to multiply-adds, and
halves the caches of the first), without slow cores beside fast ones (the threads of a call have equal shares and wait
for the slowest), and at most the CPU quotas of its control groups. What a system does not say is no limit.
"""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

_ROOT = Path("/")  # of /proc and /sys


def _read(path: Path) -> str:
    """The text of a file, or nothing."""
    with contextlib.suppress(OSError, ValueError):
        return path.read_text().strip()
    return ""


def _members(text: str) -> frozenset[int]:
    """The numbers of a list as Linux writes it: 0-3,8,10-11."""
    found: set[int] = set()
    with contextlib.suppress(ValueError):
        for part in filter(None, text.split(",")):
            first, _, last = part.partition("-")
            found.update(range(int(first), int(last or first) + 1))
        return frozenset(found)
    return frozenset()


def _fast(cpus: frozenset[int], root: Path) -> frozenset[int]:
    """The CPUs to use: performance cores, unless all cores together are faster.

    On a hybrid machine of Intel's, the performance cores. Where Linux knows the capacities (Arm), the k fastest, for
    the k with the largest product of k and the capacity of the slowest of them.
    """
    performance = cpus & _members(_read(root / "sys/devices/cpu_core/cpus"))
    if performance and _members(_read(root / "sys/devices/cpu_atom/cpus")):
        return performance
    texts = {cpu: _read(root / f"sys/devices/system/cpu/cpu{cpu}/cpu_capacity") for cpu in cpus}
    if not all(text.isdecimal() for text in texts.values()):
        return cpus
    ordered = sorted(cpus, key=lambda cpu: -int(texts[cpu]))
    worth = [(k + 1) * int(texts[cpu]) for k, cpu in enumerate(ordered)]
    return frozenset(ordered[: worth.index(max(worth)) + 1])


def _physical(cpus: Iterable[int], root: Path) -> int:
    """How many physical cores these CPUs are on."""
    cores, known = 0, frozenset[int]()
    for cpu in sorted(cpus):
        if cpu not in known:
            topology = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
            known |= _members(_read(topology / "core_cpus_list") or _read(topology / "thread_siblings_list")) | {cpu}
            cores += 1
    return cores


def _groups(root: Path) -> Iterator[tuple[bool, Path]]:
    """The control groups of this process and their visible ancestors: (whether version 2, folder)."""
    paths: dict[str, str] = {}  # of a controller, of "" the group of version 2
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        paths.update(dict.fromkeys(controllers.split(","), path))
    for line in _read(root / "proc/self/mountinfo").splitlines():
        fields, _, system = line.partition(" - ")
        words, kind = fields.split(), system.split()
        if len(words) < 5 or len(kind) < 3 or kind[0] not in ("cgroup", "cgroup2"):
            continue
        path = paths.get("cpu" if kind[0] == "cgroup" else "")
        if path is None or (kind[0] == "cgroup" and "cpu" not in kind[2].split(",")):
            continue
        mounted, at = (text.replace("\\040", " ") for text in words[3:5])
        folder = root / at.lstrip("/")
        below = PurePosixPath(path)
        inside = below.is_relative_to(mounted) and ".." not in below.parts  # of what is mounted here
        parts = below.relative_to(mounted).parts if inside else ()
        for depth in range(len(parts), -1, -1):
            yield kind[0] == "cgroup2", folder.joinpath(*parts[:depth])


def _quota(version_2: bool, group: Path) -> int | None:
    """Cores that the quota of a group allows, rounded down to at least 1; None: all."""
    if version_2:  # "quota period" or "max period", microseconds
        words = _read(group / "cpu.max").split()
    else:  # a quota of -1 is none
        words = [_read(group / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
    if len(words) == 2 and all(word.isdecimal() for word in words) and int(words[1]) > 0:
        return max(1, int(words[0]) // int(words[1]))
    return None


def _sysctl(name: str) -> int | None:
    """A number that macOS knows by a name, or None."""
    import ctypes

    value, size = ctypes.c_int(0), ctypes.c_size_t(ctypes.sizeof(ctypes.c_int))
    failed = ctypes.CDLL(None).sysctlbyname(name.encode(), ctypes.byref(value), ctypes.byref(size), None, 0)
    return None if failed or value.value < 1 else value.value


def usable_cores(root: Path = _ROOT) -> int:
    """How many cores a call of this process should use at most, 1 or more."""
    if sys.platform == "darwin":  # there are no affinity and no quotas; perflevel0 are the performance cores
        return _sysctl("hw.perflevel0.physicalcpu") or _sysctl("hw.physicalcpu") or os.cpu_count() or 1
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    cores = _physical(_fast(frozenset(os.sched_getaffinity(0)), root), root)
    quotas = (_quota(version_2, group) for version_2, group in _groups(root))
    return min((cores, *(quota for quota in quotas if quota is not None)))
