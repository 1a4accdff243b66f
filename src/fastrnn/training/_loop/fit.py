# SPDX-License-Identifier: BSD-3-Clause
"""`fit`, the training loop for a model, a loss and data."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from numpy.typing import ArrayLike

from ..._engine.arguments import SeedLike, as_flag, as_nonnegative, as_size
from ...distributed import Communicator
from ...io._container import PathType
from ...optim import Adam, Optimizer, Schedule
from .._data.frames import fitted_on
from .._data.source import EpochReader, as_source
from .._hooks.best import BestEpoch
from .._hooks.callbacks import Callback, Callbacks
from .._hooks.checkpoints import CheckpointWriter
from .._hooks.clip import Clip
from .._hooks.hook import Hook
from .._hooks.penalty import Penalty
from .._hooks.progress import progress_hook
from .._hooks.schedules import ScheduleStepper
from .._shards.sharded import stepper_of
from .._state.checkpoints import Checkpoint
from .._state.history import History
from .last_layer import objective_of
from .loop import Training
from .metrics import Metric, as_metrics
from .objective import Loss
from .options import (
    as_checkpoint,
    as_monitor,
    as_validation,
    check_part,
    check_takes_weights,
    name_of,
    own_seed,
    split,
    time_steps,
    weigh_classes,
)
from .resume import resume_from, written
from .truncated import as_windows
from .update import Update


def fit(
    model: Any, loss: Loss, x: Any, y: Any = None, *, lengths: ArrayLike | None = None,
    optimizer: Optimizer | None = None, epochs: int = 10, batch_size: int = 32,
    steps_per_epoch: int | None = None, validation: Any = None,
    metrics: Sequence[Metric] | Mapping[str, Metric] = (), schedule: Schedule | None = None, clip: float | None = None,
    clip_value: float | None = None, penalty: Mapping[str, Any] | None = None, patience: int | None = None,
    restore_best: bool = True, monitor: str | None = None, mode: Literal["min", "max"] = "min",
    min_delta: float = 0.0, callbacks: Sequence[Callback] = (), truncate: int | tuple[int, int] | None = None,
    checkpoint: PathType | Checkpoint | None = None, resume: bool = False, shuffle: bool = True, seed: SeedLike = None,
    progress: bool | Literal["lines"] | None = None, sample_weight: Any = None, class_weight: Any = None,
    shards: int | None = None, communicator: Communicator | None = None,
) -> History:  # fmt: skip
    """Train a model.

    Parameters
    ----------
    model : Layer
        The model, which is trained in place. Any object with ``params``, ``grads``, ``zero_grad``, ``forward``,
        ``backward`` and ``__call__`` works: ``forward`` returns (y, tape) or (y, state, tape), a call y or (y, ...),
        and ``backward(tape, dy)`` adds to ``grads``.
    loss : callable
        ``loss(y, target)`` returns (value, dy), as the losses of this package do: the mean over the positions, or a
        `fastrnn.losses.Mean` over anything else, and its gradient. With padded batches, a loss that has an argument
        `lengths` (and `batch_first`), or `input_lengths`, as `ctc_loss`, receives the lengths of the rows; any other
        receives only the positions within them, y (M, ...) and target (M, ...).
    x, y : array_like, or lists of sequences
        Arrays of all rows, laid out as the model takes a batch, or lists of sequences of any lengths; numbers are
        converted to the model's dtype. A sequence may be a DataFrame with a column for each feature. y has a target for
        each step if the output of the model has time, and one for each row, (N, ...), if it has none (or if the loss
        takes labels with lengths of their own, as `ctc_loss`). A single sequence (T, I), or (T,) of tokens, is a batch
        of one. A model of several inputs, such as `Seq2Seq`, takes a dict of them by the names of its arguments: arrays
        as above, or lists of sequences, which are padded, with their ``..._lengths`` if the model takes those. Or, as
        `x` alone, `Batches`, or an iterable of batches, (x, y) or (x, y, lengths), where x may be a tuple or a dict of
        arguments of ``model.forward``; or a function that returns such an iterable, called for every epoch. A generator
        gives its batches once: if it ends before the epochs are over, the training ends too, with a warning.
    lengths : array_like of int, shape (N,), optional
        How many steps of each row of an array x count. A list of sequences has lengths of its own.
    optimizer : Optimizer, optional
        An optimizer of this model, by default ``Adam(model)``.
    epochs : int, default 10
        The number of epochs; with `resume`, including those of the checkpoint.
    batch_size : int, default 32
        Rows in a batch.
    steps_per_epoch : int, optional
        Batches in an epoch, for an infinite data source. By default an epoch ends when the data source does.
    validation : float, (x, y), (x, y, lengths), iterable of batches or function that returns one, optional
        Data to evaluate after every epoch. A fraction in (0, 1) holds out the last rows of arrays or lists.
    metrics : sequence of callable or str, or dict of them by name, default ()
        ``metric(y, target)`` returns a number, a column of the history, for validation data with the prefix ``"val_"``.
        Built-in names are ``"accuracy"``, ``"mae"``, ``"mse"`` and ``"rmse"``. `evaluate` describes averages over an
        epoch; in training, plain numbers are averaged over batches, weighted by positions.
    schedule : Schedule, optional
        A schedule of this optimizer. It steps after every update, or with ``per="epoch"`` after every epoch;
        `ReduceLROnPlateau` steps after every epoch, by the column that `monitor` names.
    clip : float, optional
        Largest global norm of the gradients.
    clip_value : float, optional
        Largest magnitude of an element of the gradients. It acts before `clip`, so that both hold in the end, and one
        large element does not make all others small.
    penalty : dict, optional
        Arguments of `add_penalty`, such as ``{"l2": 1e-4, "names": "*weight_ih*"}``. Its gradient is added to that of
        the loss, its value is the column ``penalty`` of the history, in which losses are those of the data alone.
    patience : int, optional
        Stop after this many epochs without improvement.
    restore_best : bool, default True
        Leave the model with the parameters of the best epoch, not of the last one. Without validation, the parameters
        are always those of the last epoch.
    monitor : str, optional
        The column of the history by which epochs are compared, for `patience`, `restore_best` and `ReduceLROnPlateau`:
        a loss, a metric, or what layers report. By default ``"val_loss"``, or without validation ``"loss"``.
    mode : {"min", "max"}, default "min"
        Whether a smaller or a larger value is better. `ReduceLROnPlateau` must have the same mode.
    min_delta : float, default 0.0
        The smallest change that counts as an improvement. nan is never an improvement.
    callbacks : sequence, default ()
        Objects with a method ``on_step(model, step, loss, norm)``, called when gradients have been computed, before
        they are clipped and the parameters updated: it may add to them, as `add_penalty` does; with a method
        ``on_epoch(model, epoch, row)``, called with the new row of the history after every epoch, where True stops the
        training; or with both. A function is called as an ``on_epoch``.
    truncate : int or (int, int), optional
        k1 or (k1, k2): update every k1 steps, back-propagating through the last k2, with the state carried to the end
        of each batch: see `truncated_bptt`. Validation then runs in pieces of k1 steps.
    checkpoint : path or Checkpoint, optional
        A file that is replaced after every epoch, as often as a `Checkpoint` requests, and on Ctrl-C.
    resume : bool, default False
        Resume from `checkpoint`, if that file exists, with results bit-identical to those of an uninterrupted run. Use
        the same data, loss and options. A warning lists options that differ, and says which value is used: that of the
        checkpoint (options of the optimizer, `seed`) or the argument (all others). `epochs`, `patience` and `callbacks`
        may change.
    shuffle : bool, default True
        Whether to shuffle the rows in every epoch.
    seed : int, Generator or None, default None
        Seed of the order of the rows.
    progress : bool, "lines" or None, default None
        None and True show a bar if tqdm is installed, and otherwise a line for each epoch; ``"lines"`` always shows
        lines, as suits a log; False shows nothing. All of it goes to stderr.
    sample_weight : array_like, or list of array_like, optional
        Weights of the targets of arrays and lists, finite and >= 0, for a loss with an argument `sample_weight`: one
        for each row, (N,), or laid out as y, one for each of its positions or elements; of a list of sequences a list
        likewise. A target of weight 0 does not count and is not read, so that a missing one may be nan. `loss` is then
        the weighted mean. A fraction as `validation` is weighted, too; other validation data and metrics are not.
    class_weight : "balanced", dict or Series of pandas by class, or array_like, shape (V,), optional
        Weights of targets by their class, on top of `sample_weight`, for `cross_entropy` with classes as targets and
        `binary_cross_entropy_with_logits` with answers 0 and 1. ``"balanced"`` is n / (classes * count) for the n
        targets that count in the training, as in scikit-learn; a class that is not named has weight 1. No
        validation is weighted so: ``val_loss`` is that of the data as they are.
    shards : int, optional
        Split every batch by row number into this many shards, each with its own forward and backward pass, and add
        their gradients in a fixed order. The parameters are then bit-identical on any number of processes that divides
        `shards`. A metric that returns a plain number is averaged over the shards.
    communicator : Communicator, optional
        The processes that share the shards: `fastrnn.distributed.MPI()`, or the argument that `fastrnn.distributed.run`
        passes. Each process calls `fit` with the same arguments and reads the rows of its shards.

    Returns
    -------
    history : History
        Columns ``epoch`` (from 1), ``step`` (updates so far), ``loss``, the metrics, values that layers report, such as
        the regularizer ``omega`` of an `RNN`, ``penalty``, ``grad_norm`` (before clipping, including penalties), ``lr``
        (at the end of the epoch), ``val_loss``, ``val_...`` and ``seconds``. Losses are exact means over the epoch.
        Reported values, norms, and metrics and losses that return a plain number are means over batches, weighted by
        positions. Training values are computed with the parameters at each step.

    Raises
    ------
    TypeError, ValueError
        An argument is wrong, or a batch does not fit the model or the loss; a note says in which step. Or the
        checkpoint is of other data, of metrics, validation and penalty with other columns, or of another `monitor`.
    FloatingPointError
        The loss, a gradient or a parameter is no longer finite. The message names the step, the loss, the norm of the
        gradients and what is not finite; the parameters are those of the last good step. Or the validation loss is not
        finite; the parameters are those of the end of the epoch. A note says if x or y of a batch holds nan or inf. A
        metric may be nan.
    OSError
        A checkpoint cannot be written or read, or ConnectionError: another process has ended. The previous checkpoint
        and the model are intact.

    Warns
    -----
    UserWarning
        An iterator of batches ended before the epochs were over, or a resumed training has other options.

    Notes
    -----
    Ctrl-C stops the training between two updates: `fit` returns the history so far, with `interrupted` set, the model
    is that of the last update (or the best one, if `restore_best`), and the checkpoint, if any, is written. A second
    Ctrl-C raises KeyboardInterrupt at once.

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
    stepper = stepper_of(shards, communicator)
    with stepper.together():
        objective, epochs = objective_of(fitted_on(model, x, y), loss, metrics, truncate), as_size("epochs", epochs)
        check_takes_weights(objective, sample_weight=sample_weight, class_weight=class_weight)
        source = as_source(
            x, y, objective.reading, lengths=lengths, sample_weight=sample_weight,
            batch_size=batch_size, shuffle=shuffle, seed=seed,
        )  # fmt: skip
        source, validation = split(source, validation)
        weigh_classes(source, x, class_weight, objective)
        data = EpochReader(source, None if steps_per_epoch is None else as_size("steps_per_epoch", steps_per_epoch))
        validated = None if validation is None else as_validation(validation, epochs, objective.reading, batch_size)
        optimizer = Adam(model) if optimizer is None else optimizer
        check_part("optimizer", optimizer, "model", model, "Adam(model)")
        if schedule is not None:
            check_part("schedule", schedule, "optimizer", optimizer, "StepLR(optimizer, 10)")
        windows = None if truncate is None else as_windows("truncate", truncate, model)
        checkpoint = as_checkpoint(checkpoint, resume, stepper.writes)
        restore = as_flag("restore_best", restore_best) and validation is not None
        hooks: list[Hook] = [] if penalty is None else [Penalty(model, penalty)]  # they act in this order
        hooks += [progress_hook(progress if stepper.writes else False), Callbacks(callbacks), Clip(clip, clip_value)]
        monitor = as_monitor(monitor, mode, validation is not None, schedule)
        patience = None if patience is None else as_size("patience", patience)
        hooks.append(BestEpoch(restore, patience, mode, as_nonnegative("min_delta", min_delta)))
        hooks += [] if schedule is None else [ScheduleStepper(schedule)]
        hooks += [] if checkpoint is None else [CheckpointWriter(checkpoint, schedule)]
        options = {
            "loss": name_of(loss), "steps_per_epoch": data.steps_per_epoch, "shards": shards, "min_delta": min_delta,
            "time steps of x": time_steps(data), "time steps of validation": time_steps(validated),
            "clip": clip, "clip_value": clip_value, "penalty": None if penalty is None else dict(penalty),
            "truncate": None if windows is None else list(windows), "restore_best": restore, "mode": mode,
            "class_weight": None if class_weight is None else str(class_weight), "seed": own_seed(source, x, seed),
        }  # fmt: skip
        training = Training(
            objective, data, Update(model, optimizer), hooks, metrics=as_metrics(metrics), validation=validated,
            truncate=windows, monitor=monitor, options=options, schedule=schedule, stepper=stepper,
        )  # fmt: skip
    stepper.same({"epochs": epochs, "patience": patience, "resume": resume})
    saved = stepper.first(lambda: written(checkpoint)) if resume else None
    if saved is not None:
        resume_from(training, saved, schedule)
    stepper.begin(training, saved is not None)
    return training.run(epochs)
