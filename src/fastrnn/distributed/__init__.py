# SPDX-License-Identifier: BSD-3-Clause
"""Communication between the processes (ranks) of a distributed training.

A `Communicator` has two primitives, `exchange` with one other rank and `abort`. What the ranks do together is built on
these in one place. Numbers are added in a binary tree over its leaves whose shape depends on their number alone
(`_tree`), with the operand of the lower leaves first on every rank, so that S numbers spread over any number of ranks
that divides S have one sum. On 1, 2, 4, ... ranks that is recursive doubling: at level k, rank r exchanges with rank
``r XOR 2**k``. A library's own reduction may choose its order, and is never used.

`Local` is one process, `Processes` those that `run` starts on one machine, `MPI` those of mpi4py. What is exchanged,
and when, is the business of `fastrnn.fit`: see `fastrnn.training._shards`.
"""

from typing import TYPE_CHECKING

from .._lazy import lazy as _lazy
from ._communicator import Communicator, Local

if TYPE_CHECKING:
    from ._mpi import MPI
    from ._processes import Processes
    from ._run import run

__all__ = ["MPI", "Communicator", "Local", "Processes", "run"]

if not TYPE_CHECKING:
    __getattr__ = _lazy(__name__, ["._processes", "._run", "._mpi"])
