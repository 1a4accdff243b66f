# SPDX-License-Identifier: BSD-3-Clause
"""Warnings about the arguments of a layer: given once, not again for its copies."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Not warnings.catch_warnings: its filters are those of all threads, and two threads that leave it in the wrong order
# may leave them ignored for ever.
_quiet: ContextVar[bool] = ContextVar("fastrnn_quiet", default=False)


@contextmanager
def made_again() -> Iterator[None]:
    """A context in which layers are made whose originals have warned."""
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)


def warn(message: str, stacklevel: int) -> None:
    """Warn, except inside `made_again`; `stacklevel` as for `warnings.warn`, seen from the caller."""
    if not _quiet.get():
        warnings.warn(message, stacklevel=stacklevel + 1)
