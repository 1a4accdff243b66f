# SPDX-License-Identifier: BSD-3-Clause
"""The loop of `fit`: epochs of windows of batches, and the place from which it can go on."""

import time
import warnings

from ...io._checkpoint_container import read_tree
from ...optim import ReduceLROnPlateau
from .._state.checkpoints import load_checkpoint, random_states, set_random_states
from .._state.history import History
from .evaluation import Means, measured, scores
from .interrupts import Interrupts
from .progress import Bar
from .truncated import windows

__all__ = ["Training"]


class Training:
    """A training at some moment: all of it that a checkpoint holds, and how it goes on."""

    def __init__(
        self, objective, feed, update, schedule, *, penalty, validation, metrics, best, patience, callbacks, truncate,
        checkpoint,
    ):  # fmt: skip
        self.objective, self.feed, self.update, self.schedule = objective, feed, update, schedule
        self.validation, self.metrics, self.best, self.patience = validation, metrics, best, patience
        self.on_step, self.on_epoch = callbacks
        self.penalty, self.truncate, self.checkpoint = penalty, truncate, checkpoint
        self.model, self.optimizer = objective.model, update.optimizer
        self.history, self.means = History(), Means()
        self.step, self.seconds = 0, 0.0  # updates so far; of this epoch
        self.interrupts = Interrupts()
        self.mark(feed.state_dict())

    def run(self, epochs, progress):
        """Epoch after epoch, up to number `epochs`."""
        self.bar = Bar(progress, epochs, self.feed.steps, self.history.epochs)
        try:
            with self.interrupts:
                try:
                    while self.history.epochs < epochs and not self.is_stuck() and self.epoch():
                        pass
                except KeyboardInterrupt:
                    self.history.interrupted = True
                    set_random_states(self.model, self.random)  # of a step that did not come to its end
                    self.save()
                self.best.restore()
        finally:
            self.bar.close()
        self.history.best_epoch = self.best.epoch
        if self.feed.exhausted:
            self.history.exhausted = True
            warnings.warn(
                f"x: its batches ended with epoch {self.history.epochs} of {epochs}, in step {self.step}: an iterator "
                "gives them once. Give a function that makes one for each epoch, a list of batches or Batches; or with "
                "steps_per_epoch an iterator that does not end",
                stacklevel=3,  # of who called fit
            )
        return self.history

    def is_stuck(self):
        return self.patience is not None and self.best.bad >= self.patience

    def epoch(self):
        """What is left of an epoch. False: that was the last one."""
        number, start = self.history.epochs + 1, time.monotonic() - self.seconds
        try:
            for batch, window, place in self.windows():
                self.learn(number, batch, window, place)
                self.seconds = time.monotonic() - start
        except (TypeError, ValueError) as error:
            error.add_note(f"in step {self.step + 1} of fit, in epoch {number}")
            raise
        if not self.means.totals:
            if not self.step:
                raise ValueError("x: expected at least one batch, got none")
            return False
        row = {"epoch": number, "step": self.step, **self.means.values(), "lr": self.optimizer.lr}
        if self.validation is not None:
            chunk = None if self.truncate is None else self.truncate[0]
            try:
                found = measured(self.objective, self.metrics, self.validation, chunk)
            except (TypeError, ValueError) as error:
                error.add_note(f"in the validation of fit, after epoch {number}")
                raise
            row |= {f"val_{name}": value for name, value in found.items()}
        row["seconds"] = time.monotonic() - start
        with self.interrupts.held():
            self.history.add(row)
            watched = row.get("val_loss", row["loss"])
            self.best.see(watched, number)
            if isinstance(self.schedule, ReduceLROnPlateau):
                self.schedule.step(watched)
            self.means, self.seconds = Means(), 0.0
            self.mark(self.feed.state_dict())
        self.bar.epoch(row)
        stops = [callback(self.model, number, row) is True for callback in self.on_epoch]
        self.save()
        return not any(stops)

    def windows(self):
        """The batches that are left of this epoch, their windows, and the place behind each, as `mark` takes it."""
        start, first = self.place["start"], self.place["first"]
        before, batches = self.feed.state_dict(), self.feed.epoch()
        for batch in batches:
            after = self.feed.state_dict()
            for window in windows(self.objective, batch, self.truncate, start, first):
                yield batch, window, (after, 0, None) if window.last else (before, window.stop, window.first)
            before, start, first = after, 0, None

    def learn(self, epoch, batch, window, place):
        """One step: the gradients are there; measure them, show them around, and update."""
        step = self.step + 1
        try:
            norm = self.update.norm(step, window.loss)
        except FloatingPointError as error:
            if not batch.is_finite():
                error.add_note("x of this batch holds nan or inf")
            raise
        found = {"loss": window.loss}
        found |= scores(self.objective, self.metrics, window.y, window.target, window.lengths)
        also = dict(window.extras)  # columns of their own, so that the loss is that of the data alone
        if self.penalty is not None:
            also["penalty"] = self.penalty.add(step)
            norm = self.update.norm(step, window.loss)
        for callback in self.on_step:
            callback(self.model, step, window.loss, norm)
        if self.on_step:  # a callback may have added a penalty
            norm = self.update.norm(step, window.loss)
        with self.interrupts.held():
            self.update(step, window.loss, norm)
            if self.schedule is not None and not isinstance(self.schedule, ReduceLROnPlateau):
                self.schedule.step()
            self.step = step
            self.means.add(found | also | {"grad_norm": norm}, window.positions)
            self.mark(*place)
        self.bar.step(epoch, found, window.steps)
        if self.checkpoint is not None and self.checkpoint.due(step):
            self.save()

    # -- the place to go on from -----------------------------------------------------------------------------------

    def mark(self, feed, start=0, first=None):
        """From here a resumed training goes on: place of the feed, step in its next batch, and the state there."""
        self.place = {"feed": feed, "start": start, "first": first}
        self.random = random_states(self.model)

    def save(self):
        """Write a checkpoint, if there is to be one."""
        if self.checkpoint is not None:
            self.checkpoint.write(
                self.model, self.optimizer, self.schedule, step=self.step, seconds=self.seconds, place=self.place,
                history=dict(self.history), means=self.means.state_dict(), best=self.best.state_dict(),
            )  # fmt: skip

    def load(self):
        """Go on from the checkpoint; nothing is changed before all of it has been found to fit."""
        path = self.checkpoint.path
        found = read_tree(path).get("training", {})
        if "place" not in found:
            raise ValueError(f"{path}: expected a checkpoint that fit wrote, got one of save_checkpoint alone")
        self.feed.load_state_dict(found["place"]["feed"])
        load_checkpoint(path, self.model, self.optimizer, self.schedule)
        self.history.update(found["history"])
        self.means.load_state_dict(found["means"])
        self.best.load_state_dict(found["best"])
        self.step, self.seconds = found["step"], found["seconds"]
        self.mark(**found["place"])
