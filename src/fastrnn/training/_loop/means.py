# SPDX-License-Identifier: BSD-3-Clause
"""The means of an epoch, from those of its batches."""

from collections.abc import Mapping
from typing import Any

from ...losses import Mean


class Means:
    """Running means of named numbers, each with a weight of its own."""

    def __init__(self) -> None:
        self.totals: dict[str, float] = {}
        self.weights: dict[str, float] = {}

    def add(self, values: Mapping[str, float], weight: float) -> None:
        """Add a `Mean` by its total and weight, any other number as the mean over something of this weight."""
        for name, value in values.items():
            total, w = (value.total, value.weight) if isinstance(value, Mean) else (weight * value, weight)
            self.totals[name] = self.totals.get(name, 0.0) + total
            self.weights[name] = self.weights.get(name, 0.0) + w

    def values(self) -> dict[str, float]:
        """The means; 0 where nothing counted."""
        return {name: float(Mean(total, self.weights[name])) for name, total in self.totals.items()}

    def means(self) -> dict[str, float]:
        """The means, which know what they are of."""
        return {name: Mean(total, self.weights[name]) for name, total in self.totals.items()}

    def state_dict(self) -> dict[str, Any]:
        return {"totals": dict(self.totals), "weights": dict(self.weights)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`; that of earlier versions has one weight for all names."""
        self.totals = dict(state["totals"])
        one_for_all = {name: state.get("weight", 0.0) for name in self.totals}
        self.weights = one_for_all | dict(state.get("weights", {}))
