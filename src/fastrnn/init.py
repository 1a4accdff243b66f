# SPDX-License-Identifier: BSD-3-Clause
"""Initialisers: each writes parameters of a layer in place and returns the layer.

Every gate is drawn on its own: the input weights of an LSTM, (4*H, I), are four matrices (H, I), its recurrent weights
four (H, H), and `fan_in` and `fan_out` in a formula are the columns and rows of one of them. Numbers are drawn in
float64 and rounded to the layer's dtype; the same `seed` (int, Generator or None) gives the same ones.

In the place of a layer a Sequential or a Residual may stand: the layers in it that a function is for are written, one
after another, with the numbers of one generator; the others (an Embedding, say) are left alone.
"""

import math
from numbers import Real

import numpy as np

from ._engine.arguments import as_rng
from .nn._layer import leaves
from .nn._linear import Linear
from .nn._recurrent.gru import GRU
from .nn._recurrent.lstm import LSTM
from .nn._recurrent.rnn import RNN
from .nn._sequential import Sequential

__all__ = [
    "chrono", "forget_bias", "he_normal", "he_uniform", "identity", "orthogonal", "pytorch", "xavier_normal",
    "xavier_uniform",
]  # fmt: skip

GATE_NAMES = {4: ("i", "f", "g", "o"), 3: ("r", "z", "n")}  # of an LSTM, of a GRU
WEIGHTED = (RNN, LSTM, GRU, Linear)


def pytorch(layer, seed=None):
    """PyTorch's default, with which the layers begin: uniform, biases too.

    In +-1/sqrt(H) for recurrent layers, in +-1/sqrt(I) for Linear. The same seed gives the parameters that the
    constructor of the layer gives; the random numbers of dropout go on where they are.

    Parameters
    ----------
    layer : RNN, LSTM, GRU, Linear, or a Sequential that holds one
    seed : int, Generator or None

    Returns
    -------
    layer

    Raises
    ------
    TypeError, ValueError
        The layer is of another type, or the seed is no seed.

    Examples
    --------
    >>> import fastrnn as fr
    >>> gru = fr.GRU(3, 4, seed=0)
    >>> again = fr.init.pytorch(fr.GRU(3, 4), seed=0)
    >>> bool((again.params["weight_hh_l0"] == gru.params["weight_hh_l0"]).all())
    True
    """
    rng = as_rng(seed)
    for part in _parts("layer", layer, WEIGHTED):
        part.load_state_dict(part.initial_parameters(rng))
    return layer


def xavier_uniform(layer, gain=1.0, seed=None):
    """Uniform weights of variance ``gain**2 * 2 / (fan_in + fan_out)``; biases 0.

    Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010, equation
    16: a compromise between activations and gradients that keep their variance from layer to layer.

    Parameters
    ----------
    layer, seed
        As in `pytorch`, with the same errors.
    gain : float
        Finite and at least 0, else a ValueError.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> linear = fr.init.xavier_uniform(fr.Linear(100, 50), seed=0)
    >>> bool(np.abs(linear.params["weight"]).max() <= np.sqrt(6 / 150)), bool(linear.params["bias"].any())
    (True, False)
    """
    return _fill(layer, seed, _rule(_uniform, _xavier, gain))


def xavier_normal(layer, gain=1.0, seed=None):
    """Normal weights of variance ``gain**2 * 2 / (fan_in + fan_out)``; biases 0. Otherwise `xavier_uniform`.

    Examples
    --------
    >>> import fastrnn as fr
    >>> linear = fr.init.xavier_normal(fr.Linear(100, 50), gain=2.0, seed=0)
    >>> float(round(linear.params["weight"].std(), 1))  # 2 sqrt(2 / 150) = 0.23
    0.2
    """
    return _fill(layer, seed, _rule(_normal, _xavier, gain))


def he_uniform(layer, gain=1.0, seed=None):
    """Uniform weights of variance ``gain**2 * 2 / fan_in``; biases 0. For relu.

    He, Zhang, Ren, Sun, "Delving deep into rectifiers", ICCV 2015, equation 10: relu takes half of the second moment
    away, and the 2 gives it back.

    Parameters
    ----------
    layer, gain, seed
        As in `xavier_uniform`, with the same errors; the factor of relu is there beside the gain.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> linear = fr.init.he_uniform(fr.Linear(100, 50), seed=0)
    >>> bool(np.abs(linear.params["weight"]).max() <= np.sqrt(6 / 100))
    True
    """
    return _fill(layer, seed, _rule(_uniform, _he, gain))


def he_normal(layer, gain=1.0, seed=None):
    """Normal weights of variance ``gain**2 * 2 / fan_in``; biases 0. For relu. Otherwise `he_uniform`.

    Examples
    --------
    >>> import fastrnn as fr
    >>> linear = fr.init.he_normal(fr.Linear(200, 50), seed=0)
    >>> float(round(linear.params["weight"].std(), 2))  # sqrt(2 / 200)
    0.1
    """
    return _fill(layer, seed, _rule(_normal, _he, gain))


def orthogonal(layer, gain=1.0, seed=None):
    """Recurrent weights `gain` times an orthogonal matrix, for each gate; input weights `xavier_uniform`; biases 0.

    Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
    ICLR 2014: such a matrix keeps the length of what it multiplies, at every step. It is the Q of a QR decomposition
    with the signs fixed, so that no orthogonal matrix is likelier than another (Mezzadri 2007, arXiv math-ph/0609050).

    Parameters
    ----------
    layer, seed
        As in `pytorch`, with the same errors; a Linear has input weights only.
    gain : float
        Of the recurrent weights; finite and at least 0, else a ValueError.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> lstm = fr.init.orthogonal(fr.LSTM(3, 4, dtype=np.float64), seed=0)
    >>> w_i, w_f, w_g, w_o = np.split(lstm.params["weight_hh_l0"], 4)
    >>> bool(np.allclose(w_f @ w_f.T, np.eye(4)))
    True
    """
    gain = _number("gain", gain, 0)
    return _fill(layer, seed, _rule(_uniform, _xavier), lambda rng, H, _: gain * _orthogonal(rng, H))


def identity(rnn, scale=1.0, input_std=0.001, seed=None):
    """Recurrent weights `scale` times the identity matrix, normal input weights, biases 0: the IRNN.

    Le, Jaitly, Hinton, "A simple way to initialize recurrent networks of rectified linear units", arXiv 1504.00941,
    2015: with relu a state of no negative numbers stays as it is until an input changes it. Other nonlinearities are
    allowed.

    Parameters
    ----------
    rnn : RNN, or a Sequential that holds one
    scale : float
        Below 1 the network forgets.
    input_std : float
        Standard deviation of the input weights, at least 0.
    seed : int, Generator or None

    Raises
    ------
    TypeError, ValueError
        The layer is of another type (LSTM and GRU too), or a number is out of range.

    Examples
    --------
    >>> import fastrnn as fr
    >>> rnn = fr.init.identity(fr.RNN(3, 2, nonlinearity="relu"), seed=0)
    >>> rnn.params["weight_hh_l0"].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    scale, std = _number("scale", scale), _number("input_std", input_std, 0)
    w_ih = _rule(_normal, lambda *shape: std)
    return _fill(rnn, seed, w_ih, lambda rng, H, _: scale * np.eye(H), kinds=(RNN,), name="rnn")


def forget_bias(lstm, value=1.0):
    """Set the bias of the forget gate; all else is left alone.

    Jozefowicz, Zaremba, Sutskever, "An empirical exploration of recurrent network architectures", ICML 2015: with 1 the
    gate lets most through at first, and gradients reach far back. The two biases of a gate are added, so ``bias_ih``
    gets the value and ``bias_hh`` 0.

    Parameters
    ----------
    lstm : LSTM, or a Sequential that holds one
    value : float

    Raises
    ------
    TypeError, ValueError
        The layer is of another type (GRU and RNN too) or has no biases, or the value is not a finite number.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> lstm = fr.init.forget_bias(fr.LSTM(3, 2), 1.0)
    >>> np.split(lstm.params["bias_ih_l0"], 4)[1]  # of i, f, g, o
    array([1., 1.], dtype=float32)
    """
    value = _number("value", value)
    return _set_biases("lstm", lstm, (LSTM,), lambda part: {"f": value})


def chrono(layer, T_max, seed=None):
    """Biases with which units forget after 2 to `T_max` steps; all else is left alone.

    Tallec, Ollivier, "Can recurrent neural networks warp time?", ICLR 2018: of an LSTM ``b_f = log(u)`` and
    ``b_i = -b_f``, of a GRU ``b_z = log(u)``, with u uniform in [1, T_max - 1] for each unit. The two biases of a gate
    are added, so ``bias_ih`` gets the value and ``bias_hh`` 0.

    Parameters
    ----------
    layer : LSTM, GRU, or a Sequential that holds one
    T_max : float
        The longest time, in steps, over which things are expected to depend on one another; at least 2.
    seed : int, Generator or None

    Raises
    ------
    TypeError, ValueError
        The layer is of another type or has no biases, or `T_max` is not a number in its range.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> lstm = fr.init.chrono(fr.init.orthogonal(fr.LSTM(3, 64), seed=0), T_max=500, seed=1)
    >>> b_i, b_f, b_g, b_o = np.split(lstm.params["bias_ih_l0"], 4)
    >>> bool((b_i == -b_f).all()), bool(b_f.min() >= 0), bool(b_f.max() <= np.log(499))
    (True, True, True)
    """
    T_max, rng = _number("T_max", T_max, 2), as_rng(seed)

    # As long as x and h are small, an LSTM's cell keeps f = sigma(b_f) = u / (1 + u) of itself at each step and lets
    # i = sigma(-b_f) = 1 - f of g in: it forgets in 1 / (1 - f) = 1 + u steps. A GRU in PyTorch's form,
    # h' = (1 - z) n + z h, keeps z and lets 1 - z of n in: its z is that f. (Papers often swap z and 1 - z.)
    def gates(part):
        bias = np.log(rng.uniform(1, T_max - 1, part.hidden_size))
        return {"f": bias, "i": -bias} if isinstance(part, LSTM) else {"z": bias}

    return _set_biases("layer", layer, (LSTM, GRU), gates)


# -- what they share -------------------------------------------------------------------------------------------------


def _xavier(fan_out, fan_in):
    return math.sqrt(2 / (fan_in + fan_out))


def _he(fan_out, fan_in):
    return math.sqrt(2 / fan_in)


def _uniform(rng, std, shape):
    bound = math.sqrt(3) * std
    return rng.uniform(-bound, bound, shape)


def _normal(rng, std, shape):
    return std * rng.standard_normal(shape)


def _orthogonal(rng, H):
    q, r = np.linalg.qr(rng.standard_normal((H, H)))
    return q * np.copysign(1, r.diagonal())


def _rule(draw, std, gain=1.0):
    """The rule for `_fill` that draws with this standard deviation of (rows, columns)."""
    gain = _number("gain", gain, 0)
    return lambda rng, *shape: draw(rng, gain * std(*shape), shape)


def _fill(layer, seed, w_ih, w_hh=None, kinds=WEIGHTED, name="layer"):
    """Write every weight, gate by gate, as a rule (rng, rows, columns) says, and 0 for the biases.

    `w_hh` is the rule for recurrent weights if it is another.
    """
    rng = as_rng(seed)
    for part in _parts(name, layer, kinds):
        G, values = part.cell.gates if isinstance(part, RNN | LSTM | GRU) else 1, {}
        for key, shape in part.params.shapes().items():
            rule = w_hh if w_hh and key.startswith("weight_hh") else w_ih
            if len(shape) == 1:
                values[key] = np.zeros(shape)
            else:
                values[key] = np.concatenate([rule(rng, shape[0] // G, shape[1]) for _ in range(G)])
        part.load_state_dict(values)
    return layer


def _set_biases(name, layer, kinds, gates):
    """Write biases of some gates: `gates(part)` gives them for one layer and direction, {gate: number or (H,)}."""
    parts = _parts(name, layer, kinds)
    for part in parts:
        if not part.bias:
            raise ValueError(f"{name}: expected layers with bias=True, got {part!r}")
    for part in parts:
        values = {}
        for key in part.params:  # each bias_hh comes after its bias_ih
            if key.startswith("weight"):
                continue
            values = gates(part) if key.startswith("bias_ih") else dict.fromkeys(values, 0)
            bias = part.params[key].reshape(part.cell.gates, -1).copy()
            for gate, value in values.items():
                bias[GATE_NAMES[part.cell.gates].index(gate)] = value
            part.params[key] = bias.reshape(-1)
    return layer


def _parts(name, layer, kinds):
    """The layers of these kinds: `layer` itself, or those in a Sequential, in its order."""
    found = leaves(layer)
    parts = [leaf for leaf in found if isinstance(leaf, kinds)]
    if not parts:
        wanted, got = ", ".join(kind.__name__ for kind in kinds), ", ".join(type(leaf).__name__ for leaf in found)
        got = f"a Sequential of {got}" if isinstance(layer, Sequential) else got
        raise TypeError(f"{name}: expected {wanted} or a Sequential that holds one, got {got}")
    return parts


def _number(name, value, low=-math.inf):
    """`value` as a finite float of at least `low`."""
    if not isinstance(value, Real):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    if not (math.isfinite(value) and value >= low):
        raise ValueError(
            f"{name}: expected a finite number{f' of at least {low}' if low > -math.inf else ''}, got {value}"
        )
    return float(value)
