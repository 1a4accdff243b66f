# SPDX-License-Identifier: BSD-3-Clause
"""How a state goes from one step to the next, beyond the cell."""

from typing import Any, NamedTuple

from .. import _core
from .arguments import Array


class StateUpdate(NamedTuple):
    """How a state goes from one step to the next, beyond the cell (see fr_state_update in csrc/fastrnn.h)."""

    fraction_h: Array | None = None  # of the new h, the rest of the old; (T, N, H), or (H,) for every step and row
    fraction_c: Array | None = None
    mask: Array | None = None  # (N, H): what the product with w_hh reads is multiplied by it, at every step
    clip: float = 0.0  # backward, gradients of the pre-activations are kept within +-clip; 0: all are

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The arrays that are not None."""
        return tuple(array for array in self[:3] if array is not None)

    def steps(self, block: slice) -> "StateUpdate":
        """The state update of a slice of time."""
        h, c = (part[block] if part is not None and part.ndim == 3 else part for part in self[:2])
        return StateUpdate(h, c, self.mask, self.clip)


PLAIN = StateUpdate()
_PLAIN = _core.StateUpdate(*PLAIN)


def for_core(update: StateUpdate) -> Any:
    """A state update as `_core` takes it."""
    return _PLAIN if update is PLAIN else _core.StateUpdate(*update)
