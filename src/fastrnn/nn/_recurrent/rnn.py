# SPDX-License-Identifier: BSD-3-Clause
"""RNN."""

from typing import Any

from ..._engine.arguments import FRACTION, NONNEGATIVE, Array
from ..._engine.cells import CELLS, Cell
from .._option import KW_ONLY
from .._options import Choice, Number
from .gradient_norm import SLOPES, add_gradient_norm
from .recurrent import RecurrentBase

CELL_OF = {cell.activation: cell for cell in CELLS.values() if cell.activation}
NONLINEARITIES = tuple(CELL_OF)


class RNN(RecurrentBase[Array]):
    """Plain recurrent network (Elman 1990), like torch.nn.RNN, with more nonlinearities.

    ``h_t = act(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)``

    Attributes
    ----------
    params, grads : Parameters
        ``weight_ih_l0`` (H, I), ``weight_hh_l0`` (H, H), ``bias_ih_l0``, ``bias_hh_l0`` (H,), then ``_l1`` and so on;
        the second direction has ``_reverse`` appended. Initially uniform in +-1/sqrt(H), as in PyTorch.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> rnn = fr.RNN(3, 4, seed=0)
    >>> y, h = rnn(np.ones((5, 2, 3), np.float32))
    >>> y.shape, h.shape
    ((5, 2, 4), (1, 2, 4))
    """

    _: KW_ONLY
    nonlinearity: Choice = Choice("act, the activation function.", NONLINEARITIES, default="tanh")
    leak: Number = Number(
        "In (0, 1]: ``h_t = (1 - leak) h_(t-1) + leak act(...)``, leaky units (Jaeger et al. 2007).",
        FRACTION,
        default=1.0,
        omit=True,
    )
    omega: Number = Number(
        "`backward` adds this multiple of the gradient of the regularizer of Pascanu, Mikolov and Bengio 2013 (arXiv "
        "1211.5063, equation 9), which penalizes changes of the norm of the gradient by W_hh. `Tape.extras` then "
        "holds its value under this name, also for a container around the layer. It cannot be combined with selu, "
        "`leak`, recurrent dropout, weight drop, `zoneout` or `recompute`.",
        NONNEGATIVE,
        default=0.0,
        omit=True,
    )

    @classmethod
    def cell_of(cls, nonlinearity: str = "tanh", **others: Any) -> Cell:
        return CELL_OF[nonlinearity]

    def _check_options(self) -> None:
        rules = self._regularization._replace(delta_clip=None)
        if self.omega and (rules.active or self.recompute or self.nonlinearity not in SLOPES):
            others = {name: getattr(self, name) for name in ("leak", "recompute", "recurrent_dropout", "weight_drop")}
            others |= {"zoneout": any(self.zoneout)}
            used = [name for name, value in others.items() if value not in (0, 1) or value is True]
            raise ValueError(
                f"omega: expected the plain recurrence of {', '.join(SLOPES)}, "
                f"got {', '.join(sorted(used)) or self.nonlinearity}"
            )

    def refusing_options(self, takes: str) -> list[str]:
        return super().refusing_options(takes) + (["omega"] if self.omega else [])

    def whole_sequence_options(self) -> list[str]:
        return super().whole_sequence_options() + (["omega"] if self.omega else [])

    def inference_copy(self) -> "RNN":
        copy = super().inference_copy()
        vars(copy)["omega"] = 0.0
        return copy  # type: ignore[return-value]

    def _has_own_training(self) -> bool:
        return super()._has_own_training() or bool(self.omega)

    def _backward_hook(self, extras: dict[str, float]) -> Any:
        if not self.omega:
            return super()._backward_hook(extras)

        def regularize(k: int, saved: Any, deltas: Array) -> None:
            w_hh, dw_hh = self.stack.arrays(k)[1], self._weight_grads[k][1]
            value = add_gradient_norm(self.omega, self.nonlinearity, saved, deltas[:, 0], w_hh, dw_hh)
            extras["omega"] = extras.get("omega", 0.0) + value

        return regularize
