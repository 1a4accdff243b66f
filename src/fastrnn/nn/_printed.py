# SPDX-License-Identifier: BSD-3-Clause
"""The printed form of a layer. The code that creates it is loaded on demand."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._summary import Summary


class Printed:
    """The printed form of a layer. The repr, used in messages, is one line; ``print(layer)`` shows a tree."""

    children: Callable[[], Mapping[str, Any]]
    children_in_sequence: bool = False  # whether each child reads the output of the one before, and the first reads x

    @property
    def reads_tokens(self) -> bool:
        """Whether x is tokens, integers without an axis of features: by default whether the first child reads them."""
        first = next(iter(self.children().values()), None)
        return first is not None and first.reads_tokens

    def __str__(self) -> str:
        """The layers inside, with their shapes as far as they say, and the numbers of parameters."""
        from ._tree import tree_text

        return tree_text(self)

    def summary(self, x: Any = None) -> "Summary":
        """A table of the layers: names, options, shapes of the outputs, parameters and bytes.

        Parameters
        ----------
        x : array_like, tuple of int, or tuple of array_like, optional
            An example of the input, its shape, or a tuple of several inputs. The layers then run once, and the table
            shows actual shapes. Otherwise shapes are symbolic: T steps, N rows, F features.

        Returns
        -------
        Summary

        Raises
        ------
        TypeError, ValueError
            The layer does not take `x`.

        Examples
        --------
        >>> import fastrnn as fr
        >>> model = fr.Sequential(fr.Embedding(50, 8), fr.LSTM(8, 16), fr.LastStep(), fr.Linear(16, 2))
        >>> model.summary()
        name   layer             output      parameters  bytes
        0      Embedding(50, 8)  (T, N, 8)          400  1,600
        1      LSTM(8, 16)       (T, N, 16)       1,664  6,656
        2      LastStep()        (N, 16)              0      0
        3      Linear(16, 2)     (N, 2)              34    136
        total                                     2,098  8,392
        >>> model.summary((20, 4)).rows[1].output
        '(20, 4, 16)'
        """
        from ._summary import summary_of

        return summary_of(self, x)
