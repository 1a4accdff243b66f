# SPDX-License-Identifier: BSD-3-Clause
"""Whole models: their recurrent modules made ours, and back."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.utils import parametrize

from . import _policies as policies
from ._binding import refusal_of, weights_of
from ._modules import PARENTS

FASTER = {parent: ours for ours, parent in PARENTS.items()}
CELLS = (nn.LSTMCell, nn.GRUCell, nn.RNNCell)


class Row(NamedTuple):
    """What was done with one recurrent module."""

    name: str  # in the model; "" is the model itself
    kind: str  # the name of its class, before
    swapped: bool
    reason: str  # why not; "" if it was


class Table(tuple[Row, ...]):
    """The recurrent modules of a model and what was done with each; printed as a table."""

    __slots__ = ()

    def __str__(self) -> str:
        if not self:
            return "no recurrent modules"
        lines = [("module", "class", ""), *((row.name or "(the model)", row.kind, words(row)) for row in self)]
        widths = [max(len(line[k]) for line in lines) for k in range(2)]
        return "\n".join(f"{a:{widths[0]}}  {b:{widths[1]}}  {c}".rstrip() for a, b, c in lines)

    __repr__ = __str__


def words(row: Row) -> str:
    """The last column of a table."""
    return "swapped" if row.swapped else f"left: {row.reason}"


def accelerate(model: nn.Module) -> Table:
    """Make the recurrent modules of a model run on fastrnn, in place, for inference and training.

    The class of each torch.nn.LSTM, GRU and RNN is changed to the class of the same name in `fastrnn.torch`. The
    objects, their parameters, hooks and optimizers stay the same. A recurrent policy of sb3-contrib, such as that of
    RecurrentPPO, then calls its LSTMs once for all steps, also if episodes start in between.

    Parameters
    ----------
    model : torch.nn.Module
        A model, or a recurrent module.

    Returns
    -------
    tuple
        A row (name, kind, swapped, reason) for each recurrent module and policy. Printed it is a table.

    Raises
    ------
    TypeError
        `model` is not a torch.nn.Module.

    Examples
    --------
    >>> import torch, fastrnn.torch
    >>> model = torch.nn.ModuleDict({"a": torch.nn.GRU(3, 4), "b": torch.nn.LSTM(3, 4, proj_size=2)})
    >>> fastrnn.torch.accelerate(model)
    module  class
    a       GRU    swapped
    b       LSTM   left: proj_size
    """
    rows = [accelerated(name, module) for name, module in recurrent_modules(model)]
    return Table([*rows, *policy_rows(model, policies.accelerated)])


def restore(model: nn.Module) -> Table:
    """Undo `accelerate`: make the recurrent modules of a model PyTorch's own again, in place.

    Parameters
    ----------
    model : torch.nn.Module

    Returns
    -------
    tuple
        As of `accelerate`.

    Raises
    ------
    TypeError
        `model` is not a torch.nn.Module.

    Examples
    --------
    >>> import torch, fastrnn.torch
    >>> model = torch.nn.Sequential(fastrnn.torch.GRU(3, 4))
    >>> fastrnn.torch.restore(model)
    module  class
    0       GRU    swapped
    >>> type(model[0]) is torch.nn.GRU
    True
    """
    rows = [restored(name, module) for name, module in recurrent_modules(model)]
    return Table([*rows, *policy_rows(model, policies.restored)])


def recurrent_modules(model: nn.Module) -> Iterable[tuple[str, nn.Module]]:
    """The recurrent modules of a model by name, each once."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
    for name, module in model.named_modules():
        scripted: Any = getattr(module, "original_name", None) if isinstance(module, torch.jit.ScriptModule) else None
        if isinstance(module, (nn.RNNBase, *CELLS)) or scripted in {"LSTM", "GRU", "RNN"}:
            yield name, module


def policy_rows(model: nn.Module, change: Callable[[nn.Module], str]) -> Iterable[Row]:
    """The rows of recurrent policies, after a change that says why it was not made."""
    for name, module in model.named_modules():
        if policies.is_policy(module):
            reason = change(module)
            yield Row(name, type(module).__name__, not reason, reason)


def accelerated(name: str, module: nn.Module) -> Row:
    """Make one module ours if it can be."""
    kind = type(module)
    ours = FASTER.get(kind)
    if kind in PARENTS:
        reason = "it is fastrnn's"
    elif isinstance(module, CELLS):
        reason = "a single step"
    elif isinstance(module, torch.jit.ScriptModule):
        reason = "compiled by torch.jit"
    elif ours is None:
        reason = subclass_reason(module)
    elif "forward" in vars(module):
        reason = "a forward of its own"
    else:
        reason = refusal_of(module, weights_of(module))  # type: ignore[arg-type]
        if not reason:
            module.__class__ = ours
    return Row(name, kind.__name__, not reason, reason)


def subclass_reason(module: nn.Module) -> str:
    """Why a module of another class than PyTorch's or ours keeps it."""
    if parametrize.is_parametrized(module):
        return "its class is that of a parametrization"  # which holds the one of before, and returns to it
    return "a subclass"


def restored(name: str, module: nn.Module) -> Row:
    """Make one module PyTorch's if it is ours."""
    kind = type(module)
    if kind not in PARENTS:
        reason = subclass_reason(module) if isinstance(module, tuple(PARENTS)) else "it is not fastrnn's"
        return Row(name, kind.__name__, False, reason)
    module.__dict__.pop("_fastrnn", None)
    module.__class__ = PARENTS[kind]
    return Row(name, kind.__name__, True, "")
