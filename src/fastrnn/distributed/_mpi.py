# SPDX-License-Identifier: BSD-3-Clause
"""The processes of an MPI program."""

import atexit
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ._communicator import Communicator, not_to_be_copied

POLL = 0.02  # seconds between two looks at whether the others have ended, too


class MPI(Communicator):
    """The processes of an MPI program, started as ``mpiexec -n 4 python train.py``.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm, optional
        The MPI communicator, by default that of all processes.

    Raises
    ------
    ImportError
        mpi4py is not installed: it comes with ``fastrnn[mpi]``.
    TypeError
        `comm` is not one of mpi4py.
    RuntimeError
        ``mpiexec`` has started several processes, and each finds itself alone: mpi4py uses another MPI library.

    Notes
    -----
    An uncaught error on one process terminates all of them, because the others would wait for it. So does a process
    that ends while another one waits for it.
    """

    def __init__(self, comm: Any = None) -> None:
        try:
            from mpi4py import MPI as mpi  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise ImportError(f'MPI: needs mpi4py and an MPI library: pip install "fastrnn[mpi]" ({error})') from error
        if comm is None:
            _check_started(mpi.COMM_WORLD.Get_size(), os.environ)
            comm = mpi.COMM_WORLD
        if not isinstance(comm, mpi.Intracomm):
            raise TypeError(
                f"comm: expected one of mpi4py within a group, as MPI.COMM_WORLD, got {type(comm).__name__}"
            )
        super().__init__(comm.Get_rank(), comm.Get_size())
        self._comm: Any = comm.Dup()  # messages of others do not meet these
        self._byte: Any = mpi.BYTE
        _end_all_with(self._comm)
        atexit.register(_end_together, self._comm, mpi.Is_finalized)

    def __reduce__(self) -> Any:
        raise not_to_be_copied(self)

    def exchange(self, data: Any, peer: int) -> Any:
        sent = np.frombuffer(data, np.uint8)
        count, others = np.array([sent.size]), np.empty(1, np.intp)
        self._comm.Sendrecv(count, peer, recvbuf=others, source=peer)
        received = np.empty(int(others[0]), np.uint8)
        self._comm.Sendrecv([sent, self._byte], peer, recvbuf=[received, self._byte], source=peer)
        return received

    def abort(self, error: BaseException) -> None:
        """End all processes of the program, if there are others."""
        if self.size > 1:
            traceback.print_exception(error)
            print(f"communicator: rank {self.rank} has failed, and ends the others", file=sys.stderr)
            sys.stdout.flush()
            sys.stderr.flush()
            self._comm.Abort(1)


def _check_started(size: int, environ: Mapping[str, str]) -> None:
    """Raise RuntimeError if a launcher started several processes that do not see each other."""
    for name in "OMPI_COMM_WORLD_SIZE", "PMI_SIZE":  # of Open MPI, and of MPICH and those that follow it
        if size == 1 and environ.get(name, "1") != "1":
            raise RuntimeError(
                f"MPI: expected {environ[name]} processes, as {name} says, got 1: mpi4py uses another MPI library than "
                "the one whose mpiexec has started this program"
            )


def _end_all_with(comm: Any) -> None:
    """Terminate all processes after an uncaught error, instead of waiting for them at exit."""
    before = sys.excepthook

    def report_and_abort(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        before(kind, error, trace)
        sys.stderr.flush()
        if comm.Get_size() > 1:
            comm.Abort(1)

    sys.excepthook = report_and_abort


def _end_together(comm: Any, is_finalized: Callable[[], bool]) -> None:
    """Wait for the other processes at exit, and terminate them if one waits for a message from this one."""
    if is_finalized() or comm.Get_size() == 1:
        return
    everyone = comm.Ibarrier()
    while not everyone.Test():
        if comm.Iprobe():
            sys.stdout.flush()
            rank = comm.Get_rank()
            print(f"communicator: rank {rank} has ended, while another rank waits for it", file=sys.stderr, flush=True)
            comm.Abort(1)
        time.sleep(POLL)
