# SPDX-License-Identifier: BSD-3-Clause
"""The base of the estimators that read sequences with an echo state network."""

import copy
from typing import Any, ClassVar

import numpy as np

from ..nn import EchoState, LastStep, MeanPool, Sequential
from ..nn._reservoir.ridge import Ridge
from ..training import Batches
from ._base import Estimator
from ._parameters import ESNParameters
from ._samples import Samples

POOLINGS: dict[str, Any] = {"mean": MeanPool, "last": LastStep}  # a linear readout may come before these, or after
GROUP, STATES = 64, 2**24  # samples whose states are in memory at a time, and numbers in these


class Reservoir(ESNParameters, Estimator):
    """The readout. A subclass has the pooling of "auto"."""

    _pooling: ClassVar[str]

    _structure = (
        "hidden_size", "num_layers", "leak", "spectral_radius", "density", "input_scaling", "bias_scaling", "pooling",
        "standardize",
    )  # fmt: skip

    def _make_model(self, channels: int, outputs: int) -> Sequential:
        pool = POOLINGS[self._pooling if self.pooling == "auto" else self.pooling]
        reservoir = EchoState(
            channels, self.hidden_size, self.num_layers, output_size=outputs, leak=self.leak,
            spectral_radius=self.spectral_radius, density=self.density, input_scaling=self.input_scaling,
            bias_scaling=self.bias_scaling, batch_first=True, dtype=self._dtype, seed=self._seed(),
        )  # fmt: skip
        self._regression = Ridge(channels + self.num_layers * self.hidden_size, outputs)
        return Sequential(reservoir=reservoir, pool=pool(batch_first=True, dtype=self._dtype))

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        with self._fitting(again=False):
            self._learn(X, y, sample_weight, again=False)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> None:
        again = self.__sklearn_is_fitted__()
        with self._fitting(again):
            self._learn(X, y, sample_weight, again, classes)

    def _learn(self, X: Any, y: Any, sample_weight: Any, again: bool, classes: Any = None) -> None:
        """Solve with these samples. A readout that was never solved for is none, also after Ctrl-C."""
        samples = self._begin(X, y, sample_weight, again, classes)
        try:
            self._solve(samples)
        except KeyboardInterrupt:
            if not again:
                self._forget()
            raise

    def _solve(self, samples: Samples) -> None:
        """Add samples to the regression, and solve it. The mean of linear readouts is the readout of the mean.

        Nothing is changed if that fails.
        """
        layers: Any = self.model_.layers
        reservoir, pool = layers
        regression = copy.deepcopy(self._regression)
        longest = max(map(len, samples.x)) * regression.features
        group = int(np.clip(STATES // longest, 1, GROUP))
        data = Batches(
            samples.x, np.arange(samples.count), batch_size=group, batch_first=True, per_step=False, shuffle=False
        )
        with self._threads():
            for x, rows, lengths in data:
                pooled = pool(reservoir.features(x, lengths=lengths)[0], lengths)
                weights = None if samples.weights is None else samples.weights[rows]
                regression.add(pooled, samples.targets[rows], weights)
        with np.errstate(over="ignore"):  # reported below
            weight, bias = (part.astype(self._dtype) for part in regression.solve(self.ridge))
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise FloatingPointError(f"expected a readout that {self._dtype}, the dtype of X, holds: y is too large")
        reservoir.params["weight"], reservoir.params["bias"] = weight, bias
        self._regression = regression
