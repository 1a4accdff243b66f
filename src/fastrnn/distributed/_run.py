# SPDX-License-Identifier: BSD-3-Clause
"""Run a function in several processes on this machine, which end together."""

import multiprocessing
import os
import pickle
import signal
import socket
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any

from .._engine.arguments import as_size
from .._engine.threads import get_num_threads
from ._processes import connected, pairs
from ._rank import BEGUN, work

GRACE = 10.0  # seconds in which the others may end by themselves when a rank has failed
STOP = 60.0  # seconds for the end of a step and a checkpoint, after Ctrl-C


def run(function: Callable[..., Any], *arguments: Any, processes: int, threads: int | None = None) -> list[Any]:
    """Start processes on this machine and call a function in each, with a communicator for `fastrnn.fit`.

    Parameters
    ----------
    function : callable
        Called as ``function(communicator, *arguments)``. It must be importable, because processes are started with
        `spawn`: call `run` under ``if __name__ == "__main__":``.
    *arguments : object
        Further arguments. They must be picklable, and so must the result of the function.
    processes : int
        How many.
    threads : int, optional
        Threads of each process. By default the processes share the threads of this one.

    Returns
    -------
    results : list
        What the function returned in each process, by rank.

    Raises
    ------
    TypeError, ValueError
        An argument is wrong, or it or a result cannot be pickled.
    RuntimeError
        A process ended without a result, could not start, or called ``sys.exit``. The others have been terminated. Or
        this process may not start others, such as one of a `multiprocessing.Pool`.
    Exception
        Any error of the function, with a note that says on which rank. The others have been terminated.

    Notes
    -----
    Ctrl-C is forwarded to each process: `fit` stops in all of them after the same step, with its checkpoint, and `run`
    returns. A second Ctrl-C terminates them at once. They also end when this process ends.

    Examples
    --------
    In a script::

        def train(communicator):
            model = fr.Sequential(fr.GRU(1, 8, seed=0), fr.LastStep(), fr.Linear(8, 2, seed=1))
            fr.fit(model, fr.cross_entropy, x, y, shards=4, communicator=communicator, seed=0)
            return model

        if __name__ == "__main__":
            model, *_ = fr.distributed.run(train, processes=2)
    """
    size = as_size("processes", processes)
    threads = max(1, get_num_threads() // size) if threads is None else as_size("threads", threads)
    try:
        pickle.dumps((function, arguments))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(
            f"function: expected one that can be imported, and arguments that can be pickled: {error}"
        ) from None
    if multiprocessing.current_process().daemon:
        name = multiprocessing.current_process().name
        raise RuntimeError(f"run: expected a process that may start others, got {name}, which is daemonic")
    ranks = _started(function, arguments, size, threads)
    try:
        results = Results(ranks)
        return results.wait()
    finally:
        _end([process for process, _ in ranks])


def _started(
    function: Callable[..., Any], arguments: tuple[Any, ...], size: int, threads: int
) -> list[tuple[Any, Connection]]:
    """A process, and the connection by which its result comes, for each rank."""
    context, links, ranks = multiprocessing.get_context("spawn"), [dict[int, socket.socket]() for _ in range(size)], []
    for low, high in pairs(size):
        links[low][high], links[high][low] = map(connected, socket.socketpair())
    try:
        for rank in range(size):
            ours, theirs = context.Pipe(duplex=False)
            given = (function, arguments, rank, size, links[rank], theirs, threads)
            process = context.Process(target=work, args=given, name=f"rank {rank}", daemon=True)
            process.start()
            theirs.close()
            ranks.append((process, ours))
    except BaseException:
        _end([process for process, _ in ranks])
        raise
    finally:  # a connection is at its end when no process has it open
        for link in (link for own in links for link in own.values()):
            link.close()
    return ranks


def _end(processes: list[Any]) -> None:
    """End what still runs."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(2)
        if process.is_alive():
            process.kill()
        process.join()


class Results:
    """Collects the results of ranks as they arrive, and errors if a result is missing."""

    def __init__(self, ranks: list[tuple[Any, Connection]]) -> None:
        self.ranks = ranks
        self.pending = {connection: rank for rank, (_, connection) in enumerate(ranks)}
        self.begun: set[int] = set()
        self.pressed = False  # Ctrl-C
        self.values: dict[int, Any] = {}
        self.errors: list[BaseException] = []  # in the order in which they came
        self.deadline: float | None = None

    def wait(self) -> list[Any]:
        """The results, by rank; or the first error that is not the end of another rank."""
        while self.pending and not self._late():
            try:
                for connection in wait([*self.pending], timeout=0.5):
                    self._take(connection)
            except KeyboardInterrupt:
                if self.pressed:
                    raise
                self.pressed = True
                self._hurry(STOP)
                self._pass_on()
        if self.errors:
            raise next((e for e in self.errors if not isinstance(e, ConnectionError)), self.errors[0])
        if self.pending:
            raise KeyboardInterrupt
        return [self.values[rank] for rank in range(len(self.ranks))]

    def _take(self, connection: Any) -> None:
        rank = self.pending.pop(connection)
        value: Any = None
        error: BaseException | None
        try:
            if (sent := connection.recv_bytes()) == BEGUN:
                self.begun.add(rank)
                self.pending[connection] = rank
                return
            value, error = pickle.loads(sent)
        except EOFError:
            error = self._ended(rank)
        except Exception as failure:
            failed = f"{type(failure).__name__}: {failure}"
            error = TypeError(f"function: expected a result that can be unpickled, got from rank {rank} {failed}")
        if error is None:
            self.values[rank] = value
        else:
            self.errors.append(error)
            self._hurry(GRACE)

    def _ended(self, rank: int) -> BaseException:
        """The error of a rank that sends nothing any more."""
        process = self.ranks[rank][0]
        process.join(GRACE)
        if rank in self.begun:
            return RuntimeError(f"rank {rank} ended without a result, with exit code {process.exitcode}")
        if self.pressed or process.exitcode == -signal.SIGINT:  # which it gets from the terminal until it has begun
            return KeyboardInterrupt()
        return RuntimeError(
            f"rank {rank} could not begin, with exit code {process.exitcode}: expected a function that a new process "
            'can import, of a script that calls run under `if __name__ == "__main__":`'
        )

    def _hurry(self, seconds: float) -> None:
        if self.deadline is None:
            self.deadline = time.monotonic() + seconds

    def _late(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    def _pass_on(self) -> None:
        """Forward Ctrl-C to the ranks, which do not receive that of the terminal because they have their own process
        group."""
        for rank in self.pending.values():
            process = self.ranks[rank][0]
            if process.is_alive():
                os.kill(process.pid, signal.SIGINT)
