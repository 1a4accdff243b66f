# SPDX-License-Identifier: BSD-3-Clause
"""Docstrings of estimators whose parameters and attributes are those of their bases."""

import inspect
from collections.abc import Callable
from typing import TypeVar

Class = TypeVar("Class", bound=type)


def documented(parameters: tuple[str, ...], attributes: tuple[str, ...]) -> Callable[[Class], Class]:
    """Decorate a class: put these entries first in the sections Parameters and Attributes of its docstring."""

    def decorate(cls: Class) -> Class:
        if cls.__doc__:  # python -OO removes docstrings
            doc = inspect.cleandoc(cls.__doc__)
            for title, entries in ("Parameters", parameters), ("Attributes", attributes):
                heading = f"{title}\n{'-' * len(title)}\n"
                doc = doc.replace(heading, heading + "".join(inspect.cleandoc(part) + "\n" for part in entries), 1)
            cls.__doc__ = doc
        return cls

    return decorate
