# SPDX-License-Identifier: BSD-3-Clause
"""Ctrl-C that stops a training between two updates and never inside one."""

import contextlib
import signal
import threading


class Interrupts:
    """While it is entered, the first Ctrl-C raises KeyboardInterrupt, but only outside `held`; a second one anywhere.

    Acts in the main thread, where Python runs signal handlers, and only if nobody else has a handler there.

    Examples
    --------
    >>> from fastrnn.training.interrupts import Interrupts
    >>> with Interrupts() as interrupts:
    ...     with interrupts.held():
    ...         pass  # whole or not at all
    """

    def __init__(self):
        self._pressed = self._holding = False
        self._before = None

    def __enter__(self):
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *error):
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _press(self, *_):
        again, self._pressed = self._pressed, True
        if again or not self._holding:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def held(self):
        """A Ctrl-C inside is raised at its end."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self._pressed:
            raise KeyboardInterrupt
