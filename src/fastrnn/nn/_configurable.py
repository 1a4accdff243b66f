# SPDX-License-Identifier: BSD-3-Clause
"""What follows from the declaration of options: constructor, signature, docstring, `config` and repr."""

import inspect
import re
import sys
import textwrap
from collections.abc import Mapping
from typing import Any, ClassVar, dataclass_transform

from . import _options as options
from ._option import KW_ONLY, REQUIRED, Converted, Option

SECTION = re.compile(r"\n *(?:Attributes|Raises|Warns|See Also|Notes|References|Examples)\n *-+\n")


class _Docstring:
    """``cls.__doc__`` with a Parameters section, made when it is asked for: at import nobody reads it."""

    def __init__(self, written: str) -> None:
        self.written = written

    def __get__(self, instance: object, owner: type["Configurable"]) -> str:
        return _documented(inspect.cleandoc(self.written), owner._options)


class _Signature:
    """``cls.__signature__``, made when it is asked for."""

    def __get__(self, instance: object, owner: type["Configurable"]) -> inspect.Signature:
        if owner.__init__ is not Configurable.__init__:  # a constructor of its own
            own = inspect.signature(owner.__init__)
            return own.replace(parameters=list(own.parameters.values())[1:])
        kinds = {False: inspect.Parameter.POSITIONAL_OR_KEYWORD, True: inspect.Parameter.KEYWORD_ONLY}
        parameters = [
            inspect.Parameter(
                name,
                kinds[option.kw_only],
                default=inspect.Parameter.empty if option.default is REQUIRED else option.default,
            )
            for name, option in sorted(owner._options.items(), key=lambda item: item[1].kw_only)
            if option.init
        ]
        return inspect.Signature(parameters)


@dataclass_transform(
    eq_default=False,
    field_specifiers=(
        options.Argument,
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
class Configurable:
    """A class whose constructor takes its options, in the order in which it and its bases declare them.

    A class that repeats an option of a base changes it and keeps its place, unless the base has placed it `last`.
    ``_setup`` runs after all options have been set; it receives those that are not stored.
    """

    _options: ClassVar[Mapping[str, Option[Any, Any]]] = {}
    __signature__: ClassVar[Any] = _Signature()

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        behind_marker = False
        for name, annotation in cls.__annotations__.items():
            option = vars(cls).get(name)
            if _is_marker(annotation):
                behind_marker = True
            elif isinstance(option, Option):
                option.kw_only = behind_marker
        own = {name: option for name, option in vars(cls).items() if isinstance(option, Option)}
        inherited: dict[str, Option[Any, Any]] = {}
        for base in reversed(cls.__bases__):
            inherited |= getattr(base, "_options", {})
        last = {name: option for name, option in inherited.items() if option.last and name not in own}
        options = {name: option for name, option in inherited.items() if not option.last} | own | last
        # A class that gives the name another meaning, such as a property, has no such option.
        cls._options = {name: option for name, option in options.items() if isinstance(getattr(cls, name), Option)}
        required = [
            option.default is REQUIRED for option in cls._options.values() if not option.kw_only and option.init
        ]
        if required != sorted(required, reverse=True):
            raise TypeError(f"{cls.__name__}: expected options without a default before those with one")
        if cls._options and cls.__doc__ and "\n    Parameters\n" not in cls.__doc__:
            cls.__doc__ = _Docstring(cls.__doc__)  # type: ignore[assignment]

    def __init__(self, *positional: Any, **named: Any) -> None:
        rest = {}
        for name, value in self._bound(positional, named).items():
            option = self._options[name]
            checked = option.check(name, value)
            if option.stored:
                object.__setattr__(self, name, checked)
            else:
                rest[name] = checked
        self._prepare()
        self._setup(**rest)

    def _prepare(self) -> None:
        """What has to be there before `_setup`."""

    def _setup(self, **rest: Any) -> None:
        """What else makes an instance, once its options are set."""

    def _bound(self, positional: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
        """The value of every option, defaults included, in the order of declaration."""
        kind = type(self).__name__
        options = {name: option for name, option in self._options.items() if option.init}
        names = [name for name, option in options.items() if not option.kw_only]
        if len(positional) > len(names):
            raise TypeError(f"{kind}: expected at most {len(names)} positional arguments, got {len(positional)}")
        values = dict(zip(names, positional, strict=False))
        for name, value in named.items():
            if name not in options:
                raise TypeError(f"{kind}: expected arguments of {', '.join(options)}, got {name!r}")
            if name in values:
                raise TypeError(f"{kind}: expected one value for {name}, got two")
            values[name] = value
        defaults = {name: option.default for name, option in options.items()}
        values = {name: values.get(name, default) for name, default in defaults.items()}
        if missing := [name for name, value in values.items() if value is REQUIRED]:
            raise TypeError(f"{kind}: expected {' and '.join(missing)}, got none")
        preset = {name: option.default for name, option in self._options.items() if not option.init}
        return values | {name: value for name, value in preset.items() if value is not REQUIRED}

    def __setattr__(self, name: str, value: Any) -> None:
        option = self._options.get(name)
        super().__setattr__(name, value if option is None else option.check(name, value))

    def config(self) -> dict[str, Any]:
        """The arguments that make an object like this one, as plain values that JSON can hold.

        Returns
        -------
        dict of str to object
        """
        plain = {name: self._plain(name) for name in self._config_names()}
        omitted = {name for name, option in self._options.items() if name in plain and option.omitted(plain[name])}
        return {name: value for name, value in plain.items() if name not in omitted}

    @classmethod
    def _config_names(cls) -> list[str]:
        """The names in `config`, apart from options that may be left out."""
        return [name for name, option in cls._options.items() if option.in_config]

    def _plain(self, name: str) -> Any:
        """A value of `config`."""
        return self._options[name].plain(getattr(self, name))

    def _shown(self) -> dict[str, Any]:
        """What the repr shows, by name: the config; a subclass may add what is not part of it."""
        return self.config()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self._shown().items())})"


def _is_marker(annotation: Any) -> bool:
    """Whether an annotation is KW_ONLY, ours or that of dataclasses, as an object or as a string."""
    theirs = getattr(sys.modules.get("dataclasses"), "KW_ONLY", KW_ONLY)
    return annotation is KW_ONLY or annotation is theirs or annotation == "KW_ONLY"


def options_of(kind: type[Configurable]) -> Mapping[str, Option[Any, Any]]:
    """The options of a class by name, those of its bases first."""
    return kind._options


def _documented(doc: str, options: Mapping[str, Option[Any, Any]]) -> str:
    """A docstring with a Parameters section, before the other sections."""
    lines = []
    for name, option in options.items():
        if not option.init:
            continue
        default = "" if option.default is REQUIRED else f", default {_named(option.default)}"
        lines.append(f"{name} : {option.type_text}{default}")
        lines.append(textwrap.indent(textwrap.fill(option.doc, 112, break_on_hyphens=False), "    "))
    section = "\n\nParameters\n----------\n" + "\n".join(lines) + "\n"
    match = SECTION.search(doc)
    at = len(doc) if match is None else match.start()
    return doc[:at].rstrip("\n") + section + doc[at:]


def _named(default: Any) -> str:
    return f"np.{default.__name__}" if isinstance(default, type) else repr(default)
