# SPDX-License-Identifier: BSD-3-Clause
"""Names of a module that are loaded when they are first used, so that an import stays cheap."""

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def lazy(module: str, names: Mapping[str, Iterable[str]], submodules: Iterable[str] = ()) -> Callable[[str], Any]:
    """The function `__getattr__` of a module.

    Parameters
    ----------
    module : str
        The name of the module.
    names : mapping of str to iterable of str
        For each module, relative to `module`, the names that come from it.
    submodules : iterable of str
        Names that are modules themselves.
    """
    homes = {name: home for home, names_there in names.items() for name in names_there}

    def __getattr__(name: str) -> Any:
        if name in homes:
            value = getattr(import_module(homes[name], module), name)
        elif name in submodules:
            value = import_module(f".{name}", module)
        else:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        setattr(sys.modules[module], name, value)
        return value

    return __getattr__
