# SPDX-License-Identifier: BSD-3-Clause
"""fit: a model, a loss and data; the rest of a training loop."""

import os

from ..._engine.arguments import as_flag, as_path, as_positive, as_size
from ...optim._adaptive import Adam
from .._data.source import Feed, as_source, is_list_of_batches
from .._state.checkpoints import Checkpoint
from .._state.history import Best
from .evaluation import as_metrics
from .loop import Training
from .objective import Objective
from .penalty import Penalty
from .truncated import as_windows, check_cuttable
from .update import Update

__all__ = ["fit"]


def fit(
    model, loss, x, y=None, *, optimizer=None, epochs=10, batch_size=32, steps_per_epoch=None, validation=None,
    metrics=(), schedule=None, clip=None, clip_value=None, penalty=None, patience=None, restore_best=True,
    callbacks=(), truncate=None, checkpoint=None, resume=False, shuffle=True, seed=None, progress=None,
):  # fmt: skip
    """Train a model.

    Parameters
    ----------
    model : Layer
        It is changed in place. A model of one's own does too: `fastrnn.training.objective.Objective` says what it
        needs.
    loss : callable
        ``loss(y, target)`` returns (value, dy), as the losses of this package do. With padded batches, `lengths` goes
        to a loss that has an argument of this name (and `batch_first`), or `input_lengths`, as `ctc_loss`; any other is
        given only the positions that count, y (M, ...) and target (M, ...).
    x, y : array_like, or lists of sequences
        Arrays of all rows, with the rows where the model has them, or lists of sequences of any lengths: see
        `Batches`. Or, as `x` alone, `Batches`, or an iterable of batches, (x, y) or (x, y, lengths), where x may be a
        tuple or a dict of arguments of ``model.forward``, as a `Seq2Seq` needs it; or a function that returns such an
        iterable, called for every epoch. A generator gives its batches once: when it ends before the epochs are over,
        so does the training, with a warning.
    optimizer : Optimizer, optional
        Of this model; `Adam` by default.
    epochs : int
    batch_size : int
        Rows in a batch.
    steps_per_epoch : int, optional
        Batches in an epoch, for data without an end; by default an epoch ends when the data do.
    validation : (x, y), iterable of batches or function that returns one, optional
        Evaluated after every epoch.
    metrics : sequence of callable, or dict of str to callable
        ``metric(y, target)`` returns a number: a column of the history, and ``"val_..."`` one of the validation.
    schedule : Schedule, optional
        Of this optimizer. It steps after every update; `ReduceLROnPlateau` after every epoch, by the validation loss,
        or without validation the loss.
    clip : float, optional
        Largest global norm of the gradients.
    clip_value : float, optional
        Largest magnitude of an element of the gradients. It acts before `clip`, so that both hold in the end, and one
        element that is far out does not make all others small.
    penalty : dict, optional
        Arguments of `add_penalty`, such as ``{"l2": 1e-4, "names": "*weight_ih*"}``: the gradient of that penalty is
        part of the gradients, and its value the column ``penalty`` of the history. The loss is that of the data alone,
        as that of the validation is.
    patience : int, optional
        Stop after so many epochs without a smaller validation loss, or without validation, loss.
    restore_best : bool
        Leave the model with the parameters of the epoch whose validation loss was smallest, not of the last.
        Without validation, they are the last.
    callbacks : sequence
        With a method ``on_step(model, step, loss, norm)``, called when gradients have been computed, before they are
        clipped and the parameters updated: it may add to them, as `add_penalty` does; with
        ``on_epoch(model, epoch, row)``, called with the new row of the history after every epoch, where True stops the
        training; or both. A function is an ``on_epoch``.
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
        Columns ``epoch`` (from 1), ``step`` (updates so far), ``loss``, the metrics, ``omega`` (where a layer has one:
        the value of that regulariser, which the layer has already weighted in the gradients), ``penalty``,
        ``grad_norm`` (before clipping, with all that is added), ``lr`` (at its end), ``val_loss``, ``val_...``,
        ``seconds``. Losses, metrics, what is added to them and norms are means over the epoch, weighted by positions,
        those of training with the parameters of their moment.

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

    Warns
    -----
    UserWarning
        An iterator of batches ended before the epochs were over.

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
    objective, epochs = Objective(model, loss), as_size("epochs", epochs)
    source = as_source(x, y, batch_size=batch_size, shuffle=shuffle, seed=seed, **objective.batching)
    feed = Feed(source, None if steps_per_epoch is None else as_size("steps_per_epoch", steps_per_epoch))
    if validation is not None:
        validation = as_validation(validation, batch_size=batch_size, **objective.batching)
        if hasattr(validation.source, "__next__") and epochs > 1:
            raise ValueError(
                f"validation: expected batches for each of {epochs} epochs, got a {type(validation.source).__name__}, "
                "which gives them once; give a function that makes one"
            )
    optimizer = Adam(model) if optimizer is None else optimizer
    _check_steps("optimizer", optimizer, "Adam(model)")
    if getattr(optimizer, "model", model) is not model:
        raise ValueError("optimizer: expected one of this model, got one of another")
    if schedule is not None:
        _check_steps("schedule", schedule, "StepLR(optimizer, 10)")
        if getattr(schedule, "optimizer", optimizer) is not optimizer:
            raise ValueError("schedule: expected one of this optimizer, got one of another")
    if truncate is not None:
        truncate = as_windows("truncate", truncate)
        check_cuttable(model)
    if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
        checkpoint = Checkpoint(as_path("checkpoint", checkpoint))
    if checkpoint is not None and not os.path.isdir(folder := os.path.dirname(os.path.realpath(checkpoint.path))):
        raise FileNotFoundError(f"checkpoint: expected a path in a folder that there is, got one in {folder}")
    if checkpoint is not None and os.path.isdir(checkpoint.path):
        raise IsADirectoryError(f"checkpoint: expected a path of a file, got the folder {checkpoint.path}")
    if as_flag("resume", resume) and checkpoint is None:
        raise ValueError("resume: expected a checkpoint to go on from, got none")
    restore_best = as_flag("restore_best", restore_best) and validation is not None
    clip = None if clip is None else as_positive("clip", clip)
    clip_value = None if clip_value is None else as_positive("clip_value", clip_value)
    training = Training(
        objective, feed, Update(model, optimizer, clip, clip_value), schedule, validation=validation,
        penalty=None if penalty is None else Penalty(model, penalty), metrics=as_metrics(metrics),
        best=Best(model, restore_best), patience=None if patience is None else as_size("patience", patience),
        callbacks=as_callbacks(callbacks), truncate=truncate, checkpoint=checkpoint,
    )  # fmt: skip
    if resume and os.path.exists(checkpoint.path):
        training.load()
    return training.run(epochs, progress)


def as_validation(validation, **options):
    """`validation`, (x, y) or an iterable of batches, as a `Feed`."""
    pair = isinstance(validation, tuple | list) and len(validation) == 2 and not is_list_of_batches(validation)
    x, y = validation if pair else (validation, None)
    try:
        return Feed(as_source(x, y, shuffle=False, **options))
    except (TypeError, ValueError) as error:
        error.add_note("in validation, which is (x, y) or an iterable of batches")
        raise


def _check_steps(name, value, example):
    """Raise unless it is an object that steps."""
    if isinstance(value, type) or not hasattr(value, "step"):
        got = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
        raise TypeError(f"{name}: expected an object as {example} makes it, got {got}")


def as_callbacks(callbacks):
    """The functions to call at every step, and those at every epoch."""
    if not isinstance(callbacks, list | tuple):
        raise TypeError(f"callbacks: expected a list, got {type(callbacks).__name__}")
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
