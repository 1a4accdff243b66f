# SPDX-License-Identifier: BSD-3-Clause
"""A thread that moves to another core keeps the affinity that it had, or was given meanwhile."""

import os
import shutil
import subprocess

import numpy as np
import pytest
from support.child import in_child, linux_only, needs_openmp, not_sanitized

import fastrnn as fr

# Stands before the C library: every thread seems to be on the first core of the process, so that all but one of a team
# leave it; and after a thread's mask was changed, OUTSIDE may set another one, as taskset in another process does.
INTERPOSED = r"""
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int sched_getcpu(void) { return atoi(getenv("CORE")); }

int sched_setaffinity(pid_t pid, size_t size, const cpu_set_t *mask)
{
    const char *outside = getenv("OUTSIDE");
    cpu_set_t   other;
    const long  code = syscall(SYS_sched_setaffinity, pid, size, mask);
    if (outside && syscall(SYS_gettid) != getpid()) {
        CPU_ZERO(&other);
        CPU_SET(atoi(outside), &other);
        syscall(SYS_sched_setaffinity, 0, sizeof other, &other);
        unsetenv("OUTSIDE");
    }
    return (int)code;
}
"""


def masks_after_a_call():
    """The masks of all threads after a call of two that share a core."""
    layer = fr.LSTM(20, 390, seed=0)
    with fr.threads(2):
        layer(np.ones((50, 1, 20), np.float32))
    return sorted(sorted(os.sched_getaffinity(int(task))) for task in os.listdir("/proc/self/task"))


@linux_only
@needs_openmp
@not_sanitized
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core only")
@pytest.mark.parametrize("outside", [False, True])
def test_a_thread_that_moves_keeps_the_mask_it_has(outside, tmp_path):
    """Its own before the move, unless another one was set while it moved."""
    cores = sorted(os.sched_getaffinity(0))
    (tmp_path / "before.c").write_text(INTERPOSED)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "before.so", tmp_path / "before.c"], check=True)
    env = {"LD_PRELOAD": str(tmp_path / "before.so"), "CORE": str(cores[0])}
    masks = in_child(masks_after_a_call, env=env | ({"OUTSIDE": str(cores[0])} if outside else {}))
    ours = [mask for mask in masks if mask != cores]
    assert ours == ([[cores[0]]] if outside else [])
    assert len(masks) >= 2
