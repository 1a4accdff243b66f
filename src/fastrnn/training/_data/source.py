# SPDX-License-Identifier: BSD-3-Clause
"""Any source of batches, epoch by epoch, from a place that can be gone back to."""

from .batches import Batches
from .rows import as_batch

__all__ = ["Feed", "as_source"]


def as_source(x, y, *, batch_first, per_step=None, **options):
    """Arrays and lists of sequences as `Batches`, with these options; an iterable of batches as it is."""
    if y is None and is_list_of_batches(x):
        return x
    if y is None and callable(x) and not hasattr(x, "__iter__") and not _is_array(x):
        return Made(x)
    if isinstance(x, Batches) or (not isinstance(x, list | tuple) and not _is_array(x) and hasattr(x, "__iter__")):
        if y is not None:
            raise ValueError(f"y: expected none, since {type(x).__name__} gives batches of x and y")
        if isinstance(x, Batches) and x.has_time and x.batch_first != batch_first:
            raise ValueError(f"x: expected Batches with batch_first={batch_first}, as the model, got {x.batch_first}")
        if isinstance(x, Batches) and x.per_step and per_step is False:
            raise ValueError(
                "x: expected Batches with per_step=False, since the loss takes labels that have lengths of their own, "
                "got targets of each step"
            )
        return x
    return Batches(x, y, batch_first=batch_first, per_step=per_step, **options)


def is_list_of_batches(x):
    """Whether x is a list of tuples; sequences are arrays, or lists of steps."""
    return isinstance(x, list) and bool(x) and all(isinstance(item, tuple) for item in x)


def _is_array(x):
    return any(hasattr(x, name) for name in ("__array__", "__dlpack__"))


class Made:
    """What a function makes anew whenever it is iterated over: generators, which go through their batches once."""

    def __init__(self, make):
        self.make = make

    def __iter__(self):
        made = self.make()
        if not hasattr(made, "__iter__"):
            raise TypeError(f"x: expected a function that returns batches, got one that returns {type(made).__name__}")
        return iter(made)


class Feed:
    """Batches by epochs.

    An epoch ends when the source does, or after `steps_per_epoch` batches; then the next goes on where it ended, and a
    source that comes to its end begins again. An iterator cannot begin again: when it has ended, epochs are empty, and
    `exhausted` is True.

    Parameters
    ----------
    source : iterable of Batch, (x, y) or (x, y, lengths)
        With `state_dict` and `load_state_dict`, as `Batches` has them, it is brought back to a place by them; without,
        it is begun anew and its batches up to there are passed over, so it has to give the same again.
    steps_per_epoch : int, optional
    """

    def __init__(self, source, steps_per_epoch=None):
        self.source, self.steps_per_epoch = source, steps_per_epoch
        self.taken = 0  # batches of this epoch
        self.drawn = 0  # batches since the source was begun
        self.exhausted = False
        self._iterator = None

    @property
    def steps(self):
        """Time steps in an epoch, or None if nobody knows."""
        return getattr(self.source, "steps", None) if self.steps_per_epoch is None else None

    def epoch(self):
        """The batches of this epoch that have not been taken."""
        while self.steps_per_epoch is None or self.taken < self.steps_per_epoch:
            item = self._draw()
            if item is None and self.steps_per_epoch is not None:
                item = self._draw()  # from the beginning
            if item is None:  # begun anew, it gives nothing
                self.exhausted = self.steps_per_epoch is not None or not self.taken
                break
            self.taken += 1
            yield as_batch(item)
        self.taken = 0

    def _draw(self):
        if self._iterator is None:
            self._iterator, self.drawn = iter(self.source), 0
        item = next(self._iterator, None)
        if item is None:
            self._iterator, self.drawn = None, 0
        else:
            self.drawn += 1
        return item

    def state_dict(self):
        """Where it is."""
        state = {"taken": self.taken, "drawn": self.drawn}
        if hasattr(self.source, "state_dict"):
            state["source"] = self.source.state_dict()
        return state

    def load_state_dict(self, state):
        """Go to where a `state_dict` is from.

        Raises
        ------
        ValueError
            The source is another, or has fewer batches.
        """
        if ("source" in state) != hasattr(self.source, "state_dict"):
            raise ValueError(f"x: expected what the state is from, got {type(self.source).__name__}")
        self._iterator = None
        if "source" in state:
            self.source.load_state_dict(state["source"])
            self._iterator = iter(self.source)
        else:
            self._iterator = iter(self.source)
            for k in range(state["drawn"]):
                if next(self._iterator, None) is None:
                    raise ValueError(f"x: expected at least {state['drawn']} batches, as before, got {k}")
        self.taken, self.drawn = state["taken"], state["drawn"]
