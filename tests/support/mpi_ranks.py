# SPDX-License-Identifier: BSD-3-Clause
"""What the processes of an MPI program do.

``mpiexec -n 2 python mpi_ranks.py FUNCTION ARGUMENTS`` prints what a function of this file, or of `ranks`, returns on
each of them.
"""

import json
import os
import pickle
import signal
import sys

from support import ranks

import fastrnn as fr


def refused(communicator):
    """What is said about settings that do not fit, by the name of each."""
    texts = {}
    for name in CASES:
        try:
            CASES[name](communicator)
        except (TypeError, ValueError) as error:
            texts[name] = f"{type(error).__name__}: {error}"
    return texts


def fit(communicator, data=None, **options):
    return ranks.train(communicator, ranks.model(), fr.mse_loss, *(data or ranks.rows()), **options)


def other_version(communicator):
    version = fr.__version__
    try:
        fr.__version__ = "0.0" if communicator.rank else version
        fit(communicator)
    finally:
        fr.__version__ = version


CASES = {
    "shards": lambda c: fit(c, shards=c.size + 1),
    "no shards": lambda c: fit(c, shards=None),
    "seed": lambda c: fit(c, seed=c.rank),
    "data": lambda c: fit(c, ([row + c.rank for row in ranks.rows()[0]], ranks.rows()[1])),
    "rows": lambda c: fit(c, ranks.rows(37 - c.rank)),
    "version": other_version,
    "argument": lambda c: fit(c, clip=-1.0 if c.rank else 1.0),
    "batch": lambda c: fit(c, ([row[:, : 2 - c.rank] for row in ranks.rows()[0]], ranks.rows()[1])),
}


def copied(communicator):
    """Why a communicator cannot be, and why nothing else is one."""
    texts = []
    for call in (lambda: pickle.dumps(communicator)), (lambda: fr.distributed.MPI(3)):
        try:
            call()
        except TypeError as error:
            texts.append(str(error))
    return texts


def rest(communicator, path):
    """The end of a training that two processes began."""
    return ranks.resumable(communicator, path)


def thirds(communicator):
    """Shards that are no power of two."""
    ranks.SHARDS = 6
    return [case(communicator) for case in (ranks.dropout, ranks.clipping, ranks.truncated)]


def failing(communicator, way):
    """The last rank leaves, or fails in step 7, in a program that catches the error: the others do not know."""
    if way == "leave" and communicator.rank == communicator.size - 1:
        sys.exit()
    act = {"kill": lambda: os.kill(os.getpid(), signal.SIGKILL), "raise": lambda: 1 / 0, "leave": None}[way]
    callback = ranks.Act(communicator, communicator.size - 1, 7, act)
    try:
        fit(communicator, epochs=1000, callbacks=[callback])
    except ArithmeticError:
        sys.exit()  # without an exchange with the others, which wait for one


if __name__ == "__main__":
    fr.set_num_threads(1)
    by_mpi = fr.distributed.MPI()
    function = globals().get(sys.argv[1]) or getattr(ranks, sys.argv[1])
    everyone = by_mpi.gather(function(by_mpi, *sys.argv[2:]))
    if by_mpi.rank == 0:
        print(json.dumps(everyone))
