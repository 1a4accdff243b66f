# SPDX-License-Identifier: BSD-3-Clause
"""Constructor, `config` and repr of classes with declared options."""

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

from ._declared import Declared, signature_of
from ._option import REQUIRED, Option


class _Signature:
    """``cls.__signature__``, made when it is asked for."""

    def __get__(self, instance: object, owner: type["Configurable"]) -> inspect.Signature:
        if owner.__init__ is not Configurable.__init__:  # a constructor of its own
            own = inspect.signature(owner.__init__)
            return own.replace(parameters=list(own.parameters.values())[1:])
        return signature_of(owner._options)


class Configurable(Declared):
    """A class whose constructor takes its options and checks them; so does an assignment.

    ``_setup`` runs after all options have been set; it receives those that are not stored.
    """

    __signature__: ClassVar[Any] = _Signature()

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
        """Preparation before `_setup`."""

    def _setup(self, **rest: Any) -> None:
        """Further initialization, once the options are set."""

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
        """The constructor arguments that recreate this object, as plain values that JSON can represent.

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
        """The entries of the repr: the config, and anything that a subclass adds."""
        return self.config()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self._shown().items())})"


def options_of(kind: type[Configurable]) -> Mapping[str, Option[Any, Any]]:
    """The options of a class by name, those of its bases first."""
    return kind._options
