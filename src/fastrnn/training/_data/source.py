# SPDX-License-Identifier: BSD-3-Clause
"""Any data source as epochs of batches, which can be resumed at any batch."""

from collections.abc import Callable, Iterator
from typing import Any

from ..._engine.arguments import SeedLike
from .batch import Batch, as_batch
from .batches import Batches
from .draw import Draw
from .frames import check_same_steps
from .inputs import rows_of
from .reading import Reading
from .weights import AnyRows, with_sample_weight


def as_source(
    x: Any, y: Any, reading: Reading, *, lengths: Any = None, sample_weight: Any = None, batch_size: int = 32,
    shuffle: bool = True, seed: SeedLike = None,
) -> Any:  # fmt: skip
    """Arrays and lists of sequences as `Batches`, as a model reads them; an iterable of batches as it is."""
    is_data = isinstance(x, list | tuple | dict) or hasattr(x, "__array__") or hasattr(x, "__dlpack__")
    is_data = is_data and not (y is None and is_list_of_batches(x))
    is_iterable = not is_data and hasattr(x, "__iter__")
    if y is None and lengths is None and sample_weight is None and callable(x) and not is_data and not is_iterable:
        return ReIterable(x)
    if not is_iterable:
        if y is None and not is_data and hasattr(x, "__getitem__"):
            raise TypeError(
                f"x: expected arrays, lists or an iterable of batches, got {type(x).__name__}, which has __getitem__ "
                "alone; give a function that yields batches of its items"
            )
        if y is None:
            raise TypeError("y: expected targets, got None")
        rows: AnyRows = rows_of(x, y, lengths, reading)
        if sample_weight is not None:
            check_same_steps("y", y, "sample_weight", sample_weight)
            rows = with_sample_weight(rows, sample_weight)
        return Batches._of(rows, reading.batch_first, batch_size, shuffle, seed)
    for name, value in ("y", y), ("lengths", lengths), ("sample_weight", sample_weight):
        if value is not None:
            raise ValueError(f"{name}: expected none, since {type(x).__name__} gives batches of x, y and lengths")
    if isinstance(x, Batches) and x.has_time and x.batch_first != reading.batch_first:
        expected = reading.batch_first
        raise ValueError(f"x: expected Batches with batch_first={expected}, as the model, got {x.batch_first}")
    if isinstance(x, Batches) and x.per_step and reading.targets == "rows" and reading.has_time is not False:
        raise ValueError(
            "x: expected Batches with per_step=False, since the model or the loss has one target for each row, got "
            "targets of each step"
        )
    return x


def is_list_of_batches(x: Any) -> bool:
    """Whether x is a list of tuples; sequences are arrays, or lists of steps."""
    return isinstance(x, list) and bool(x) and all(isinstance(item, tuple) for item in x)


class ReIterable:
    """An iterable that calls a function for each iteration: a generator can be iterated over only once."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    def __iter__(self) -> Iterator[Any]:
        batches = self.make()
        if not hasattr(batches, "__iter__"):
            got = type(batches).__name__
            raise TypeError(f"x: expected a function that returns batches, got one that returns {got}")
        return iter(batches)


class EpochReader:
    """Reads a data source epoch by epoch.

    An epoch ends when the source does, or after `steps_per_epoch` batches; then the next epoch continues where it
    ended, and a source that comes to its end starts again. An iterator cannot start again: when it has ended, epochs
    are empty, and `exhausted` is True.

    Parameters
    ----------
    source : iterable of Batch, (x, y) or (x, y, lengths)
        If it has `state_dict` and `load_state_dict`, as `Batches` does, they bring it back to a position. If not, it is
        restarted and its batches up to the position are skipped, so it has to yield the same ones again.
    steps_per_epoch : int, optional
    """

    def __init__(self, source: Any, steps_per_epoch: int | None = None) -> None:
        self.source, self.steps_per_epoch = source, steps_per_epoch
        self.taken = 0  # batches of this epoch
        self.drawn = 0  # batches since the source was started
        self.exhausted = False
        self._iterator: Any = None

    @property
    def steps(self) -> int | None:
        """Time steps in an epoch, or None if they are not known."""
        return getattr(self.source, "steps", None) if self.steps_per_epoch is None else None

    def epoch(self) -> Iterator[Batch]:
        """The batches of this epoch that have not been taken."""
        return (draw.batch() if isinstance(draw, Draw) else draw for draw in self.draws())

    def draws(self) -> Iterator[Batch | Draw]:
        """The batches of this epoch; those of `Batches` as row numbers, before rows are read."""
        while self.steps_per_epoch is None or self.taken < self.steps_per_epoch:
            item = self._draw()
            if item is None and self.steps_per_epoch is not None:
                item = self._draw()  # from the beginning
            if item is None:  # restarted, it has no batches
                self.exhausted = self.steps_per_epoch is not None or not self.taken
                break
            self.taken += 1
            yield item if isinstance(item, Draw) else as_batch(item)
        self.taken = 0

    def _start(self) -> Iterator[Any]:
        own = isinstance(self.source, Batches) and type(self.source).__iter__ is Batches.__iter__
        return self.source._draws() if own else iter(self.source)

    def _draw(self) -> Any:
        if self._iterator is None:
            self._iterator = self._start()
        item = next(self._iterator, None)
        if item is None:
            self._iterator, self.drawn = None, 0
        else:
            self.drawn += 1
        return item

    def state_dict(self) -> dict[str, Any]:
        """The position."""
        state: dict[str, Any] = {"taken": self.taken, "drawn": self.drawn}
        if hasattr(self.source, "state_dict"):
            state["source"] = self.source.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to the position of a `state_dict`.

        Raises
        ------
        ValueError
            The source is another, or has fewer batches.
        """
        if ("source" in state) != hasattr(self.source, "state_dict"):
            raise ValueError(f"x: expected the data source of the state, got {type(self.source).__name__}")
        if "source" in state:
            self.source.load_state_dict(state["source"])
        self._iterator = self._start()
        for k in range(0 if "source" in state else state["drawn"]):
            if next(self._iterator, None) is None:
                raise ValueError(f"x: expected at least {state['drawn']} batches, as before, got {k}")
        self.taken, self.drawn = state["taken"], state["drawn"]
