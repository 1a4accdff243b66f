# SPDX-License-Identifier: BSD-3-Clause
"""The number of threads, and information about this build.

The first that is set counts: ``with threads(n)`` > `set_num_threads` > the OpenMP settings of the calling thread
(``OMP_NUM_THREADS``, or threadpoolctl) > the cores that the process may use (cores.py). OMP_THREAD_LIMIT bounds them
all; a call made inside a parallel region runs on one thread. Results have the same bits for every number of threads.
"""

import contextlib
import contextvars
import operator
import os
import platform
from collections.abc import Iterator

from .cores import usable_cores

# How often a thread of GCC's OpenMP runtime looks for work before it sleeps: 60 us (a pause of 45 cycles, Zen) to 200
# (140, since Skylake). The runtime's own choice, sixty times as much, is more than a time slice of the system: beside a
# foreign process on one of two cores, calls of 1 to 4 ms take 4 to 6 times their quiet time, and with this 2 to 2.5.
# The runtime reads it once, when _core is loaded, unless something else in the process has loaded the same one before.
_SPINS = "5000"


@contextlib.contextmanager
def _brief_spins() -> Iterator[None]:
    """Load the OpenMP runtime with _SPINS, unless the environment already sets its wait policy."""
    if {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        yield
        return
    os.environ["GOMP_SPINCOUNT"] = _SPINS
    try:
        yield
    finally:
        del os.environ["GOMP_SPINCOUNT"]


with _brief_spins():
    from .. import _core

_everywhere: int | None = None  # set_num_threads
_here: contextvars.ContextVar[int | None] = contextvars.ContextVar("fastrnn_threads", default=None)  # with threads(n)


def _is_count(setting: str) -> bool:
    """Whether the runtime takes this for a number of threads, or a list of them; it ignores anything else."""
    first = setting.partition(",")[0].strip().removeprefix("+")
    return first.isdecimal() and first.strip("0") != ""


_cores = usable_cores()
_runtime_default = _core.max_threads()  # what OpenMP grants before anybody changes it
_omp_asked = _is_count(os.environ.get("OMP_NUM_THREADS", ""))


def effective() -> int:
    """The number of threads for a call made now by this thread."""
    limit = _core.thread_limit()
    if limit == 1:
        return 1
    n = _here.get()
    if n is None:
        n = _everywhere
    if n is None:
        n = _core.max_threads()
        if n == _runtime_default and not _omp_asked:
            n = min(n, _cores)
    return n if n < limit else limit  # without a call of `min`: a training step comes here ten times


def _checked(n: int) -> int:
    try:
        if isinstance(n, bool):
            raise TypeError
        n = operator.index(n)
    except TypeError:
        raise TypeError(f"n: expected an integer, got {type(n).__name__}") from None
    if not 1 <= n <= _core.MAX_THREADS:
        raise ValueError(f"n: expected 1..{_core.MAX_THREADS} threads, got {n}")
    return n


def set_num_threads(n: int | None) -> None:
    """Set the maximum number of threads of calls in this process.

    Parameters
    ----------
    n : int or None
        1..1024; None restores the default, from the OpenMP settings and the limits of the machine.

    Raises
    ------
    TypeError, ValueError
        `n` is not an integer, or out of range.

    Examples
    --------
    >>> import fastrnn as fr
    >>> fr.set_num_threads(1)
    >>> fr.get_num_threads()
    1
    >>> fr.set_num_threads(None)
    """
    global _everywhere
    _everywhere = None if n is None else _checked(n)


def get_num_threads() -> int:
    """The maximum number of threads of a call from the current Python thread.

    Returns
    -------
    int
    """
    return effective()


@contextlib.contextmanager
def threads(n: int) -> Iterator[None]:
    """Use at most `n` threads inside a ``with`` block, in this thread (and asyncio task) only.

    Parameters
    ----------
    n : int
        1..1024.

    Raises
    ------
    TypeError, ValueError
        `n` is not an integer, or out of range.

    Examples
    --------
    >>> import fastrnn as fr
    >>> with fr.threads(1):
    ...     fr.get_num_threads()
    1
    """
    token = _here.set(_checked(n))
    try:
        yield
    finally:
        _here.reset(token)


def isas() -> tuple[str, ...]:
    """The instruction sets for which this machine can run an engine, best first.

    The first is used unless the environment variable ``FASTRNN_ISA`` names another at import.

    Returns
    -------
    tuple of str
    """
    return _core.ISAS


def engine() -> str:
    """The instruction set of the engine in use."""
    return _core.get_isa()


def show_config() -> None:
    """Print the version, the engine in use, the number of threads and where they come from."""
    if not _core.openmp():
        source = "built without OpenMP"
    elif _here.get() is not None:
        source = "with threads(n)"
    elif _everywhere is not None:
        source = "set_num_threads"
    elif _omp_asked or _core.max_threads() != _runtime_default:
        source = "OpenMP settings of this thread"
    else:
        source = f"{_cores} usable cores"
    lines = {
        "fastrnn": _core.__version__,
        "engine": f"{engine()} of {', '.join(_core.ISAS)}",
        "not usable here": ", ".join(isa for isa in _core.BUILT_ISAS if isa not in _core.ISAS) or "none",
        "threads": f"{effective()} ({source})",
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
    }
    for name, value in lines.items():
        print(f"{name + ':':<17}{value}")
