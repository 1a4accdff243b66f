# SPDX-License-Identifier: BSD-3-Clause
"""What ranks do that train nothing. Not in a test: a new process cannot import one by the name that pytest gives it."""

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
