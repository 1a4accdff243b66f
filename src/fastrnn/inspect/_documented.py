# SPDX-License-Identifier: BSD-3-Clause
"""Parts of docstrings that several functions share."""

import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

LATER = re.compile(r"\n\n(?:See Also|Notes|Examples)\n-")


def documented(*, first: str = "", last: str = "") -> Callable[[Function], Function]:
    """Decorate a function: add text to its docstring.

    `first` are the first entries of the section Parameters; `last` comes before See Also, Notes and Examples.
    """

    def decorate(function: Function) -> Function:
        if function.__doc__:  # python -OO removes docstrings
            doc = inspect.cleandoc(function.__doc__).replace("----------", "----------" + first, 1)
            match = LATER.search(doc)
            end = match.start() if match else len(doc)
            function.__doc__ = doc[:end] + last + doc[end:]
        return function

    return decorate
