# SPDX-License-Identifier: BSD-3-Clause
"""How the time of a call divides among its parts."""

import time
from collections.abc import Callable
from typing import Any

REPEATS = 3  # calls, of which the one with the median time counts
REST = "rest"  # what is in no part: the Python between them


class Clock:
    """Adds up the time that a call spends in its parts. A part within another counts only for itself."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.inner: list[float] = []  # of the parts that are open: seconds of the parts in them

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that does the same and adds its time to a part."""
        self.seconds.setdefault(part, 0.0)

        def run(*arguments: Any, **named: Any) -> Any:
            self.inner.append(0.0)
            start = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                spent = time.perf_counter() - start
                self.seconds[part] += spent - self.inner.pop()
                if self.inner:
                    self.inner[-1] += spent

        return run

    def watch(self, part: str, owner: Any, *names: str) -> None:
        """Time methods of an object from now on."""
        for name in names:
            vars(owner)[name] = self.timed(part, getattr(owner, name))  # layers refuse to have attributes set

    def measure(self, call: Callable[[], object]) -> dict[str, float]:
        """Seconds of each part of a call, of what is in none, and of the whole: those of the median of some calls."""
        runs, whole = [], self.timed(REST, call)
        for _ in range(REPEATS):
            self.seconds = dict.fromkeys(self.seconds, 0.0)
            whole()
            runs.append(dict(self.seconds) | {"whole": sum(self.seconds.values())})
        return sorted(runs, key=lambda run: run["whole"])[REPEATS // 2]
