# SPDX-License-Identifier: BSD-3-Clause
"""The jobs of reservoirs in reservoirpy, on the weights that fastrnn has."""

import importlib
from typing import Any

from ..peers import Outputs
from . import StepCalls, models
from .cases import Step, series
from .fastrnn import whole

nodes: Any = importlib.import_module("reservoirpy.nodes")
sparse: Any = importlib.import_module("scipy.sparse")


def same(step: Step) -> Any:
    """A reservoir with the weights of fastrnn's; the recurrent ones in compressed rows, as reservoirpy makes them."""
    weights = models.reservoir(step).state_dict()
    reservoir = nodes.Reservoir(
        W=sparse.csr_array(weights["weight_hh_l0"]),
        Win=weights["weight_ih_l0"],
        bias=weights["bias_ih_l0"] + weights["bias_hh_l0"],
    )
    reservoir.initialize(series(step)[0])
    return reservoir


def states(step: Step) -> StepCalls:
    """All states of a reservoir, from zero."""
    reservoir, (x, _) = same(step), series(step)

    def call() -> Any:
        reservoir.reset()
        return reservoir.run(x)

    return whole(call, lambda: {"y": call()})


def readout(step: Step) -> StepCalls:
    """The states, and the ridge regression of the readout."""
    reservoir, (x, y) = same(step), series(step)

    def call() -> tuple[Any, Any]:
        reservoir.reset()
        features, ridge = reservoir.run(x), nodes.Ridge(ridge=models.RIDGE)
        ridge.fit(features[models.WASHOUT :], y[models.WASHOUT :])
        return features, ridge

    def outputs() -> Outputs:
        features, ridge = call()
        return {"y": ridge.run(features)}

    return whole(lambda: call(), outputs)


def make(step: Step) -> StepCalls:
    """A reservoir with a spectral radius that is asked for."""
    x, _ = series(step)

    def call() -> Any:
        reservoir = nodes.Reservoir(step.H, sr=models.RADIUS, rc_connectivity=step.density, seed=0)
        reservoir.initialize(x)
        return reservoir

    return whole(call, lambda: {"y": models.has_radius(call().W.toarray())})
