# SPDX-License-Identifier: BSD-3-Clause
"""Lazy loading of the names of a module, to keep imports fast."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any


def lazy(module: str, homes: Sequence[str], submodules: Sequence[str] = ()) -> Callable[[str], Any]:
    """The function `__getattr__` of a module, for the names of its ``__all__``.

    Parameters
    ----------
    module : str
        The name of the module.
    homes : sequence of str
        Modules, relative to `module`; a name comes from the first that has it.
    submodules : sequence of str
        Names that are modules themselves.
    """

    def __getattr__(name: str) -> Any:
        if name in submodules:
            return import_module(f".{name}", module)  # which binds the name
        if name in sys.modules[module].__all__:
            for home in homes:
                if hasattr(thing := import_module(home, module), name):
                    setattr(sys.modules[module], name, value := getattr(thing, name))
                    return value
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return __getattr__
