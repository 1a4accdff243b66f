# SPDX-License-Identifier: BSD-3-Clause
"""The main function of a process that `run` starts: it calls the function and sends its result."""

import contextlib
import multiprocessing
import os
import pickle
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any

from .._engine.threads import set_num_threads
from ._processes import Processes

BEGUN = b""  # what a rank sends first: it has read the function and its arguments


def work(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    rank: int,
    size: int,
    links: dict[int, socket.socket],
    results: Connection,
    threads: int,
) -> None:
    """Call the function, and send what it returned or raised."""
    os.setpgid(0, 0)  # Ctrl-C comes from the parent alone, once
    threading.Thread(target=_end_with_parent, daemon=True).start()
    results.send_bytes(BEGUN)
    set_num_threads(threads)
    communicator = Processes(rank, size, links)
    try:
        sent = _pickled(function(communicator, *arguments))
    except BaseException as error:
        failure = as_picklable(error)
        failure.add_note(f"in rank {rank} of {size}:\n{traceback.format_exc()}")
        communicator.abort(error)
        sent = pickle.dumps((None, failure))
    with contextlib.suppress(AttributeError, OSError, ValueError):  # there is none, or it is closed
        sys.stdout.flush()
    results.send_bytes(sent)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _pickled(value: Any) -> bytes:
    """A result as it is sent, with no error."""
    try:
        return pickle.dumps((value, None), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        got = type(value).__name__
        raise TypeError(f"function: expected a result that can be pickled, got {got} ({error})") from error


def as_picklable(error: BaseException) -> BaseException:
    """The error, or one that says the same where it cannot be pickled, or would end the process that receives it."""
    if isinstance(error, Exception | KeyboardInterrupt):
        with contextlib.suppress(BaseException):
            return pickle.loads(pickle.dumps(error))
    return RuntimeError(f"{type(error).__name__}: {error}")
