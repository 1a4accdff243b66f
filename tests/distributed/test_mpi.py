# SPDX-License-Identifier: BSD-3-Clause
"""The same trainings in an MPI program. They need mpi4py and an mpiexec: `make mpi`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest
from support import ranks

import fastrnn as fr

FOLDER = Path(sys.executable).parent
TESTS = Path(ranks.__file__).resolve().parents[1]


def mpiexec(processes, *command):
    """Run a program of this Python in so many processes."""
    pytest.importorskip("mpi4py", reason="needs mpi4py: make mpi")
    path = which("mpiexec", path=os.pathsep.join([str(FOLDER), os.environ.get("PATH", "")]))
    if path is None:
        pytest.skip("needs mpiexec, as of the package mpich")
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])}
    started = [path, "-n", str(processes), sys.executable, *map(str, command)]
    return subprocess.run(started, env=env, capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_the_bits_of_one_process(processes, alone):
    process = mpiexec(processes, ranks.__file__)
    assert process.returncode == 0, process.stderr
    everyone = json.loads(process.stdout)
    for name in alone:
        assert [results[name] for results in everyone] == [alone[name]] * processes, name


FAILING = """
import os, signal, sys
from support import ranks
import fastrnn as fr

communicator = fr.distributed.MPI()
act = {"kill": lambda: os.kill(os.getpid(), signal.SIGKILL), "raise": lambda: 1 / 0}[sys.argv[1]]
callback = ranks.Act(communicator, 1, 7, act)
try:
    ranks.train(communicator, ranks.model(), fr.mse_loss, *ranks.rows(), epochs=1000, callbacks=[callback])
except ArithmeticError:
    pass  # the other rank has no chance to know
"""


@pytest.mark.parametrize("way, word", [("kill", "KILLED|Killed|EXIT CODE: 9"), ("raise", "ZeroDivisionError")])
def test_a_rank_that_fails_ends_the_others(way, word, tmp_path):
    """Even if its program catches the error."""
    (tmp_path / "failing.py").write_text(FAILING)
    process = mpiexec(2, tmp_path / "failing.py", way)
    assert process.returncode != 0
    assert any(each in process.stdout + process.stderr for each in word.split("|"))


def test_without_mpi4py(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(ImportError, match=r"MPI: needs mpi4py and an MPI library: pip install fastrnn\[mpi\]"):
        fr.distributed.MPI()
