# SPDX-License-Identifier: BSD-3-Clause
"""fit: a model, a loss and data; the rest of a training loop."""

import os
import time

from .adaptive import Adam
from .checkpoints import Checkpoint, load_checkpoint, random_states, read_tree, set_random_states
from .evaluation import Means, as_metrics, measured, scores
from .feed import Feed, as_source
from .functional import as_flag, as_positive, as_size
from .history import Best, History
from .interrupts import Interrupts
from .objective import Objective
from .progress import Bar
from .schedules import ReduceLROnPlateau
from .truncated import as_windows, check_cuttable, windows
from .update import Update

__all__ = ["fit"]


def fit(
    model, loss, x, y=None, *, optimizer=None, epochs=10, batch_size=32, steps_per_epoch=None, validation=None,
    metrics=(), schedule=None, clip=None, patience=None, restore_best=True, callbacks=(), truncate=None,
    checkpoint=None, resume=False, shuffle=True, seed=None, progress=None,
):  # fmt: skip
    """Train a model.

    Parameters
    ----------
    model : Layer
        It is changed in place. A model of one's own does too: see `fastrnn.objective.Objective` for what it needs.
    loss : callable
        ``loss(y, target)`` returns (value, dy), as the losses of this package do. With padded batches, `lengths` goes
        to a loss that has an argument of this name (and `batch_first`); any other is given only the positions that
        count, y (M, ...) and target (M, ...).
    x, y : array_like, or lists of sequences
        Arrays of all rows, with the rows where the model has them, or lists of sequences of any lengths: see
        `Batches`. Or, as `x` alone, `Batches`, or an iterable of batches, (x, y) or (x, y, lengths), where x may be a
        tuple or a dict of arguments of ``model.forward``.
    optimizer : Optimizer, optional
        Of this model; `Adam` by default.
    epochs : int
    batch_size : int
        Rows in a batch.
    steps_per_epoch : int, optional
        Batches in an epoch, for data without an end; by default an epoch ends when the data do.
    validation : (x, y) or iterable of batches, optional
        Evaluated after every epoch.
    metrics : sequence of callable, or dict of str to callable
        ``metric(y, target)`` returns a number: a column of the history, and ``"val_..."`` one of the validation.
    schedule : Schedule, optional
        Of this optimizer. It steps after every update; `ReduceLROnPlateau` after every epoch, by the validation loss,
        or without validation the loss.
    clip : float, optional
        Largest global norm of the gradients.
    patience : int, optional
        Stop after so many epochs without a smaller validation loss, or without validation, loss.
    restore_best : bool
        Leave the model with the parameters of the epoch whose validation loss was smallest, not of the last.
        Without validation, they are the last.
    callbacks : sequence
        With a method ``on_step(model, step, loss, norm)``, called when gradients have been computed, and before they
        are clipped and the parameters updated; ``on_epoch(model, epoch, row)``, called with the new row of the history
        after every epoch, where True stops the training; or both. A function is an ``on_epoch``.
    truncate : int or (int, int), optional
        k1 or (k1, k2): update every k1 steps, back-propagating through the last k2, the state carried on to the end of
        each batch: see `truncated_bptt`. Validation runs in pieces of k1 steps then.
    checkpoint : path or Checkpoint, optional
        A file that is replaced after every epoch, or as `Checkpoint` says, and on Ctrl-C.
    resume : bool
        Go on from `checkpoint`, if that file exists, to the same bits as if there had been no break. What is not in
        the file (data, loss, options) has to be the same.
    shuffle : bool
    seed : int or None
        Of the order of the rows.
    progress : bool or None
        Whether to show a bar, with tqdm; None: if it is installed.

    Returns
    -------
    history : History
        Columns ``epoch`` (from 1), ``step`` (updates so far), ``loss``, the metrics, ``grad_norm`` (before clipping),
        ``lr``, ``val_loss``, ``val_...``, ``seconds``. Losses, metrics and norms are means over the epoch, weighted by
        positions, those of training with the parameters of their moment.

    Raises
    ------
    TypeError, ValueError
        An argument is wrong, or a batch does not fit the model or the loss; in which step is added as a note.
    FloatingPointError
        The loss, a gradient or a parameter is no longer finite. The message names the step, the loss, the norm of the
        gradients and what is not finite; the parameters are those of the last good step.
    OSError
        A checkpoint cannot be written or read. The one before is whole, and so is the model.
    ImportError
        `progress` is True and tqdm is not installed.

    Notes
    -----
    Ctrl-C stops between two updates: the history so far comes back, with `interrupted` set, the model is that of the
    last update (or the best, if `restore_best`), and a checkpoint is written, if any. A second one goes through.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> rng = np.random.default_rng(0)
    >>> sequences = [rng.normal(size=(length, 1)).astype(np.float32) for length in rng.integers(2, 9, 200)]
    >>> means = np.array([row.mean(axis=0) for row in sequences])
    >>> model = fr.Sequential(fr.GRU(1, 16, seed=0), fr.LastStep(), fr.Linear(16, 1, seed=1))
    >>> history = fr.fit(model, fr.mse_loss, sequences, means, epochs=30, seed=2, progress=False)
    >>> history["loss"][-1] < 0.2 * history["loss"][0]
    True
    """
    objective = Objective(model, loss)
    source = as_source(x, y, batch_size=batch_size, batch_first=objective.batch_first, shuffle=shuffle, seed=seed)
    feed = Feed(source, None if steps_per_epoch is None else as_size("steps_per_epoch", steps_per_epoch))
    if validation is not None:
        x, y = validation if isinstance(validation, tuple | list) and len(validation) == 2 else (validation, None)
        validation = Feed(as_source(x, y, batch_size=batch_size, batch_first=objective.batch_first, shuffle=False))
    optimizer = Adam(model) if optimizer is None else optimizer
    if getattr(optimizer, "model", model) is not model:
        raise ValueError("optimizer: expected one of this model, got one of another")
    if schedule is not None and getattr(schedule, "optimizer", optimizer) is not optimizer:
        raise ValueError("schedule: expected one of this optimizer, got one of another")
    if truncate is not None:
        truncate = as_windows("truncate", truncate)
        check_cuttable(model)
    if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
        checkpoint = Checkpoint(checkpoint)
    if checkpoint is not None and not os.path.isdir(folder := os.path.dirname(os.path.realpath(checkpoint.path))):
        raise FileNotFoundError(f"checkpoint: expected a path in a folder that there is, got one in {folder}")
    if as_flag("resume", resume) and checkpoint is None:
        raise ValueError("resume: expected a checkpoint to go on from, got none")
    restore_best = as_flag("restore_best", restore_best) and validation is not None
    training = Training(
        objective, feed, Update(model, optimizer, None if clip is None else as_positive("clip", clip)), schedule,
        validation=validation, metrics=as_metrics(metrics), best=Best(model, restore_best),
        patience=None if patience is None else as_size("patience", patience), callbacks=as_callbacks(callbacks),
        truncate=truncate, checkpoint=checkpoint,
    )  # fmt: skip
    if resume and os.path.exists(checkpoint.path):
        training.load()
    return training.run(as_size("epochs", epochs), progress)


class Training:
    """A training at some moment: all of it that a checkpoint holds, and how it goes on."""

    def __init__(
        self, objective, feed, update, schedule, *, validation, metrics, best, patience, callbacks, truncate, checkpoint
    ):
        self.objective, self.feed, self.update, self.schedule = objective, feed, update, schedule
        self.validation, self.metrics, self.best, self.patience = validation, metrics, best, patience
        self.on_step, self.on_epoch = callbacks
        self.truncate, self.checkpoint = truncate, checkpoint
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
        return self.history

    def is_stuck(self):
        return self.patience is not None and self.best.bad >= self.patience

    def epoch(self):
        """What is left of an epoch. False: that was the last one."""
        number, start = self.history.epochs + 1, time.monotonic() - self.seconds
        try:
            for window, place in self.windows():
                self.learn(number, window, place)
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
            found = measured(self.objective, self.metrics, self.validation, chunk)
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
        """What is left of this epoch, and the place behind each window: of the feed, in the batch, and the state."""
        start, first = self.place["start"], self.place["first"]
        before, batches = self.feed.state_dict(), self.feed.epoch()
        for batch in batches:
            after = self.feed.state_dict()
            for window in windows(self.objective, batch, self.truncate, start, first):
                yield window, (after, 0, None) if window.last else (before, window.stop, window.first)
            before, start, first = after, 0, None

    def learn(self, epoch, window, place):
        """One step: the gradients are there; measure them, show them around, and update."""
        step = self.step + 1
        norm = self.update.norm(step, window.loss)
        found = {"loss": window.loss, "grad_norm": norm}
        found |= scores(self.objective, self.metrics, window.y, window.target, window.lengths)
        for callback in self.on_step:
            callback(self.model, step, window.loss, norm)
        with self.interrupts.held():
            self.update(step, window.loss, norm)
            if self.schedule is not None and not isinstance(self.schedule, ReduceLROnPlateau):
                self.schedule.step()
            self.step = step
            self.means.add(found, window.positions)
            self.mark(*place)
        self.bar.step(epoch, window.loss, window.steps)
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


def as_callbacks(callbacks):
    """The functions to call at every step, and those at every epoch."""
    on_step, on_epoch = [], []
    for callback in callbacks:
        methods = [getattr(callback, name, None) for name in ("on_step", "on_epoch")]
        if methods == [None, None]:
            if not callable(callback):
                got = type(callback).__name__
                raise TypeError(f"callbacks: expected functions, or objects with on_step or on_epoch, got {got}")
            methods = [None, callback]
        for found, method in zip((on_step, on_epoch), methods, strict=True):
            if method is not None:
                found.append(method)
    return on_step, on_epoch
