# SPDX-License-Identifier: BSD-3-Clause
"""Trainings in several processes: the bits of one, errors of all, and an end for all when one ends."""

import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import types

import numpy as np
import pytest
from support import ranks, short_ranks
from support.child import needs_openmp

import fastrnn as fr
from fastrnn.distributed._run import Results

NAMES = [case.__name__ for case in ranks.CASES]


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_give_the_bits_of_one(name, alone, half):
    assert [results[name] for results in half[0]] == [alone[name]] * 2


@pytest.mark.parametrize("name", NAMES)
def test_four_processes_give_the_bits_of_one(name, alone, four):
    assert [results[name] for results, _ in four] == [alone[name]] * 4


def test_a_training_goes_on_with_another_number_of_processes(half, four, tmp_path):
    """Begun on two processes, on one and on four: the bits of a training without a break."""
    expected = ranks.resumable(None, str(tmp_path / "whole"))
    shutil.copy(half[1], tmp_path / "run")
    assert ranks.resumable(None, str(tmp_path / "run")) == expected
    assert [rest for _, rest in four] == [expected] * 4


def test_a_rank_that_is_killed_ends_the_others():
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="rank 3 ended without a result, with exit code -9"):
        fr.distributed.run(ranks.killed, processes=4, threads=1)
    assert time.monotonic() - start < 30


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_stops_all_ranks_in_the_same_step(tmp_path):
    """Resumed, the training has the bits of one without a break."""
    path = str(tmp_path / "run")
    results = fr.distributed.run(ranks.interrupted, path, processes=2, threads=1)
    assert results[0] == results[1] and results[0][0]
    epochs = results[0][1] + 2
    assert ranks.resumable(None, path, epochs) == ranks.resumable(None, str(tmp_path / "whole"), epochs)


def test_an_error_of_one_rank_is_raised_here():
    """With the place where it arose."""
    with pytest.raises(KeyError, match="one") as caught:
        fr.distributed.run(short_ranks.raise_in_one, processes=2)
    assert "in rank 1 of 2:" in caught.value.__notes__[0] and "raise_in_one" in caught.value.__notes__[0]


@needs_openmp
def test_results_come_by_rank():
    assert fr.distributed.run(short_ranks.threads_of, "x", processes=2, threads=3) == [(0, 3, "x"), (1, 3, "x")]


def test_an_error_that_cannot_be_pickled_is_one_in_words():
    with pytest.raises(RuntimeError, match="Odd: this and that"):
        fr.distributed.run(short_ranks.raise_odd, processes=1)


def test_a_script_that_starts_itself_again(tmp_path):
    """Its processes begin with the same call, since nothing keeps it from them."""
    script = tmp_path / "script.py"
    script.write_text("import fastrnn as fr\ndef f(c): return c.rank\nfr.distributed.run(f, processes=2, threads=1)\n")
    process = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert process.returncode == 1
    assert re.search(r"rank \d could not begin, with exit code 1: expected a function that a new", process.stderr)
    assert 'calls run under `if __name__ == "__main__":`' in process.stderr


@pytest.mark.parametrize("begun, pressed, code, kind", [
    (False, True, 1, KeyboardInterrupt), (False, False, -signal.SIGINT, KeyboardInterrupt),
    (False, False, -9, RuntimeError), (True, True, 1, RuntimeError),
])  # fmt: skip
def test_ctrl_c_before_a_rank_has_begun(begun, pressed, code, kind):
    """It is not taken for a function that cannot be imported."""
    process = types.SimpleNamespace(join=lambda seconds: None, exitcode=code)
    results = Results([(process, object())])
    results.begun, results.pressed = {0} if begun else set(), pressed
    assert isinstance(results._ended(0), kind)


def test_a_process_that_may_start_no_others(monkeypatch):
    """As those of a pool."""
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)
    with pytest.raises(RuntimeError, match="run: expected a process that may start others, got MainProcess, which is"):
        fr.distributed.run(short_ranks.threads_of, 0, processes=2)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"processes": 0}, ValueError, "processes: "),
        ({"processes": 2, "threads": 0}, ValueError, "threads: "),
    ],
)
def test_arguments_that_do_not_fit(arguments, error, message):
    with pytest.raises(error, match=message):
        fr.distributed.run(short_ranks.threads_of, 0, **arguments)


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps"), reason="needs Linux, which says what is in memory")
@pytest.mark.parametrize("processes, least, most", [(1, 1.0, 1.0), (2, 0.5, 0.8), (4, 0.25, 0.6)])
def test_a_process_reads_its_own_rows_of_a_file(processes, least, most, tmp_path):
    """Half of them, or a quarter, besides the 32 of 256 that are compared first, and one more in each of 8 steps.

    The system maps up to 64 KiB around what is read.
    """
    path = tmp_path / "rows"
    np.memmap(path, np.float32, "w+", shape=(256, 1 << 15))[:] = np.arange(256)[:, None]
    parts = fr.distributed.run(ranks.mapped, str(path), 256, processes=processes, threads=1)
    assert all(least <= part <= most for part in parts), parts


def test_a_function_that_cannot_be_imported():
    with pytest.raises(TypeError, match="function: expected one that can be imported"):
        fr.distributed.run(lambda communicator: None, processes=2)


SCRIPT = """
import os, sys, time
sys.path.insert(0, {folder!r})
import fastrnn as fr
from support import ranks, short_ranks

if __name__ == "__main__":
    fr.distributed.run(ranks.endless, {file!r}, processes=2, threads=1)
"""


def test_ranks_end_with_the_process_that_started_them(tmp_path):
    """Even if that is killed."""
    file = tmp_path / "pids"
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(folder=os.path.dirname(os.path.dirname(ranks.__file__)), file=str(file)))
    process = subprocess.Popen([sys.executable, script])
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text().count("\n") == 2) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = [int(line) for line in file.read_text().split()]
    while left and time.monotonic() < deadline:
        left = [pid for pid in left if os.path.exists(f"/proc/{pid}/stat") and not is_zombie(pid)]
        time.sleep(0.05)
    assert len(file.read_text().split()) == 2 and left == []


def is_zombie(pid):
    """Whether a process has ended, and nobody has asked how."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
