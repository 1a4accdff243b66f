# SPDX-License-Identifier: BSD-3-Clause
"""Modules of ours in graphs of torch.compile, which breaks a graph at PyTorch's.

Dynamo refuses each instance of nn.RNN, nn.GRU and nn.LSTM before it looks at the forward of its class, unless
`torch._dynamo.config.allow_rnn` is set for the whole process. No decorator of `torch.compiler` comes before that: they
are for functions, and the refusal is of the object. Here the setting is on while Dynamo meets a module of ours, and as
the user has it for all others. A Dynamo without the names that this takes is left as it is.
"""

import functools
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import torch

NAME = "torch._dynamo"
REASON = "fastrnn has no operator for this call: a packed sequence, proj_size, autocast, or another device or dtype"
outside: list[Callable[..., Any]] = []  # the forward of our modules, at which a graph breaks, once Dynamo is loaded


class AfterImport(MetaPathFinder):
    """Calls a function once a module is loaded.

    To load Dynamo takes seconds, and most programs never do.
    """

    def __init__(self, name: str, call: Callable[[], None]) -> None:
        self.name: str = name
        self.call: Callable[[], None] = call

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                self.call()

            loader.exec_module = exec_module
        return spec


def register(kinds: tuple[type, ...], forward: Callable[..., Any]) -> None:
    """Let Dynamo look into modules of these classes, whose forward this is: now, or once it is loaded."""

    def teach() -> None:
        outside.append(hidden(forward))
        admit(kinds, sys.modules.get(f"{NAME}.variables.builder"), sys.modules.get(f"{NAME}.config"))

    if NAME in sys.modules:
        teach()
    else:
        sys.meta_path.insert(0, AfterImport(NAME, teach))


def admit(kinds: tuple[type, ...], builder: Any, config: Any) -> None:
    """Set `allow_rnn` of Dynamo's config where its builder wraps modules of these classes."""
    owner = getattr(builder, "VariableBuilder", None)
    wrap = getattr(owner, "wrap_module", None)
    if owner is None or wrap is None or not hasattr(config, "allow_rnn"):
        return

    @functools.wraps(wrap)
    def wrap_module(self: Any, value: Any) -> Any:
        if not isinstance(value, kinds):
            return wrap(self, value)
        with config.patch(allow_rnn=True):
            return wrap(self, value)

    owner.wrap_module = wrap_module


def hidden(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function at which torch.compile breaks the graph; where it must not, its error has the reason."""
    try:
        return torch.compiler.disable(function, reason=REASON)
    except TypeError:  # older versions of PyTorch have no reasons
        return torch.compiler.disable(function)


def breaks() -> bool:
    """Whether the graph breaks where PyTorch's own code has to run, as it does at PyTorch's modules."""
    return not torch._dynamo.config.allow_rnn
