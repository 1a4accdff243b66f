# SPDX-License-Identifier: BSD-3-Clause
"""A callback of `fit` that keeps how gradients and states behave during training, and draws it."""

import numpy as np

from ..._engine.arguments import as_size
from .._gradients.flow import gradient_flow
from .._gradients.recurrences import within
from .flow import HEIGHT, WIDTH, log_axes
from .style import COLOURS, SEQUENTIAL, new_axes

DECADES = 8  # of colour
KINDS = {"gradients": "norm of the gradient", "states": "norm of the state"}


class FlowRecorder:
    """Records the norms of gradients and states during training: one of the `callbacks` of `fit`.

    Every so many updates a few sequences go through the model, forward and back (`gradient_flow`), always the same
    ones, so that what changes is the model.

    Parameters
    ----------
    x, lengths, dy, state
        As in `gradient_flow`.
    every : int
        Updates from one record to the next; the first is of the first update.

    Attributes
    ----------
    steps : list of int
        The number of each recorded update, as `fit` counts them.
    loss, grad_norm : list of float
        The loss and the global norm of the gradients that `fit` had there, before clipping.
    gradients, states : dict of str to list of ndarray, each (T,)
        By layer and direction: the norm at every step of x, in the mean of the rows that have the step.

    Raises
    ------
    TypeError, ValueError
        `every` is no integer of at least 1; or, in training, as `gradient_flow`.

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

    def __init__(self, x, lengths=None, *, dy=None, state=None, every=1):
        self._given = {"x": x, "lengths": lengths, "dy": dy, "state": state}
        self.every = as_size("every", every)
        self.steps, self.loss, self.grad_norm = [], [], []
        self.gradients, self.states = {}, {}
        self._calls = 0

    def on_step(self, model, step, loss, norm):
        """What `fit` calls at every update."""
        self._calls += 1
        if (self._calls - 1) % self.every:
            return
        flow = gradient_flow(model, **self._given)
        for strand in flow:
            own = within(len(strand.norms()), strand.lengths)
            for kept, norms in ((self.gradients, strand.norms()), (self.states, strand.state_norms())):
                rows = norms.reshape(len(norms), -1)
                total = np.where(own, rows, 0).sum(axis=1)
                kept.setdefault(strand.name, []).append(total / np.maximum(own.sum(axis=1), 1))
        self.steps.append(int(step))
        self.loss.append(float(loss))
        self.grad_norm.append(float(norm))

    def plot(self, name=None, *, of="gradients", ax=None):
        """The norms of one layer as a heat map: updates along x, the steps of a sequence up y.

        Parameters
        ----------
        name : str, optional
            Of the layer and direction, a key of `gradients`; by default the first.
        of : {"gradients", "states"}
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default a new figure.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ImportError
            matplotlib is not installed.
        ValueError
            Nothing has been recorded, or not of that name.

        Notes
        -----
        Colours are by the logarithm of a gradient, eight decades at most; 0 is white. Those of states are linear.
        """
        if of not in KINDS:
            raise ValueError(f"of: expected one of {', '.join(map(repr, KINDS))}, got {of!r}")
        self._check_recorded()
        kept = getattr(self, of)
        name = next(iter(kept)) if name is None else name
        if name not in kept:
            raise ValueError(f"name: expected one of {', '.join(kept)}, got {name!r}")
        values = np.array(kept[name]).T  # (T, records)
        ax = new_axes(ax, WIDTH, HEIGHT)
        edges = np.append(
            self.steps, 2 * self.steps[-1] - self.steps[-2] if len(self.steps) > 1 else self.steps[-1] + 1
        )
        colours = {"vmin": 0, "cmap": SEQUENTIAL}
        if of == "gradients":
            from matplotlib.colors import LogNorm

            values = np.where(np.isfinite(values) & (values > 0), values, np.nan)
            some = values[np.isfinite(values)]
            largest = float(some.max(initial=0)) or 1.0
            lowest = max(float(some.min(initial=largest)), largest * 10.0**-DECADES)
            colours = {"norm": LogNorm(min(lowest, largest / 10), largest, clip=True), "cmap": SEQUENTIAL}
        mesh = ax.pcolormesh(edges, np.arange(len(values) + 1) - 0.5, values, rasterized=True, **colours)
        ax.set_xlabel("update")
        ax.set_ylabel("step of the sequence")
        ax.set_title(name, loc="left")
        ax.figure.colorbar(mesh, ax=ax, label=KINDS[of], pad=0.02)
        return ax

    def plot_norms(self, ax=None):
        """The global norm of the gradients, and the loss, at every record.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default a new figure.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ImportError
            matplotlib is not installed.
        ValueError
            Nothing has been recorded.
        """
        self._check_recorded()
        ax = new_axes(ax, WIDTH, HEIGHT)
        for values, label, colour, style in (
            (self.grad_norm, "norm of all gradients", COLOURS[0], "-"),
            (self.loss, "loss", COLOURS[1], "--"),
        ):
            positive = np.where(np.array(values) > 0, values, np.nan)
            ax.plot(self.steps, positive, style, color=colour, label=label, linewidth=1.6)
        log_axes(ax)
        ax.set_xlabel("update")
        ax.legend(frameon=False, fontsize=9)
        return ax

    def _check_recorded(self):
        if not self.steps:
            raise ValueError("recorder: expected at least one record; give it to the callbacks of fit")
