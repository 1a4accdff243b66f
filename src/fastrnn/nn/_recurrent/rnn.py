# SPDX-License-Identifier: BSD-3-Clause
"""RNN."""

import numpy as np

from ..._engine import arguments
from ..._engine.cells import CELLS
from .gradient_norm import SLOPES, add_omega
from .stack import Stack

NONLINEARITIES = ("tanh", "relu", "sigmoid", "selu", "identity")


class RNN(Stack):
    """Plain recurrent network (Elman 1990), torch.nn.RNN with more nonlinearities.

    ``h_t = act(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)``

    Parameters
    ----------
    input_size, hidden_size : int
        I and H.
    num_layers : int
        L; each further layer reads the outputs of the one below.
    bias : bool
    batch_first : bool
        Sequences are (N, T, features) instead of (T, N, features).
    dropout : float
        Probability with which `forward` zeroes an output between two layers (the others are scaled by 1/(1-p)).
    bidirectional : bool
        A second direction reads each row from its own end; outputs are concatenated.
    recompute : bool
        `forward` keeps a state every so many steps instead of the gates of all, and `backward` computes them again:
        about a third more time, and a tape of a fraction of the output's size. For long sequences.
    dtype : {np.float32, np.float64}
    seed : int or None
        Of the initial parameters and of all masks: the same seed gives the same run.
    recurrent_dropout : float
        In training each row has one mask for all its steps, 0 with this probability and otherwise 1/(1-p): what the
        product with W_hh reads of the state is multiplied by it (Gal and Ghahramani 2016, arXiv 1512.05287).
    zoneout : float, or for an LSTM (h, c)
        Probability with which, in training, a unit keeps its last value for a step; in inference each takes the mean
        (Krueger et al. 2017, arXiv 1606.01305).
    weight_drop : float
        Probability with which an element of W_hh is left out of a whole call of `forward`; the others are scaled by
        1/(1-p) (Merity et al. 2018, arXiv 1708.02182).
    delta_clip : float or None
        In `backward`, what arrives at a pre-activation is kept within +-delta_clip at every step, before it goes on to
        the step before (Graves 2013, arXiv 1308.0850).
    nonlinearity : {"tanh", "relu", "sigmoid", "selu", "identity"}
    leak : float
        In (0, 1]: ``h_t = (1 - leak) h_(t-1) + leak act(...)``, leaky units (Jaeger et al. 2007).
    omega : float
        `backward` adds so many times the gradient of the regulariser of Pascanu, Mikolov and Bengio 2013 (arXiv
        1211.5063, equation 9), which asks that what goes back through W_hh keeps its length; ``tape.omega`` is then its
        value, that of a `Sequential` or `Residual` around it too. For the plain recurrence: not with selu, `leak`,
        dropout inside the loop, `zoneout` or `recompute`.

    Attributes
    ----------
    params, grads : Parameters
        ``weight_ih_l0`` (H, I), ``weight_hh_l0`` (H, H), ``bias_ih_l0``, ``bias_hh_l0`` (H,), then ``_l1`` and so on;
        the second direction has ``_reverse`` appended. Uniform in +-1/sqrt(H) at first, as in PyTorch.

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

    _gates = CELLS["rnn_tanh"].gates  # and of the other nonlinearities
    _optional = Stack._optional | {"leak": 1.0, "omega": 1.0}

    def __init__(
        self, input_size, hidden_size, num_layers=1, *, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
        recompute=False, dtype=np.float32, seed=None, recurrent_dropout=0.0, zoneout=0.0, weight_drop=0.0,
        delta_clip=None, nonlinearity="tanh", leak=1.0, omega=0.0,
    ):  # fmt: skip
        if nonlinearity not in NONLINEARITIES:
            raise ValueError(f"nonlinearity: expected one of {', '.join(NONLINEARITIES)}, got {nonlinearity!r}")
        self.nonlinearity = nonlinearity
        self.omega = arguments.as_positive("omega", omega) if omega != 0 else 0.0
        super().__init__(
            f"rnn_{nonlinearity}",
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, recompute, dtype, seed,
            recurrent_dropout=recurrent_dropout, zoneout=zoneout, weight_drop=weight_drop, delta_clip=delta_clip,
            leak=leak,
        )  # fmt: skip
        also = self._remedies.config().keys() - {"delta_clip"} | ({"recompute"} if self.recompute else set())
        if self.omega and (also or nonlinearity not in SLOPES):
            got = ", ".join(sorted(also)) or nonlinearity
            raise ValueError(f"omega: expected the plain recurrence of {', '.join(SLOPES)}, got {got}")

    def config(self):
        return super().config() | {"nonlinearity": self.nonlinearity} | ({"omega": self.omega} if self.omega else {})

    def _also(self, tape, saved, layer, direction):
        if not self.omega:
            return {}
        name = self._names(layer, direction)[1]
        w_hh, dw_hh = self._peek(name), self.grads.own()[name]

        def regularise(deltas):
            value = add_omega(self.omega, self.nonlinearity, saved, deltas[:, 0], w_hh, dw_hh)
            tape.omega = (tape.omega or 0.0) + value

        return {"after": regularise}
