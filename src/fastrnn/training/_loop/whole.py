# SPDX-License-Identifier: BSD-3-Clause
"""Metrics of a whole epoch, independent of how it is divided into batches."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...losses import Mean
from ...losses._positions import takes_positions
from .metrics import Metrics, final, mean_of, score
from .objective import arguments_of, counts
from .outputs import Outputs


class EpochMetrics:
    """The metrics of an epoch during which the parameters do not change.

    The caller accumulates those of a metric that returns a `Mean`, and of a `FunctionOfMean`, and outputs are
    forgotten. Any other, such as a ratio of sums, is no mean of its values on parts: it is computed once, of all
    outputs as one batch, for which they are kept. The first output that a metric is given shows which it is.
    """

    def __init__(self, metrics: Metrics, batch_first: bool) -> None:
        self.metrics, self.batch_first = metrics, batch_first
        self._means: set[str] = set()  # the names of metrics that are accumulated
        self._whole: set[str] = set()  # and of those that are not
        self._outputs = Outputs(batch_first, any(map(takes_rows, metrics.values())))

    @property
    def are_means(self) -> bool:
        """Whether all metrics are known to be accumulated."""
        return self.metrics.keys() == self._means

    def add(self, y: Any, target: Any, lengths: Any, *, continues: bool) -> dict[str, float]:
        """The means of an output, to be accumulated; the others are those `of_all`.

        The output is that of a batch, or of the next steps of the batch before if it `continues` that.
        """
        means: dict[str, float] = {}
        for name, metric in self.metrics.items():
            if name in self._whole or not counts(metric, y, lengths):
                continue
            if name in self._means:
                means[name] = self._mean(name, y, target, lengths)
            elif (first := self._first(name, y, target, lengths)) is not None:
                means[name] = first
                self._means.add(name)
            else:
                self._whole.add(name)
        if self.are_means:
            self._outputs.clear()
        else:
            self._outputs.add(y, target, lengths, continues=continues)
        return means

    def add_means(self, means: Mapping[str, float]) -> dict[str, float]:
        """Those of an output that nobody has, as `add` returns them."""
        self._means.update(means)
        return dict(means)

    def _mean(self, name: str, y: Any, target: Any, lengths: Any) -> float:
        return score(name, mean_of(self.metrics[name]), y, target, lengths, self.batch_first)

    def _first(self, name: str, y: Any, target: Any, lengths: Any) -> Mean | None:
        """The first value of a metric, or None if it is no `Mean`.

        A metric that is no mean need not be defined for a small part of the data, as a ratio whose denominator is 0: it
        is called again with all of them, and then warns and fails if it has to.
        """
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                value = self._mean(name, y, target, lengths)
            except Exception:
                return None
        return value if isinstance(value, Mean) else None

    def values(self, means: Mapping[str, float]) -> dict[str, float]:
        """All metrics, of the means that have been accumulated and of all outputs."""
        return {name: float(final(self.metrics[name], means[name])) for name in self._means} | self.of_all()

    def of_all(self) -> dict[str, float]:
        """The metrics of all outputs that are not accumulated; 0 where nothing counted."""
        return {name: self._of_all(name) for name in self.metrics if name not in self._means}

    def _of_all(self, name: str) -> float:
        metric = self.metrics[name]
        y, target, lengths = self._outputs.joined(arguments_of(metric))
        if not counts(metric, y, lengths):
            return 0.0
        return float(score(name, metric, y, target, lengths, self.batch_first))


def takes_rows(metric: Any) -> bool:
    """Whether a metric needs the rows of an output with their lengths, and not its positions alone."""
    takes = arguments_of(metric)
    return "input_lengths" in takes or ("lengths" in takes and not takes_positions(metric))
