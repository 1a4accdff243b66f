# SPDX-License-Identifier: BSD-3-Clause
"""Echo state networks: a fixed random reservoir, and a linear readout that is solved for."""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ..._engine import passes
from ..._engine.arguments import Array, as_nonnegative, as_size
from ..._engine.ragged import Rows
from .layer import ReservoirLayer
from .ridge import solved
from .sequences import as_sequences, batches, finite, groups, pad


class EchoState(ReservoirLayer):
    """Echo state network (Jaeger 2001): a reservoir of random, fixed weights and a linear readout of its states.

    ``h_t = (1 - a) h_(t-1) + a act(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)``, with the leak a, and
    ``y_t = W [x_t; h_t] + b``: equations 2 to 4 of Lukosevicius, "A practical guide to applying echo state networks",
    2012. `fit` computes W and b by ridge regression. They are also the `params` that an optimizer would train.

    With several layers, each layer reads the states of the layer below, and the readout reads the states of all layers
    (Gallicchio, Micheli, Pedrelli, "Deep reservoir computing", Neurocomputing 268, 2017).

    Attributes
    ----------
    params, grads : Parameters
        ``weight`` (O, F) and ``bias`` (O,) of the readout, initially 0; F = I + L*H, or L*H without `input_to_readout`.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Notes
    -----
    The state is (L, N, H), like that of an `RNN`. `state_dict`, and thus a file, also contains the weights of the
    reservoir, under the same names as in an `RNN`. The engine skips zero recurrent weights if the density is low enough
    for this to be faster: up to 1/9 in float32 with AVX-512, 1/5 in float64, 1/4 or 1/5 with other vectors. The results
    are the same either way. `backward` always multiplies by all weights.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> x = np.sin(0.2 * np.arange(420))[:, None]  # (T, I)
    >>> esn = fr.EchoState(1, 50, washout=50, dtype=np.float64, seed=0)
    >>> y, state = esn.fit(x[:399], x[1:400]).generate(x[:400], 20)
    >>> bool(np.abs(y - x[400:]).max() < 1e-3)
    True
    """

    def fit(self, x: Any, y: Any, ridge: float = 1e-6, lengths: ArrayLike | None = None) -> Self:
        """Fit the readout by ridge regression over all steps after the washout; each sequence starts from a zero state.

        Parameters
        ----------
        x : array_like, as in a call, or list of array_like, (T_k, I) each
            One array, or sequences of any lengths.
        y : array_like or list of array_like
            The targets, O features in x's layout.
        ridge : float, default 1e-6
            Regularization strength, at least 0; it multiplies the sum of squares of W, which is added to the sum of
            squared errors: ``W = Y X^T (X X^T + ridge I)^-1`` (equation 9 of the guide named above), with X and Y minus
            their means. The bias b is not regularized.
        lengths : array_like of int, optional
            As in a call; not for lists.

        Returns
        -------
        EchoState
            Itself.

        Raises
        ------
        TypeError, ValueError
            x and y do not fit each other, a sequence has no step after the washout, or a number is not finite. The
            readout is unchanged then.

        Notes
        -----
        It is computed in float64, with memory for about 3 F**2 numbers and one block of time, however long x is. The
        normal equations are used if their rounding errors are less than a tenth of the ridge, which is the case above
        about ``2e-15`` times the sum of squares of all features. Otherwise a QR decomposition is used, which takes
        several times as long.
        """
        self.params["weight"], self.params["bias"] = self._solved((x, y, lengths), ridge)
        return self

    def predict(self, x: Any) -> Any:
        """The outputs y of a fitted network from a zero state, including those of the washout.

        x is an array as in a call, or a list of sequences as in `fit`; then so is y. Raises what a call raises, and a
        ValueError if the readout has not been fitted.
        """
        self._check_fitted()
        if not isinstance(x, list | tuple):
            return self(x)[0]
        return self._predicted(x)

    def generate(self, x: ArrayLike, steps: int, state: Array | None = None) -> tuple[Array, Array]:
        """Free-running generation: read x, then use each output as the next input.

        Parameters
        ----------
        x : array_like, as in a call
            At least one step; from a zero state, as many as the network needs to forget it (`washout`).
        steps : int
            The number of outputs.
        state : array_like, optional
            As in a call.

        Returns
        -------
        y : ndarray
            In x's layout, with `steps` steps: the output after the last step of x, and those that follow.
        state : ndarray
            The state before the last of y is read: ``generate(last of y, more, state)`` continues.

        Raises
        ------
        TypeError, ValueError
            As in a call; or the output size is not the input size, x is empty, or the readout has not been fitted.
        """
        if self.output_size != self.input_size:
            raise ValueError(f"output_size: expected {self.input_size}, the input size, got {self.output_size}")
        self._check_fitted()
        entered = self._rnn.stack.enter(x, state, None, self.batch_first)
        y, final = self._generated(entered, steps)
        return entered[1].laid_out(y), self._state((final,), entered[1])

    # -- how ---------------------------------------------------------------------------------------------------------

    def _solved(self, data: tuple[Any, Any, Any], ridge: float) -> tuple[Array, Array]:
        """Weight and bias of the readout that fits x, y and lengths."""
        ridge = as_nonnegative("ridge", ridge)
        sizes = self._reservoir.features, self.output_size
        weight, bias, samples = solved(lambda: self._samples(data), sizes, ridge)
        if not samples:
            raise ValueError("x: expected at least one step to fit, got none")
        return weight, bias

    def _samples(self, data: tuple[Any, Any, Any]) -> Iterator[tuple[Array, Array]]:
        """Features (R, F) and targets (R, O) of the steps to fit, block by block."""
        sizes = self.input_size, self.output_size
        for rows, targets, ends in batches(*data, sizes, self.washout, self.dtype, self.batch_first):
            final = self._reservoir.stack.empty_state(len(ends))
            for block, features in self._reservoir.blocks(rows, (None,), Rows(ends, None), final):
                t = np.arange(block.start, block.stop)[:, None]
                fitted = (t >= self.washout) & (t < ends)
                yield finite("x", features[fitted]), finite("y", targets[block][fitted])

    def _check_fitted(self) -> None:
        if not any(array.any() for _, array in self._readout.params.items()):
            raise ValueError("the readout is 0 everywhere: expected a network after fit, update, training or loading")

    def _predicted(self, x: Any) -> list[Array]:
        """The outputs of each of several sequences, from a zero state."""
        outputs, sequences = [], as_sequences("x", x, self.input_size, self.dtype)
        for group in groups(sequences):
            padded, lengths = pad(sequences[group])
            y = np.empty((*padded.shape[:2], self.output_size), self.dtype)
            self._reservoir.write(self._readout, padded, ((None,), Rows(lengths, None)), y)
            outputs += [y[:length, row].copy() for row, length in enumerate(lengths)]
        return outputs

    def _generated(self, entered: tuple[Any, ...], steps: Any) -> tuple[Array, Array]:
        """Outputs (steps, N, I) after x, each the next input, and the state (L, N, H) before the last is read."""
        steps, reservoir = as_size("steps", steps), self._reservoir
        x, _, state, rows = entered
        T, N, I = x.shape
        if not T or not N:
            raise ValueError(f"x: expected at least one step and one row, got {T} and {N}")
        y = np.empty((steps, N, I), x.dtype)
        final = reservoir.stack.empty_state(N)
        for _, features in reservoir.blocks(x, state, rows, final):
            y[0] = self._readout(features[-1])
        stream = reservoir.stream(final[0])
        stepper = passes.stepper([(self._readout.weights, None, None)], N)
        for t in range(1, steps):
            stream.step(y[t - 1])
            stepper.step(stream.features, y[t])
        return y, stream.state
