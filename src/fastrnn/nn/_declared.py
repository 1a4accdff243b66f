# SPDX-License-Identifier: BSD-3-Clause
"""Signature and docstring of classes with declared options."""

import inspect
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self, TypeVar, dataclass_transform, overload

from . import _options as options
from ._option import KW_ONLY, REQUIRED, Converted, Option

Value = TypeVar("Value")

# The sections of a docstring, as numpydoc orders them.
ORDER = (
    "Parameters", "Attributes", "Returns", "Raises", "Warns", "See Also", "Notes", "References", "Examples",
)  # fmt: skip


class Attribute(Generic[Value]):
    """An attribute that the constructor does not take and that an instance gets later; see `later`."""

    def __init__(self, type_text: str, doc: str) -> None:
        self.type_text: str = type_text
        self.doc: str = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name: str = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...
    def __get__(self, instance: object, owner: type) -> Any:
        if instance is None:
            return self
        raise AttributeError(f"{type(instance).__name__}.{self.name}: not set yet")

    if TYPE_CHECKING:

        def __set__(self, instance: object, value: Value) -> None: ...
        def __delete__(self, instance: object) -> None: ...


def later(type_text: str, doc: str, *, init: Literal[False] = False) -> Any:
    """Declare an attribute: ``loss_: Attribute[float] = later("float", "The mean loss.")``.

    Parameters
    ----------
    type_text, doc : str
        What the docstring says of it.
    init : False
        For type checkers, to which this is a field of a dataclass.
    """
    return Attribute(type_text, doc)


class _Docstring(str):
    """``cls.__doc__`` with its sections of parameters and attributes, computed on access to keep imports fast.

    `help` reads the docstring of a class with a metaclass from the class dict, without calling `__get__`. It needs a
    str, and calls its `expandtabs`.
    """

    owner: type["Declared"]

    def expandtabs(self, tabsize: Any = 8) -> str:
        return self.__get__(None, self.owner).expandtabs(tabsize)

    def __get__(self, instance: object, owner: type["Declared"]) -> str:
        doc = inspect.cleandoc(str(self))
        parameters = [
            _entry(name, option.type_text, option.default, option.doc) for name, option in _in_signature(owner._options)
        ]
        attributes = [_entry(name, each.type_text, REQUIRED, each.doc) for name, each in owner._attributes.items()]
        return with_sections(doc, {"Parameters": parameters, "Attributes": attributes})


def with_sections(doc: str, entries: Mapping[str, Iterable[str]]) -> str:
    """A docstring with these entries in its sections, by their titles: in front of what a section has already.

    Parameters
    ----------
    doc : str
        As `inspect.cleandoc` returns it.
    entries : mapping of str to iterable of str
    """
    for title, new in entries.items():
        heading = f"\n\n{title}\n{'-' * len(title)}\n"
        text = heading + "".join(entry + "\n" for entry in new)
        if text == heading:
            continue
        if heading in doc:
            doc = doc.replace(heading, text, 1)
            continue
        match = re.search(rf"\n+(?:{'|'.join(ORDER[ORDER.index(title) + 1 :])})\n-+\n", doc)
        at = len(doc) if match is None else match.start()
        doc = doc[:at].rstrip("\n") + text + ("\n" + doc[at:].lstrip("\n") if match else "")
    return doc


def _entry(name: str, type_text: str, default: Any, doc: str) -> str:
    shown = "" if default is REQUIRED else f", default {_named(default)}"
    text = textwrap.indent(textwrap.fill(doc, 112, break_on_hyphens=False), "    ")
    return f"{name} : {type_text}{shown}" + (f"\n{text}" if doc else "")


def _named(default: Any) -> str:
    return f"np.{default.__name__}" if isinstance(default, type) else repr(default)


@dataclass_transform(
    eq_default=False,
    field_specifiers=(
        options.Argument,
        later,
        options.Choice,
        Converted,
        options.DType,
        options.Flag,
        options.InferredSize,
        options.Number,
        options.OptionalNumber,
        options.OptionalSize,
        options.Probabilities,
        options.Seed,
        options.Size,
        options.Sublayer,
    ),
)
class Declared:
    """A class with declared options, in the order in which it and its bases declare them.

    A class that repeats an option of a base changes it and keeps its place, unless the base has placed it `last`.
    """

    _options: ClassVar[Mapping[str, Option[Any, Any]]] = {}
    _attributes: ClassVar[Mapping[str, Attribute[Any]]] = {}

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        behind_marker = False
        for name, annotation in cls.__annotations__.items():
            option = vars(cls).get(name)
            if _is_marker(annotation):
                behind_marker = True
            elif isinstance(option, Option):
                option.kw_only = behind_marker
        # A class that gives the name another meaning, such as a property, has no such option.
        cls._options = {name: option for name in _ordered(cls) if isinstance(option := getattr(cls, name), Option)}
        required = [
            option.default is REQUIRED for option in cls._options.values() if not option.kw_only and option.init
        ]
        if required != sorted(required, reverse=True):
            raise TypeError(f"{cls.__name__}: expected options without a default before those with one")
        later = [name for base in reversed(cls.__bases__) for name in getattr(base, "_attributes", {})]
        later += [name for name, each in vars(cls).items() if isinstance(each, Attribute)]
        cls._attributes = {name: each for name in later if isinstance(each := getattr(cls, name), Attribute)}
        if (cls._options or cls._attributes) and cls.__doc__ and "\n    Parameters\n" not in cls.__doc__:
            cls.__doc__ = docstring = _Docstring(cls.__doc__)
            docstring.owner = cls


def _ordered(cls: type) -> list[str]:
    """The names of the options of a class and its bases, in the order of a dataclass, the `last` ones behind."""
    first: list[str] = []
    last: list[str] = []
    for base in reversed(cls.__mro__):
        own = {name: option for name, option in vars(base).items() if isinstance(option, Option)}
        last = [name for name in last if name not in own]
        first += [name for name, option in own.items() if name not in first and (base is cls or not option.last)]
        last = [name for name in own if name not in first] + last
    return first + last


def _is_marker(annotation: Any) -> bool:
    """Whether an annotation is KW_ONLY, ours or that of dataclasses, as an object or as a string."""
    theirs = getattr(sys.modules.get("dataclasses"), "KW_ONLY", KW_ONLY)
    return annotation is KW_ONLY or annotation is theirs or annotation == "KW_ONLY"


def _in_signature(options: Mapping[str, Option[Any, Any]]) -> list[tuple[str, Option[Any, Any]]]:
    """The options that a constructor takes, positional ones first."""
    return sorted(((n, option) for n, option in options.items() if option.init), key=lambda item: item[1].kw_only)


def signature_of(options: Mapping[str, Option[Any, Any]]) -> inspect.Signature:
    """The signature of a constructor that takes these options."""
    kinds = {False: inspect.Parameter.POSITIONAL_OR_KEYWORD, True: inspect.Parameter.KEYWORD_ONLY}
    return inspect.Signature(
        [
            inspect.Parameter(
                name,
                kinds[option.kw_only],
                default=inspect.Parameter.empty if option.default is REQUIRED else option.default,
            )
            for name, option in _in_signature(options)
        ]
    )
