# SPDX-License-Identifier: BSD-3-Clause
"""Options of layers, optimizers and schedules, each declared once, as a typed attribute of its class.

    class Linear(StatelessLayer):
        in_features: Size = Size("I, the size of the last axis of x.")
        out_features: Size = Size("O.")
        _: KW_ONLY
        bias: Flag = Flag("Whether b is added.", default=True)

`Configurable` makes of them the constructor, its checks, `config`, the repr, the docstring and the check of files. To a
type checker such a class is a dataclass (PEP 681), and an option has the type of its value.
"""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .._engine import arguments
from .._engine.arguments import Generator, Interval, SeedLike
from ._option import REQUIRED, Option, Provided, Value, short


class Argument(Option[Value, Value]):
    """Any object, which the class itself checks; not part of `config`."""

    in_config: bool = False

    def __init__(
        self, doc: str, type_text: str, *, default: Any = REQUIRED, stored: bool = True, last: bool = False
    ) -> None:
        self.type_text: str = type_text
        self.stored: bool = stored
        super().__init__(doc, default=default, last=last)


class SizeOption(Option[Provided, Value]):
    """An int of at least `low`."""

    type_text: str = "int"
    json_types: tuple[type, ...] = (int,)

    def __init__(
        self, doc: str, *, default: Any = REQUIRED, low: float = 1, init: bool = True, last: bool = False
    ) -> None:
        super().__init__(doc, default=default, init=init, last=last)
        self.low: float = low

    def _check(self, name: str, value: Any) -> int:
        return arguments.as_size(name, value, self.low)


class Size(SizeOption[int, int]):
    """An int of at least `low`.

    Parameters
    ----------
    doc : str
    default : int, optional
        Without it the option is required.
    low : int, default 1
    init : bool, default True
        Whether the constructor takes it. If not, it is a checked attribute that the class sets.
    """


class OptionalSize(SizeOption[int | None, int | None]):
    """An int of at least `low`, or None."""

    nullable: bool = True


class InferredSize(SizeOption[int | None, int]):
    """An int of at least `low`, or None, in the place of which the class puts a size."""


class Flag(Option[bool, bool]):
    """True or False."""

    type_text: str = "bool"
    json_types: tuple[type, ...] = (bool,)

    def _check(self, name: str, value: Any) -> bool:
        return arguments.as_flag(name, value)


class NumberOption(Option[Provided, Value]):
    """A float in an interval."""

    type_text: str = "float"
    json_types: tuple[type, ...] = (float,)

    def __init__(
        self,
        doc: str,
        interval: Interval,
        *,
        default: Any = REQUIRED,
        omit: bool = False,
        init: bool = True,
        last: bool = False,
    ) -> None:
        super().__init__(doc, default=default, omit=omit, init=init, last=last)
        self.interval: Interval = interval

    def _check(self, name: str, value: Any) -> float:
        return arguments.as_number(name, value, self.interval)


class Number(NumberOption[float, float]):
    """A float in an interval.

    Parameters
    ----------
    doc : str
    interval : Interval
    default : float, optional
        Without it the option is required.
    init : bool, default True
        Whether the constructor takes it. If not, it is a checked attribute that the class sets.
    """


class OptionalNumber(NumberOption[float | None, float | None]):
    """A float in an interval, or None."""

    nullable: bool = True


class Choice(Option[str, str]):
    """One of several strings."""

    json_types: tuple[type, ...] = (str,)

    def __init__(
        self, doc: str, choices: tuple[str, ...], *, default: Any = REQUIRED, omit: bool = False, last: bool = False
    ) -> None:
        self.type_text: str = f"{{{', '.join(map(repr, choices))}}}"
        super().__init__(doc, default=default, omit=omit, last=last)
        self.choices: tuple[str, ...] = choices

    def _check(self, name: str, value: Any) -> str:
        return arguments.as_choice(name, value, self.choices)


class DType(Option[DTypeLike, "np.dtype[Any]"]):
    """float32 or float64; ``default=np.float32`` is usual."""

    type_text: str = "{np.float32, np.float64}"
    json_types: tuple[type, ...] = (str,)
    _names: dict[Any, str] = {dtype: str(dtype) for dtype in arguments.FLOATS}  # NumPy makes one anew each time

    def __init__(
        self, doc: str = "The dtype of parameters, inputs and outputs.", *, default: Any, last: bool = False
    ) -> None:
        super().__init__(doc, default=default, last=last)

    def _check(self, name: str, value: Any) -> "np.dtype[Any]":
        return arguments.as_dtype(name, value)

    def plain(self, value: Any) -> str:
        return self._names[value]

    def parse(self, what: str, value: Any) -> Any:
        if super().parse(what, value) not in self._names.values():
            raise ValueError(f"{what}: expected {' or '.join(self._names.values())}, got {short(value)}")
        return value


class Seed(Option[SeedLike, SeedLike]):
    """The seed of random numbers. It is not stored: ``_setup(self, seed)`` receives a `numpy.random.Generator`."""

    type_text: str = "int, Generator or None"
    stored: bool = False
    in_config: bool = False

    def __init__(self, doc: str = "Seed of the initial parameters.", *, default: Any) -> None:
        super().__init__(doc, default=default)

    def check(self, name: str, value: Any) -> Generator:
        return arguments.as_rng(value)


class Probabilities(Option[float | tuple[float, ...], tuple[float, ...]]):
    """A probability in [0, 1) for each of several parts, or one for all of them.

    Parameters
    ----------
    doc : str
    parts : tuple of str
        Their names: ("h",), or ("h", "c").
    default : float
    """

    json_types: tuple[type, ...] = (float, list)

    def __init__(self, doc: str, parts: tuple[str, ...], *, default: float) -> None:
        self.type_text: str = "float" if len(parts) == 1 else f"float or ({', '.join(parts)})"
        super().__init__(doc, default=default, omit=True)
        self.parts: tuple[str, ...] = parts

    def _check(self, name: str, value: Any) -> tuple[float, ...]:
        values = tuple(value) if isinstance(value, tuple | list) else (value,) * len(self.parts)
        if len(values) != len(self.parts):
            raise ValueError(f"{name}: expected a probability or ({', '.join(self.parts)}), got {value!r}")
        return tuple(arguments.as_probability(name, part) for part in values)

    def plain(self, value: tuple[float, ...]) -> float | list[float]:
        return list(value) if len(set(value)) > 1 else value[0]


class Sublayer(Option[Value, Value]):
    """A child of a `Container`: a layer of one of several `kinds`, or None if that is the default."""

    json_types: tuple[type, ...] = (dict,)

    def __init__(self, doc: str, *kinds: type, default: Any = REQUIRED) -> None:
        self.type_text: str = " or ".join(kind.__name__ for kind in kinds)
        super().__init__(doc, default=default)
        self.kinds: tuple[type, ...] = kinds

    def _check(self, name: str, value: Any) -> Any:
        if not isinstance(value, self.kinds):
            raise TypeError(f"{name}: expected {self.type_text}, got {kind_of(value)}")
        return value

    def plain(self, value: Any) -> dict[str, Any] | None:
        return None if value is None else described(value)

    def parse(self, what: str, value: Any) -> Any:
        """An architecture, as `described` gives it. Whoever builds it checks it as one."""
        if type(value) is not dict and not (value is None and self.nullable):
            raise ValueError(f"{what}: expected dict, got {short(value)}")
        return value


def described(layer: Any) -> dict[str, Any]:
    """A layer as plain data: its type and its `config`."""
    return {"type": type_name(type(layer)), **layer.config()}


def type_name(kind: type) -> str:
    """A class of this package by its name, "LSTM", any other by its import path, "package.module:Class"."""
    own = kind.__module__.partition(".")[0] == __name__.partition(".")[0]
    return kind.__name__ if own else f"{kind.__module__}:{kind.__qualname__}"


def kind_of(value: Any) -> str:
    """What `value` is, for a message that a layer was expected: its class, or "the class Linear" for a class itself."""
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
