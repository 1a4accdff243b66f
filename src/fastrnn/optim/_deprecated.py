# SPDX-License-Identifier: BSD-3-Clause
"""Names of earlier versions."""

import math

from .._deprecation import deprecated
from .._engine.arguments import Interval
from ..nn._options import Number


class Hyperparameter(Number):
    """A number that the ``__init__`` of an optimizer sets.

    .. deprecated:: 0.2
        Declare a `Number`: the constructor then takes it, and the optimizer needs no ``__init__``.

    Parameters
    ----------
    low : float
    high : float, default inf
        The bounds.
    ends : {"[)", "()", "(]", "[]"}
        Which bounds belong to the interval.

    Warns
    -----
    DeprecationWarning
    """

    def __init__(self, low: float, high: float = math.inf, ends: str = "[)") -> None:
        deprecated(
            "fastrnn.optim.Hyperparameter(low, high)",
            instead='fastrnn.optim.Number("...", Interval(low, high), default=...)',
            since="0.2",
            removed_in="0.4",
        )
        super().__init__("", Interval(low, high, ends), init=False)
