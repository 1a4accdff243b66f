# SPDX-License-Identifier: BSD-3-Clause
"""A penalty of the parameters: checked before a training begins, added in each of its steps."""

from collections.abc import Mapping

from ...optim._penalty import add_penalty, penalized

__all__ = ["Penalty"]

ARGUMENTS = "l1", "l2", "names"


class Penalty:
    """`add_penalty` with these arguments, which fit the model.

    Parameters
    ----------
    model : object with ``params`` and ``grads``
    arguments : mapping
        Those of `add_penalty`, by name.

    Raises
    ------
    TypeError, ValueError
        They are no mapping, neither `l1` nor `l2` is among them, or `add_penalty` would refuse them.
    """

    def __init__(self, model, arguments):
        if not isinstance(arguments, Mapping):
            example = "{'l2': 1e-4}"
            raise TypeError(
                f"penalty: expected a dict of arguments of add_penalty, as {example}, got {type(arguments).__name__}"
            )
        if unknown := [name for name in arguments if name not in ARGUMENTS]:
            raise ValueError(f"penalty: expected {', '.join(ARGUMENTS)}, got {unknown[0]!r}")
        if not {"l1", "l2"} & set(arguments):
            raise ValueError(f"penalty: expected l1, l2 or both, got {', '.join(arguments) or 'neither'}")
        try:
            penalized(model, **arguments)
        except (TypeError, ValueError) as error:
            raise type(error)(f"penalty: {error}") from None
        self.model, self.arguments = model, dict(arguments)

    def add(self, step):
        """Add its gradient to the gradients of the model; returns its value.

        Raises
        ------
        FloatingPointError
            A sum does not fit the dtype. Nothing has been changed.
        """
        try:
            return add_penalty(self.model, **self.arguments)
        except FloatingPointError as error:
            raise FloatingPointError(
                f"step {step}: penalty: {error}. The parameters are those of step {step - 1}"
            ) from None
