# SPDX-License-Identifier: BSD-3-Clause
"""Options of layers, optimizers and schedules, each declared once, as a typed attribute of its class.

    class Linear(StatelessLayer):
        in_features: Size = Size("I, the size of the last axis of x.")
        out_features: Size = Size("O.")
        _: KW_ONLY
        bias: Flag = Flag("Whether b is added.", default=True)

`Configurable` makes of them the constructor, its signature, the check of every value, `config`, the repr, the
Parameters section of the docstring and the check of what a model file says. To a type checker such a class is a
dataclass (PEP 681), and an option has the type of its value.
"""

from reprlib import repr as short  # a value from a file may have megabytes
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

import numpy as np
from numpy.typing import DTypeLike

from .._engine import arguments
from .._engine.arguments import Interval, SeedLike

Provided = TypeVar("Provided")
Value = TypeVar("Value")


class _Required:
    def __repr__(self) -> str:
        return "required"


REQUIRED: Any = _Required()


class Option(Generic[Provided, Value]):
    """One option of a class.

    Parameters
    ----------
    doc : str
        What it means, for the docstring of the class.
    default : object, optional
        Without it the option is required.
    omit : bool, default False
        Leave the option out of `config` while it has its default, as files do that were written before it existed.
    init : bool, default True
        Whether the constructor takes it. If not, it is an attribute like the others, which the class sets.
    last : bool, default False
        Place the option behind those of subclasses. A subclass that repeats it gives it a place of its own.

    Attributes
    ----------
    type_text : str
        The type, as the docstring says it.
    kw_only : bool
        Whether it is passed by name only: declared behind ``_: KW_ONLY``.
    stored : bool
        Whether the value becomes an attribute. If not, ``__post_init__`` receives it.
    in_config : bool
        Whether the value is part of `config`.
    json_types : tuple of type
        The exact types that a file may hold for it.
    """

    type_text = "object"
    kw_only = False
    stored = True
    in_config = True
    json_types: tuple[type, ...] = ()

    def __init__(
        self, doc: str, *, default: Any = REQUIRED, omit: bool = False, init: bool = True, last: bool = False
    ) -> None:
        self.doc, self.default, self.omit, self.init, self.last = doc, default, omit, init, last
        self.in_config = self.in_config and init
        if default is None and "None" not in self.type_text:
            self.type_text += " or None"

    # At run time an option is no descriptor: the value lies in the instance's dict, where reading it costs nothing,
    # and `Configurable.__setattr__` checks what is assigned.
    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type) -> Self: ...
        @overload
        def __get__(self, instance: object, owner: type) -> Value: ...
        def __get__(self, instance: object, owner: type) -> Any: ...
        def __set__(self, instance: object, value: Provided) -> None: ...

    def check(self, name: str, value: Any) -> Any:
        """`value` as the attribute holds it, or an error that begins with `name`."""
        return None if value is None is self.default else self._check(name, value)

    def _check(self, name: str, value: Any) -> Any:
        return value

    def plain(self, value: Any) -> Any:
        """A checked value as JSON can hold it."""
        return value

    def parse(self, what: str, value: Any) -> Any:
        """A value from a file, which may be anything; ValueError unless `plain` could have written it."""
        if value is None is self.default:
            return None
        if type(value) not in self.json_types:  # exactly: True is no int, and 3.0 neither
            raise ValueError(f"{what}: expected {self.json_types[0].__name__}, got {short(value)}")
        try:
            self.check(what, value)
        except TypeError as error:
            raise ValueError(str(error)) from None
        return value


class Argument(Option[Value, Value]):
    """Any object, which the class itself checks; not part of `config`."""

    in_config = False

    def __init__(
        self, doc: str, type_text: str, *, default: Any = REQUIRED, stored: bool = True, last: bool = False
    ) -> None:
        self.type_text, self.stored = type_text, stored
        super().__init__(doc, default=default, last=last)


class SizeOption(Option[Provided, Value]):
    """An int of at least `low`."""

    type_text = "int"
    json_types = (int,)

    def __init__(self, doc: str, *, default: Any = REQUIRED, low: int = 1, init: bool = True) -> None:
        super().__init__(doc, default=default, init=init)
        self.low = low

    def _check(self, name: str, value: Any) -> int:
        return arguments.as_size(name, value, self.low)


class Size(SizeOption[int, int]):
    """An int of at least `low`."""


class OptionalSize(SizeOption[int | None, int | None]):
    """An int of at least `low`, or None."""


class Flag(Option[bool, bool]):
    """True or False."""

    type_text = "bool"
    json_types = (bool,)

    def _check(self, name: str, value: Any) -> bool:
        return arguments.as_flag(name, value)


class NumberOption(Option[Provided, Value]):
    """A float in an interval."""

    type_text = "float"
    json_types = (float,)

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
        self.interval = interval

    def _check(self, name: str, value: Any) -> float:
        return arguments.as_number(name, value, self.interval)


class Number(NumberOption[float, float]):
    """A float in an interval."""


class OptionalNumber(NumberOption[float | None, float | None]):
    """A float in an interval, or None."""


class Choice(Option[str, str]):
    """One of several strings."""

    json_types = (str,)

    def __init__(self, doc: str, choices: tuple[str, ...], *, default: Any = REQUIRED) -> None:
        self.type_text = f"{{{', '.join(map(repr, choices))}}}"
        super().__init__(doc, default=default)
        self.choices = choices

    def _check(self, name: str, value: Any) -> str:
        return arguments.as_choice(name, value, self.choices)


class DType(Option[DTypeLike, "np.dtype[Any]"]):
    """float32, the default, or float64."""

    type_text = "{np.float32, np.float64}"
    json_types = (str,)

    def __init__(self, doc: str = "Of the parameters, the inputs and the outputs.", *, default: Any) -> None:
        super().__init__(doc, default=default)

    def _check(self, name: str, value: Any) -> "np.dtype[Any]":
        return arguments.as_dtype(name, value)

    def plain(self, value: Any) -> str:
        return str(value)

    def parse(self, what: str, value: Any) -> Any:
        names = [str(dtype) for dtype in arguments.FLOATS]
        if super().parse(what, value) not in names:
            raise ValueError(f"{what}: expected {' or '.join(names)}, got {short(value)}")
        return value


class Seed(Option[SeedLike, SeedLike]):
    """Where random numbers begin; ``__post_init__`` receives a generator."""

    type_text = "int, Generator or None"
    stored = in_config = False

    def __init__(self, doc: str = "Of the initial parameters.", *, default: Any) -> None:
        super().__init__(doc, default=default)

    def check(self, name: str, value: Any) -> np.random.Generator:
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

    json_types = (float, list)

    def __init__(self, doc: str, parts: tuple[str, ...], *, default: float) -> None:
        self.type_text = "float" if len(parts) == 1 else f"float or ({', '.join(parts)})"
        super().__init__(doc, default=default, omit=True)
        self.parts = parts

    def _check(self, name: str, value: Any) -> tuple[float, ...]:
        values = tuple(value) if isinstance(value, tuple | list) else (value,) * len(self.parts)
        if len(values) != len(self.parts):
            raise ValueError(f"{name}: expected a probability or ({', '.join(self.parts)}), got {value!r}")
        return tuple(arguments.as_probability(name, part) for part in values)

    def plain(self, value: tuple[float, ...]) -> float | list[float]:
        return list(value) if len(set(value)) > 1 else value[0]


class Sublayer(Option[Value, Value]):
    """A layer of one of several kinds, or None where that is the default."""

    json_types = (dict,)

    def __init__(self, doc: str, *kinds: type, default: Any = REQUIRED) -> None:
        self.type_text = " or ".join(kind.__name__ for kind in kinds)
        super().__init__(doc, default=default)
        self.kinds = kinds

    def _check(self, name: str, value: Any) -> Any:
        if not isinstance(value, self.kinds):
            raise TypeError(f"{name}: expected {self.type_text}, got {type(value).__name__}")
        return value

    def plain(self, value: Any) -> dict[str, Any] | None:
        return None if value is None else described(value)

    def parse(self, what: str, value: Any) -> Any:
        """An architecture, as `described` gives it. Whoever builds it checks it as one."""
        if type(value) is not dict and not (value is None is self.default):
            raise ValueError(f"{what}: expected dict, got {short(value)}")
        return value


def described(layer: Any) -> dict[str, Any]:
    """A layer as plain data: its type and its `config`."""
    return {"type": type(layer).__name__, **layer.config()}
