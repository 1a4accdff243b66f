# SPDX-License-Identifier: BSD-3-Clause
"""Agreement between ranks: errors, identical settings, and the initial state."""

import builtins
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from reprlib import repr as short
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ..._engine.arguments import as_size
from ..._engine.threads import engine
from ...distributed import Communicator, Local
from ...nn._options import kind_of
from ...nn._parameters import distinct
from ...optim import Optimizer
from ...optim._groups import numbers_of
from .._hooks.callbacks import Callbacks
from .._state.differences import options_of_schedule
from .._state.parameters import architecture_of


class Report(NamedTuple):
    """A message of a rank to the others.

    Attributes
    ----------
    at : tuple
        Where it is in the training: the same on all ranks, if they are the same trainings.
    value : object
    failure : (str, str) or None
        The type and the text of the error that ends it.
    pressed : bool
        Whether it has got a Ctrl-C.
    """

    at: tuple[Any, ...]
    value: Any
    failure: tuple[str, str] | None
    pressed: bool


class Team:
    """The ranks of a training in shards.

    Attributes
    ----------
    raised : BaseException or None
        The last error that all ranks have raised.
    """

    def __init__(self, communicator: Communicator, pressed: Callable[[], bool]) -> None:
        self.communicator, self._pressed = communicator, pressed
        self._stopped = False  # a Ctrl-C has been heeded
        self.raised: BaseException | None = None

    def agree(self, at: tuple[Any, ...], value: Any = None, error: Exception | None = None) -> list[Any]:
        """The values of all ranks, if all are at the same place, and well.

        Raises
        ------
        Exception
            `error`, or that of another rank, or one that says that they are not at the same place.
        KeyboardInterrupt
            A rank has got a Ctrl-C.
        """
        failure = None if error is None else (type(error).__name__, str(error))
        reports = self.communicator.gather(Report(at, value, failure, self._pressed() and not self._stopped))
        if error is not None or (error := _problem(reports)) is not None:
            self.stop(error)
        if any(report.pressed for report in reports):
            self._stopped = True
            self.stop(KeyboardInterrupt())
        return [report.value for report in reports]

    def stop(self, error: BaseException) -> NoReturn:
        """Raise an error that all ranks raise."""
        self.raised = error
        raise error

    @contextmanager
    def together(self) -> Iterator[None]:
        """A context in which an error is one of every rank."""
        try:
            yield
        except Exception as error:
            if error is not self.raised:
                self.agree(("arguments",), error=error)
            raise
        self.agree(("arguments",))

    def first(self, read: Callable[[], Any]) -> Any:
        """The result of a function on rank 0; an error there is raised on every rank."""
        value, failure = None, None
        if self.communicator.rank == 0:
            try:
                value = read()
            except Exception as error:
                failure = error
        return self.agree(("read",), value, failure)[0]

    def same(self, what: str, values: Mapping[str, Any]) -> None:
        """Raise ValueError on every rank unless all have the same values."""
        everyone = self.agree((what,), dict(values))
        for rank, others in enumerate(everyone):
            for name in {**everyone[0], **others}:
                a, b = everyone[0].get(name), others.get(name)
                if a != b:
                    where = f"as on rank 0, got {short(b)} on rank {rank}"
                    self.stop(ValueError(f"{name}: expected {short(a)}, {where}"))


def as_communicator(communicator: Any) -> Communicator:
    """`communicator`, by default that of this process alone."""
    if communicator is not None and not isinstance(communicator, Communicator):
        raise TypeError(
            f"communicator: expected one of fastrnn.distributed, as MPI() or that of run, got {kind_of(communicator)}"
        )
    return Local() if communicator is None else communicator


def as_shards(shards: Any, size: int) -> int:
    """`shards`, checked for this number of processes."""
    if shards is None:
        raise ValueError(f"shards: expected a number such as {size * max(1, 8 // size)}, with a communicator, got None")
    count = as_size("shards", shards)
    if count % size:
        raise ValueError(f"shards: expected a multiple of {size}, the number of processes, got {count}")
    return count


def settings_of(run: Any, shards: int) -> dict[str, Any]:
    """The settings that must be the same on all ranks, by their names in errors."""
    from ... import __version__

    optimizer, schedule = run.optimizer, run.schedule
    numbers = numbers_of(optimizer) if isinstance(optimizer, Optimizer) else {}
    source = run.data.state_dict().get("source", {})
    return {
        "version of fastrnn": __version__, "version of NumPy": np.__version__, "engine (FASTRNN_ISA)": engine(),
        "shards": shards, **_flat("model", architecture_of(run.model)),
        **{name: source[name] for name in ("shuffle",) if name in source}, **run.all_options(),
        "optimizer": type(optimizer).__name__, **{f"optimizer.{name}": value for name, value in numbers.items()},
        "schedule": type(schedule).__name__,
        **{f"schedule.{name}": value for name, value in options_of_schedule(schedule).items()},
        **{f"x.{name}": source[name] for name in ("rows", "batch_size") if name in source},
        "callbacks": [kind for hook in run.hooks if isinstance(hook, Callbacks) for kind in hook.kinds],
    }  # fmt: skip


def _flat(name: str, value: Any) -> dict[str, Any]:
    """The content of nested dicts and lists of dicts, by dotted names."""
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return {name: value}
    return {inner: item for key, part in value.items() for inner, item in _flat(f"{name}.{key}", part).items()}


def checksum_of(params: Any) -> int:
    """A checksum of the parameters."""
    total = 0
    for p in distinct(params).values():
        total = zlib.crc32(np.ascontiguousarray(p).reshape(-1).view(np.uint8).data, total)
    return total


def _problem(reports: list[Report]) -> Exception | None:
    """The reason why ranks cannot continue."""
    for rank, report in enumerate(reports):
        if report.failure is not None:
            return _rebuilt(rank, *report.failure)
    for rank, report in enumerate(reports):
        if report.at != reports[0].at:
            return ValueError(
                f"communicator: expected rank {rank} where rank 0 is, {_words(reports[0].at)}, got "
                f"{_words(report.at)}: each rank has to train with the same data and options"
            )
    return None


def _rebuilt(rank: int, kind: str, text: str) -> Exception:
    """The error of another rank."""
    known = getattr(builtins, kind, None)
    if isinstance(known, type) and issubclass(known, Exception) and not issubclass(known, UnicodeError):
        return known(f"rank {rank}: {text}")
    return RuntimeError(f"rank {rank}: {kind}: {text}")


def _words(at: tuple[Any, ...]) -> str:
    name, *numbers = at
    return " ".join([f"at {name}", *map(str, numbers)])
