# SPDX-License-Identifier: BSD-3-Clause
"""The cells, as the engine declares them (csrc/cells.h)."""

from typing import NamedTuple

from .. import _core


class Cell(NamedTuple):
    """Shapes of the arrays of a cell (see fr_cell_info in csrc/fastrnn.h)."""

    code: int
    gates: int  # G
    saved: int  # S, the blocks of H values that a step keeps
    has_c: bool
    recurrent: bool
    gate_names: tuple[str, ...]  # in PyTorch's order
    gate_blocks: tuple[int, ...]  # where each lies in `passes.Saved.gates`
    activation: str | None  # of a plain recurrent cell

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the arrays of a state."""
        return ("h", "c") if self.has_c else ("h",)


CELLS = {name: Cell(*info) for name, info in _core.CELLS.items()}
