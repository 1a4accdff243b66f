# SPDX-License-Identifier: BSD-3-Clause
"""One option of a class: what `Configurable` needs to know of it."""

from collections.abc import Callable
from reprlib import repr as short  # a value from a file may have megabytes
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

if TYPE_CHECKING:
    from dataclasses import KW_ONLY as KW_ONLY
else:

    class KW_ONLY:
        """Options declared after ``_: KW_ONLY`` are keyword-only, as with dataclasses.KW_ONLY."""


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
        Whether the constructor takes it. If not, it is a checked attribute that the class sets.
    last : bool, default False
        Place the option behind those of subclasses. A subclass that repeats it gives it a place of its own.

    Attributes
    ----------
    type_text : str
        The type, as the docstring says it.
    kw_only : bool
        Whether it is passed by name only: declared behind ``_: KW_ONLY``.
    stored : bool
        Whether the value becomes an attribute. If not, ``_setup`` receives it.
    in_config : bool
        Whether the value is part of `config`.
    json_types : tuple of type
        The exact types that a file may hold for it.
    nullable : bool
        Whether None is a value: it is the default, or the class says so.
    """

    type_text: str = "object"
    kw_only: bool = False
    stored: bool = True
    in_config: bool = True
    json_types: tuple[type, ...] = ()
    nullable: bool = False

    def __init__(
        self, doc: str, *, default: Any = REQUIRED, omit: bool = False, init: bool = True, last: bool = False
    ) -> None:
        self.doc: str = doc
        self.default: Any = default
        self.omit: bool = omit
        self.init: bool = init
        self.last: bool = last
        self.in_config = self.in_config and init
        self.nullable = self.nullable or default is None
        if self.nullable and "None" not in self.type_text:
            self.type_text += " or None"

    def __set_name__(self, owner: type, name: str) -> None:
        self.name: str = name

    def with_default(self, default: Any) -> Self:
        """The same option with another default, for a subclass."""
        other = object.__new__(type(self))
        vars(other).update(vars(self), default=default)
        return other

    # The value lies in the instance's dict, where Python finds it first and reading it costs nothing more, as long as
    # there is no __set__ at run time: `Configurable.__setattr__` checks what is assigned.
    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...
    def __get__(self, instance: object, owner: type) -> Any:
        if instance is None:
            return self
        why = "the constructor uses it and does not keep it"
        if self.stored:
            why = "not set yet; a constructor of your own begins with super().__init__()"
        raise AttributeError(f"{type(instance).__name__}.{self.name}: {why}")

    if TYPE_CHECKING:

        def __set__(self, instance: object, value: Provided) -> None: ...

    def check(self, name: str, value: Any) -> Any:
        """`value` as the attribute holds it, or an error that begins with `name`."""
        return None if value is None and self.nullable else self._check(name, value)

    def _check(self, name: str, value: Any) -> Any:
        return value

    def omitted(self, plain: Any) -> bool:
        """Whether files omit the value, because it is the default and older files do not have the option."""
        return self.omit and plain == self.default

    def plain(self, value: Any) -> Any:
        """A checked value in a form that JSON can represent."""
        return value

    def parse(self, what: str, value: Any) -> Any:
        """A value from a file, which may be anything; ValueError unless `plain` could have written it."""
        if value is None and self.nullable:
            return None
        if type(value) not in self.json_types:  # exactly: True is no int, and 3.0 neither
            raise ValueError(f"{what}: expected {self.json_types[0].__name__}, got {short(value)}")
        try:
            self.check(what, value)
        except TypeError as error:
            raise ValueError(str(error)) from None
        return value


class Converted(Option[Provided, Value]):
    """A value that a function checks and converts; for options that no file describes.

    Parameters
    ----------
    doc : str
    type_text : str
        The type of what the constructor takes.
    convert : callable
        ``convert(name, value)`` returns the value as the attribute holds it; its errors begin with `name`.
    in_config : bool, default True
    """

    def __init__(
        self,
        doc: str,
        type_text: str,
        convert: Callable[[str, Provided], Value],
        *,
        default: Any = REQUIRED,
        in_config: bool = True,
    ) -> None:
        self.type_text: str = type_text
        self.nullable: bool = type_text.endswith(" or None")
        self.convert: Callable[[str, Provided], Value] = convert
        self.in_config: bool = in_config
        super().__init__(doc, default=default)

    def _check(self, name: str, value: Any) -> Any:
        return self.convert(name, value)

    def plain(self, value: Any) -> Any:
        return list(value) if isinstance(value, tuple) else value
