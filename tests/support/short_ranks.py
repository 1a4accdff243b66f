# SPDX-License-Identifier: BSD-3-Clause
"""What ranks do that train nothing. Not in a test: a new process cannot import one by the name that pytest gives it."""

import sys

import fastrnn as fr


class Odd(Exception):
    """Its arguments are not those that it is made with, so it cannot be pickled."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def raise_in_one(communicator):
    if communicator.rank == 1:
        raise KeyError("one")
    return communicator.gather(None)


def raise_odd(communicator):
    raise Odd("this", "that")


def threads_of(communicator, value):
    return communicator.rank, fr.get_num_threads(), value


class NotAgain:
    """It can be pickled, and not unpickled."""

    def __reduce__(self):
        return raise_in_one, (None,)


def no_result(communicator):
    """The last rank has a result that cannot be pickled, while the others wait for it."""
    if communicator.rank == 1:
        return communicator.gather
    return communicator.gather(None)


def result_of_no_use(communicator):
    return NotAgain() if communicator.rank == 1 else None


def leave(communicator):
    """The last rank ends its process, with the code of success."""
    if communicator.rank == 1:
        sys.exit(0)
    return communicator.gather(None)


def close_stdout(communicator):
    sys.stdout.close()
    return communicator.rank
