# SPDX-License-Identifier: BSD-3-Clause
"""The base of the estimators that read sequences with an echo state network."""

from typing import Any

import numpy as np

from .._engine.arguments import as_choice, as_nonnegative
from ..nn import EchoState, LastStep, MeanPool, Sequential
from ..nn._reservoir.ridge import Ridge
from ..training import Batches
from ._base import Estimator
from ._samples import Samples

POOLINGS: dict[str, Any] = {"mean": MeanPool, "last": LastStep}  # a linear readout may come before these, or after
GROUP, STATES = 64, 2**24  # samples whose states are in memory at a time, and numbers in these

PARAMETERS = """
hidden_size : int, default 200
    Units of each layer.
num_layers : int, default 1
leak : float, default 1.0
    In (0, 1]; the smaller, the slower the units.
spectral_radius : float, default 0.9
    Of the recurrent weights; the closer to 1, the longer the memory.
density : float, default 0.1
    The share of the units of its layer that each unit reads.
input_scaling : float, default 0.5
    The range of the input weights.
bias_scaling : float, default 0.5
    The range of the biases.
pooling : {"auto", "mean", "last"}, default "auto"
    Which vector stands for a sequence: the mean of its states and inputs, or those of its own last step. "auto" is the
    mean in a classification, and the last step in a regression.
ridge : float, default 0.1
    The weight of the squares of the readout beside the squared errors, both summed, at least 0.
"""

ATTRIBUTES = """
model_ : Sequential
    The network, of standardized sequences (N, T, C): `fastrnn.save` takes it.
"""


class Reservoir(Estimator):
    """Parameters and the readout. A subclass has the pooling of "auto"."""

    _pooling: str

    _structure = (
        "hidden_size", "num_layers", "leak", "spectral_radius", "density", "input_scaling", "bias_scaling", "pooling",
        "standardize",
    )  # fmt: skip

    def __init__(
        self, hidden_size: int = 200, num_layers: int = 1, *, leak: float = 1.0, spectral_radius: float = 0.9,
        density: float = 0.1, input_scaling: float = 0.5, bias_scaling: float = 0.5, pooling: str = "auto",
        ridge: float = 0.1, standardize: bool = True, n_threads: int | None = None, random_state: Any = None,
    ) -> None:  # fmt: skip
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.leak = leak
        self.spectral_radius = spectral_radius
        self.density = density
        self.input_scaling = input_scaling
        self.bias_scaling = bias_scaling
        self.pooling = pooling
        self.ridge = ridge
        self.standardize = standardize
        self.n_threads = n_threads
        self.random_state = random_state

    def _make_model(self, channels: int, outputs: int) -> Sequential:
        pooling = as_choice("pooling", self.pooling, ("auto", *POOLINGS))
        pool = POOLINGS[self._pooling if pooling == "auto" else pooling]
        reservoir = EchoState(
            channels, self.hidden_size, self.num_layers, output_size=outputs, leak=self.leak,
            spectral_radius=self.spectral_radius, density=self.density, input_scaling=self.input_scaling,
            bias_scaling=self.bias_scaling, batch_first=True, dtype=self._dtype, seed=self._seed(),
        )  # fmt: skip
        self._regression = Ridge(channels + self.num_layers * self.hidden_size, outputs)
        return Sequential(reservoir=reservoir, pool=pool(batch_first=True, dtype=self._dtype))

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        with self._fitting(again=False):
            self._solve(self._begin(X, y, sample_weight, again=False))

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> None:
        again = self.__sklearn_is_fitted__()
        with self._fitting(again):
            self._solve(self._begin(X, y, sample_weight, again, classes))

    def _solve(self, samples: Samples) -> None:
        """Add samples to the regression, and solve it. The mean of linear readouts is the readout of the mean."""
        ridge = as_nonnegative("ridge", self.ridge)
        layers: Any = self.model_.layers
        reservoir, pool = layers
        longest = max(map(len, samples.x)) * self._regression.features
        group = int(np.clip(STATES // longest, 1, GROUP))
        data = Batches(
            samples.x, np.arange(samples.count), batch_size=group, batch_first=True, per_step=False, shuffle=False
        )
        with self._threads():
            for x, rows, lengths in data:
                pooled = pool(reservoir.features(x, lengths=lengths)[0], lengths)
                weights = None if samples.weights is None else samples.weights[rows]
                self._regression.add(pooled, samples.targets[rows], weights)
        reservoir.params["weight"], reservoir.params["bias"] = self._regression.solve(ridge)
