# SPDX-License-Identifier: BSD-3-Clause
"""A callback of `fit` that records how gradients and states behave during training, and plots them."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_size
from ..._engine.ragged import length_mask
from ...nn import Layer
from .._gradients.flow import LossGradient, gradient_flow
from . import style
from .style import Axes

DECADES = 8  # of a logarithmic colour scale
KINDS = {"gradients": "norm of the gradient", "states": "norm of the state"}


class FlowRecorder:
    """A callback for `fit` that records the norms of gradients and states during training.

    At regular intervals it runs `gradient_flow` on the same few sequences, so that only the model changes.

    Parameters
    ----------
    x, lengths, dy, state
        As in `gradient_flow`.
    every : int, default 1
        Updates from one record to the next; the first update is recorded.

    Attributes
    ----------
    steps : list of int
        The number of each recorded update, as `fit` counts them.
    loss, grad_norm : list of float
        The loss and the global norm of the gradients in `fit` at these updates, before clipping.
    gradients, states : dict of str to list of ndarray, each (T,)
        By layer and direction: the norm at every step of x, as the mean of the rows that have the step.

    Raises
    ------
    TypeError, ValueError
        `every` is not an integer of at least 1; or, during training, as in `gradient_flow`.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn.inspect import FlowRecorder
    >>> x = np.random.default_rng(0).standard_normal((20, 64, 1)).astype(np.float32)
    >>> model = fr.Sequential(fr.GRU(1, 8, seed=0), fr.LastStep(), fr.Linear(8, 1, seed=1))
    >>> recorder = FlowRecorder(x[:, :4], every=2)
    >>> history = fr.fit(model, fr.mse_loss, x, x[0], epochs=2, callbacks=[recorder], seed=2, progress=False)
    >>> recorder.steps, np.shape(recorder.gradients["0.l0"])
    ([1, 3], (2, 20))
    """

    def __init__(
        self, x: Any, lengths: ArrayLike | None = None, *, dy: LossGradient | None = None, state: Any = None,
        every: int = 1,
    ) -> None:  # fmt: skip
        self._arguments: dict[str, Any] = {"x": x, "lengths": lengths, "dy": dy, "state": state}
        self.every: int = as_size("every", every)
        self.steps: list[int] = []
        self.loss: list[float] = []
        self.grad_norm: list[float] = []
        self.gradients: dict[str, list[Array]] = {}
        self.states: dict[str, list[Array]] = {}
        self._calls = 0

    def __repr__(self) -> str:
        return f"FlowRecorder(every={self.every}, {len(self.steps)} records)"

    def on_step(self, model: Layer, step: int, loss: float, norm: float) -> None:
        """Called by `fit` at every update.

        Parameters
        ----------
        model : Layer
        step : int
            The number of the update.
        loss, norm : float
            The loss and the global norm of the gradients, before clipping.
        """
        self._calls += 1
        if (self._calls - 1) % self.every:
            return
        for flow in gradient_flow(model, **self._arguments):
            for records, norms in ((self.gradients, flow.norms()), (self.states, flow.state_norms())):
                mask = length_mask(flow.lengths, len(norms))
                total = np.where(mask, norms.reshape(len(norms), -1), 0).sum(axis=1)
                records.setdefault(flow.name, []).append(total / np.maximum(mask.sum(axis=1), 1))
        self.steps.append(int(step))
        self.loss.append(float(loss))
        self.grad_norm.append(float(norm))

    @style.plotting("An argument has the wrong value, or nothing has been recorded.")
    def plot(
        self, name: str | None = None, *, of: Literal["gradients", "states"] = "gradients", ax: Axes | None = None
    ) -> Axes:
        """Plot the norms of one layer as a heat map: updates along x, the steps of a sequence up y.

        Parameters
        ----------
        name : str, optional
            The layer and direction, a key of `gradients`; by default the first.
        of : {"gradients", "states"}, default "gradients"

        Notes
        -----
        Gradients have a logarithmic colour scale of at most eight decades, with 0 in white; that of states is linear.
        """
        if of not in KINDS:
            raise ValueError(f"of: expected one of {', '.join(map(repr, KINDS))}, got {of!r}")
        self._check_recorded()
        records: dict[str, list[Array]] = getattr(self, of)
        name = next(iter(records)) if name is None else name
        if name not in records:
            raise ValueError(f"name: expected one of {', '.join(records)}, got {name!r}")
        values = np.array(records[name]).T  # (T, records)
        ax = style.new_axes(ax, *style.CURVES)
        last = 2 * self.steps[-1] - self.steps[-2] if len(self.steps) > 1 else self.steps[-1] + 1
        colours: dict[str, Any] = {"vmin": 0, "cmap": style.SEQUENTIAL}
        if of == "gradients":
            values = np.where(np.isfinite(values) & (values > 0), values, np.nan)
            colours = style.log_scale(values, DECADES)
        edges = np.append(self.steps, last), np.arange(len(values) + 1) - 0.5
        mesh = ax.pcolormesh(*edges, values, rasterized=True, **colours)
        ax.set(xlabel="update", ylabel="step of the sequence")
        ax.set_title(name, loc="left")
        ax.figure.colorbar(mesh, ax=ax, label=KINDS[of], pad=0.02)
        return ax

    @style.plotting("Nothing has been recorded.")
    def plot_norms(self, ax: Axes | None = None) -> Axes:
        """Plot the global norm of the gradients and the loss at every record.

        Parameters
        ----------
        """
        self._check_recorded()
        ax = style.new_axes(ax, *style.CURVES)
        for values, label, colour, line in (
            (self.grad_norm, "norm of all gradients", style.COLOURS[0], "-"),
            (self.loss, "loss", style.COLOURS[1], "--"),
        ):
            positive = np.where(np.array(values) > 0, values, np.nan)
            ax.plot(self.steps, positive, line, color=colour, label=label, linewidth=1.6)
        style.finish_curves(ax)
        ax.set_xlabel("update")
        return ax

    def _check_recorded(self) -> None:
        if not self.steps:
            raise ValueError("recorder: expected at least one record, got none; pass it in the callbacks of fit")
