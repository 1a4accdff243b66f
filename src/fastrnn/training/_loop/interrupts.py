# SPDX-License-Identifier: BSD-3-Clause
"""Ctrl-C that stops a training between two updates and never inside one."""

import signal
import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self


class Interrupts:
    """A context in which the first Ctrl-C raises KeyboardInterrupt only outside `held`, and a second one anywhere.

    It acts in the main thread, where Python runs signal handlers, and only if Python's own handler is installed.

    Examples
    --------
    >>> from fastrnn.training._loop.interrupts import Interrupts
    >>> with Interrupts() as interrupts:
    ...     with interrupts.held():
    ...         pass  # complete or not at all
    """

    def __init__(self) -> None:
        self._pressed = self._holding = False
        self._before: Any = None
        self._held = Held(self)

    def __enter__(self) -> Self:
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *error: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _press(self, *_: Any) -> None:
        again, self._pressed = self._pressed, True
        if again or not self._holding:
            raise KeyboardInterrupt

    def held(self) -> AbstractContextManager[None]:
        """A context in which a Ctrl-C is raised at its end."""
        return self._held


class Held:
    """The context of `Interrupts.held`."""

    __slots__ = ("_interrupts",)

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts

    def __enter__(self) -> None:
        self._interrupts._holding = True

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        self._interrupts._holding = False
        if error is None and self._interrupts._pressed:
            raise KeyboardInterrupt


class AgreedInterrupts(Interrupts):
    """A context that only notes the first Ctrl-C: several processes agree on the step in which they stop."""

    @property
    def pressed(self) -> bool:
        """Whether there has been one."""
        return self._pressed

    def _press(self, *_: Any) -> None:
        again, self._pressed = self._pressed, True
        if again:
            raise KeyboardInterrupt

    def held(self) -> AbstractContextManager[None]:
        """A context that does nothing, because Ctrl-C does not interrupt here."""
        return nullcontext()
