# SPDX-License-Identifier: BSD-3-Clause
"""The cells, as the engine declares them (csrc/engine/cell.h)."""

from typing import NamedTuple

from .. import _core


class Cell(NamedTuple):
    """What the arrays of a cell look like (see fr_cell_info in csrc/fastrnn.h)."""

    code: int
    gates: int
    saved: int
    has_c: bool
    recurrent: bool

    @property
    def parts(self) -> tuple[str, ...]:
        """What a state consists of."""
        return ("h", "c") if self.has_c else ("h",)


CELLS = {name: Cell(*info) for name, info in _core.CELLS.items()}
