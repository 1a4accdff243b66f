# SPDX-License-Identifier: BSD-3-Clause
"""The same trainings in an MPI program. They need mpi4py and mpiexec, which `make venv` installs where they exist."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from shutil import which

import pytest
from support import mpi_ranks, ranks

import fastrnn as fr
from fastrnn.distributed._mpi import _check_started

FOLDER = Path(sys.executable).parent
TESTS = Path(ranks.__file__).resolve().parents[1]


def mpiexec(processes, *command):
    """Run a function of `support.mpi_ranks` in so many processes, of one thread each."""
    pytest.importorskip("mpi4py", reason="needs mpi4py: pip install 'fastrnn[mpi]'")
    path = which("mpiexec", path=os.pathsep.join([str(FOLDER), os.environ.get("PATH", "")]))
    if path is None:
        pytest.skip("needs mpiexec, as of the package mpich")
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])}
    env["OMP_NUM_THREADS"] = "1"
    started = [path, "-n", str(processes), sys.executable, mpi_ranks.__file__, *map(str, command)]
    return subprocess.run(started, env=env, capture_output=True, text=True, timeout=100)


def results(processes, *command):
    """What the function returns in each of them."""
    process = mpiexec(processes, *command)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """The results of two processes, and the checkpoint of half a training."""
    path = tmp_path_factory.mktemp("mpi") / "run"
    return results(2, "whole_and_half", path), path


def copied(begun, tmp_path):
    return shutil.copy(begun[1], tmp_path / "run")


def assert_alone(everyone, alone):
    for name in alone:
        assert [each[name] for each in everyone] == [alone[name]] * len(everyone), name


def test_two_processes_have_the_bits_of_one(begun, alone):
    assert len(begun[0]) == 2
    assert_alone(begun[0], alone)


def test_one_process_under_mpi(alone):
    assert_alone(results(1, "all_cases"), alone)


def test_four_processes_have_the_bits_of_one_and_end_what_two_began(begun, alone, tmp_path):
    everyone = results(4, "cases_and_rest", copied(begun, tmp_path))
    assert_alone([cases for cases, _ in everyone], alone)
    assert [rest for _, rest in everyone] == [json.loads(json.dumps(ranks.resumable(None, tmp_path / "whole")))] * 4


def test_one_process_ends_what_two_began(begun, tmp_path):
    (ended,) = results(1, "rest", copied(begun, tmp_path))
    assert ended == json.loads(json.dumps(ranks.resumable(None, tmp_path / "whole")))


def test_a_number_of_processes_that_is_no_power_of_two(monkeypatch):
    monkeypatch.setattr(ranks, "SHARDS", 6)
    assert results(3, "thirds") == [json.loads(json.dumps(mpi_ranks.thirds(None)))] * 3


REFUSED = {
    "shards": "ValueError: shards: expected a multiple of 2, the number of processes, got 3",
    "no shards": "ValueError: shards: expected a number such as 8, with a communicator, got None",
    "seed": "ValueError: seed: expected 0, as on rank 0, got 1 on rank 1",
    "data": "ValueError: x: expected the bits that rank 0 has, got others in rows ",
    "rows": "ValueError: x.rows: expected 37, as on rank 0, got 36 on rank 1",
    "version": f"ValueError: version of fastrnn: expected {fr.__version__!r}, as on rank 0, got '0.0' on rank 1",
    "argument": "clip: expected",
    "batch": "x: expected",
}


def test_settings_that_do_not_fit_are_errors_of_every_process():
    """One after the other, in one program: no process is left behind by any of them."""
    everyone = results(2, "refused")
    assert list(REFUSED) == list(mpi_ranks.CASES)
    for name, text in REFUSED.items():
        assert [text in texts.get(name, "no error") for texts in everyone] == [True, True], (name, everyone)


LEFT = "communicator: rank 1 has ended, while another rank waits for it"


@pytest.mark.parametrize(
    "way, word", [("kill", "KILLED|Killed|EXIT CODE: 9"), ("raise", "ZeroDivisionError"), ("leave", LEFT)]
)
def test_a_rank_that_fails_ends_the_others(way, word):
    """Even if its program catches the error, or ends as if all were well."""
    start = time.monotonic()
    process = mpiexec(4 if way == "kill" else 2, "failing", way)
    assert process.returncode != 0 and time.monotonic() - start < 30
    assert any(each in process.stdout + process.stderr for each in word.split("|"))
    assert way != "raise" or "communicator: rank 1 has failed, and ends the others" in process.stderr


def test_communicators_are_of_their_process():
    texts = [
        f"communicator: expected to stay in the process of its rank, got MPI(rank={rank}, size=2) to pickle or copy"
        for rank in range(2)
    ]
    wrong = "comm: expected one of mpi4py within a group, as MPI.COMM_WORLD, got int"
    assert results(2, "copied") == [[text, wrong] for text in texts]


@pytest.mark.parametrize("name", ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"])
def test_an_mpiexec_of_another_library(name):
    """Each of its processes would train by itself, and write the same checkpoint."""
    with pytest.raises(
        RuntimeError, match=f"MPI: expected 4 processes, as {name} says, got 1: mpi4py uses another MPI"
    ):
        _check_started(1, {name: "4"})
    for size, environ in (1, {}), (1, {name: "1"}), (4, {name: "4"}):
        _check_started(size, environ)


def test_without_mpi4py(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(ImportError, match=r'MPI: needs mpi4py and an MPI library: pip install "fastrnn\[mpi]"'):
        fr.distributed.MPI()
