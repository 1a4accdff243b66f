# SPDX-License-Identifier: BSD-3-Clause
"""A penalty of the parameters: checked before a training begins, added in each of its steps."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...optim import add_penalty
from ...optim._penalty import penalized
from .hook import Hook, Step

if TYPE_CHECKING:
    from .._loop.loop import Training

ARGUMENTS = "l1", "l2", "names"


class Penalty(Hook):
    """Calls `add_penalty` in every step.

    Parameters
    ----------
    model : object with ``params`` and ``grads``
    arguments : mapping
        Those of `add_penalty`, by name.

    Raises
    ------
    TypeError, ValueError
        `arguments` is not a mapping, has neither `l1` nor `l2`, or does not fit the model.
    """

    columns: tuple[str, ...] = ("penalty",)

    def __init__(self, model: Any, arguments: Mapping[str, Any]) -> None:
        if not isinstance(arguments, Mapping):
            got = type(arguments).__name__
            raise TypeError(f"penalty: expected a dict of arguments of add_penalty, as {{'l2': 1e-4}}, got {got}")
        if unknown := [name for name in arguments if name not in ARGUMENTS]:
            raise ValueError(f"penalty: expected {', '.join(ARGUMENTS)}, got {unknown[0]!r}")
        if not {"l1", "l2"} & set(arguments):
            raise ValueError(f"penalty: expected l1, l2 or both, got {', '.join(arguments) or 'neither'}")
        try:
            penalized(model, **arguments)
        except (TypeError, ValueError) as error:
            raise type(error)(f"penalty: {error}") from None
        self.arguments = dict(arguments)

    def on_gradients(self, run: "Training", step: Step) -> bool:
        try:
            step.extras["penalty"] = add_penalty(run.model, **self.arguments)
        except FloatingPointError as error:
            raise FloatingPointError(f"penalty: {error}") from None
        return True
