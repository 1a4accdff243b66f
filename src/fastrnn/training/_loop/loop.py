# SPDX-License-Identifier: BSD-3-Clause
"""The loop of `fit`: epochs of updates, with hooks for everything else, and the position from which it can resume."""

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ...nn._layer import every_layer
from .._data.batch import Batch
from .._data.draw import Draw
from .._data.source import EpochReader
from .._hooks.hook import Hook, Step
from .._state.differences import as_json
from .._state.history import History
from .._state.parameters import set_random_states
from .alone import Alone
from .blame import note_row
from .evaluation import mean_scores
from .means import Means
from .metrics import Metrics, check_column
from .objective import Objective
from .truncated import Window
from .update import Update


class Cursor(NamedTuple):
    """Where a training can resume.

    Attributes
    ----------
    feed : dict
        The position in the data: the state of the `EpochReader`. Checkpoints have this name for it.
    start : int
        The step in the next batch.
    first : object
        The state of the model at that step.
    """

    feed: dict[str, Any]
    start: int = 0
    first: Any = None


class Training:
    """A training: what is trained, the data, the update, and the hooks."""

    def __init__(
        self,
        objective: Objective,
        data: EpochReader,
        update: Update,
        hooks: Sequence[Hook],
        *,
        metrics: Metrics,
        validation: EpochReader | None,
        truncate: tuple[int, int] | None,
        monitor: str = "loss",
        options: Mapping[str, Any] | None = None,
        schedule: Any = None,
        stepper: Alone | None = None,
    ) -> None:
        self.objective, self.data, self.update, self.hooks = objective, data, update, hooks
        self.metrics, self.validation, self.truncate = metrics, validation, truncate
        self.options = {} if options is None else options  # those of fit, as a checkpoint can hold them
        self.monitor = monitor  # the column of the history by which epochs are compared
        self.model, self.optimizer = objective.model, update.optimizer
        self.layers = [*every_layer(self.model)]
        self.history, self.means = History(), Means()
        self.epochs = 0  # the number of the last one
        self.steps, self.seconds = 0, 0.0  # updates so far; of this epoch
        self.check_batch: Callable[[Batch | Draw], None] | None = None  # of the batch within which it resumes
        self.schedule, self.stepper = schedule, Alone() if stepper is None else stepper
        self.interrupts = self.stepper.interrupts
        self.commit(Cursor(data.state_dict()))

    @property
    def columns(self) -> list[str]:
        """The columns of the history, without what layers report."""
        added = [name for hook in self.hooks for name in hook.columns]
        validated = [] if self.validation is None else [f"val_{name}" for name in ("loss", *self.metrics)]
        return ["epoch", "step", "loss", *self.metrics, *added, "grad_norm", "lr", *validated, "seconds"]

    def run(self, epochs: int) -> History:
        """Train epoch after epoch, up to number `epochs`."""
        self.epochs = epochs
        try:
            for hook in self.hooks:
                hook.on_begin(self)
            with self.interrupts:
                try:
                    while not self.stepper.agree(self, self._finished()) and self.epoch():
                        pass
                except KeyboardInterrupt:
                    self.history.interrupted = True
                    set_random_states(self.model, self.random)  # of a step that was not completed
                for hook in reversed(self.hooks):
                    hook.on_end(self)
                self.stepper.end(self)
        except BaseException as error:
            self.stepper.failed(error)
            raise
        finally:
            for hook in self.hooks:
                hook.close()
        if self.data.exhausted:
            self.history.exhausted = True
            warnings.warn(
                f"x: its batches ended with epoch {self.history.epochs} of {epochs}, in step {self.steps}: an iterator "
                "gives them once. Give a function that makes one for each epoch, a list of batches or Batches; or with "
                "steps_per_epoch an iterator that does not end",
                stacklevel=3,  # the caller of fit
            )
        return self.history

    def _finished(self) -> bool:
        return self.history.epochs >= self.epochs or any(hook.finished for hook in self.hooks)

    def epoch(self) -> bool:
        """Train the rest of an epoch. Returns False if no batches remain."""
        number, start = self.history.epochs + 1, time.monotonic() - self.seconds
        try:
            for batch, window, cursor in self._windows():
                self.step(number, batch, window, cursor)
                self.seconds = time.monotonic() - start
                del window  # with its output, before there is the next
        except (TypeError, ValueError) as error:
            error.add_note(f"in step {self.steps + 1} of fit, in epoch {number}")
            note_row(error, self.data.source, self.objective)
            raise
        except FloatingPointError as error:
            error.args = (f"step {self.steps + 1}: {error}. The parameters are those of step {self.steps}",)
            raise
        if not self.means.totals:
            if not self.steps:
                raise ValueError("x: expected at least one batch, got none")
            return False
        row = {"epoch": number, "step": self.steps, **self.means.values(), "lr": self.optimizer.lr}
        if self.validation is not None:
            row |= self._validate(self.validation, number)
        row["seconds"] = time.monotonic() - start
        with self.interrupts.held():
            self.history.add(row)
            for hook in self.hooks:
                hook.on_epoch(self, row)
            self.means, self.seconds = Means(), 0.0
            self.commit(Cursor(self.data.state_dict()))
        for hook in self.hooks:
            hook.after_epoch(self, row)
        return True

    def _validate(self, data: EpochReader, epoch: int) -> dict[str, float]:
        """The columns of the validation, after an epoch."""
        try:
            chunk = self.truncate and self.truncate[0]
            means = mean_scores(self.objective, self.metrics, data, chunk, self.stepper)
            if not math.isfinite(means["loss"]):
                raise self._not_finite(data, epoch, means["loss"])
        except Exception as error:
            error.add_note(f"in the validation of fit, after epoch {epoch}")
            set_random_states(self.model, self.random)  # as after the last step
            for hook in self.hooks:
                hook.on_failure(self)
            raise
        return {f"val_{name}": value for name, value in means.items()}

    def _not_finite(self, data: EpochReader, epoch: int, loss: float) -> FloatingPointError:
        """The error of a validation loss that is not finite. Which batch holds nan or inf is only now of interest."""
        error = FloatingPointError(
            f"epoch {epoch}: expected a finite validation loss, got {loss:.4g}. The parameters are those of step "
            f"{self.steps}, the last one of this epoch"
        )
        batches = ((k, batch.not_finite()) for k, batch in enumerate(data.epoch(), 1))
        number, names = next((found for found in batches if found[1]), (0, []))
        for name in names:
            error.add_note(f"{name} of batch {number} of the validation holds nan or inf")
        return error

    def _windows(self) -> Iterator[tuple[Batch | Draw, Window, Cursor]]:
        """The batches that remain of this epoch, with their windows, and the cursor after each window."""
        before, start, first = self.data.state_dict(), self.cursor.start, self.cursor.first
        for batch in self.stepper.batches(self.data):
            if start and self.check_batch is not None:
                self.check_batch(batch)
            after = self.data.state_dict()
            for window in self.stepper.windows(self, batch, start, first):
                yield batch, window, Cursor(after) if window.last else Cursor(before, window.stop, window.first)
                del window
            before, start, first = after, 0, None

    def step(self, epoch: int, batch: Batch | Draw, window: Window, cursor: Cursor) -> None:
        """Update the parameters by the gradients of a window."""
        for name in self.metrics:
            check_column(name, window.extras)
        try:
            norm = self.update.norm(window.loss)
        except FloatingPointError as error:
            for name in batch.not_finite():
                error.add_note(f"{name} of this batch holds nan or inf")
            note_row(error, self.data.source, self.objective)
            raise
        values = {"loss": window.loss}
        values |= self.stepper.scores(self, window)
        step = Step(self.steps + 1, epoch, window.loss, norm, values, dict(window.extras), window.steps)
        for hook in self.hooks:
            if hook.on_gradients(self, step):
                step.norm = self.update.norm(window.loss)
        with self.interrupts.held():
            self.update(window.loss, step.norm)
            self.steps = step.number
            self.means.add(step.values | step.extras | {"grad_norm": step.norm}, window.positions)
            self.commit(cursor)
            for hook in self.hooks:
                hook.on_step(self, step)

    # -- the state to resume from ------------------------------------------------------------------------------------

    def commit(self, cursor: Cursor) -> None:
        """Make this the position from which a resumed training continues."""
        self.cursor = cursor
        self.random = [layer.random_state for layer in self.layers]

    def state_dict(self) -> dict[str, Any]:
        """The state for resuming, besides model, optimizer and schedule."""
        state = {
            "step": self.steps,
            "seconds": self.seconds,
            "place": self.cursor._asdict(),
            "history": dict(self.history),
            "means": self.means.state_dict(),
            "options": self.all_options(),
        }
        for hook in self.hooks:
            state |= hook.state_dict()
        return state

    def all_options(self) -> dict[str, Any]:
        """The options of `fit`, with the columns of the history and which of them is watched."""
        return as_json(self.options) | {"columns": self.columns, "monitor": self.monitor}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a `state_dict`; the data are there already, and so are the model and its optimizer."""
        self.history.update(state["history"])
        self.means.load_state_dict(state["means"])
        for hook in self.hooks:
            hook.load_state_dict(state)
        self.steps, self.seconds = state["step"], state["seconds"]
        self.commit(Cursor(**state["place"]))
