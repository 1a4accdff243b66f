# SPDX-License-Identifier: BSD-3-Clause
"""Parameters of estimators as declared options, and shared parts of the docstrings of methods."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from ..nn._declared import Declared, signature_of, with_sections

Function = TypeVar("Function", bound=Callable[..., Any])


class Estimating(Declared):
    """A class whose constructor takes its options as they are: each becomes an attribute, unchecked.

    scikit-learn wants that. `clone` compares what a constructor keeps with what it was given, and `set_params` assigns
    past it, so that a check there would not see everything; `fit` checks. It reads the names of the parameters in the
    signature of ``__init__`` itself, so that every class needs its own.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "__init__" not in vars(cls):
            type.__setattr__(cls, "__init__", _constructor(cls))  # an assignment would hide the one of the dataclass

    def _checked(self, *names: str) -> dict[str, Any]:
        """The options of these names, or all of them, as values that were checked.

        Raises
        ------
        TypeError, ValueError
            One is wrong.
        """
        return {name: self._options[name].check(name, getattr(self, name)) for name in names or self._options}


def _constructor(cls: type[Estimating]) -> Callable[..., None]:
    """``cls.__init__``, with its own signature."""
    own = signature_of(cls._options)
    myself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)

    def __init__(self: Any, /, *positional: Any, **named: Any) -> None:
        bound = own.bind(*positional, **named)
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            setattr(self, name, value)
        super(Estimating, self).__init__()  # what the base classes of sktime and aeon keep

    __init__.__signature__ = own.replace(parameters=[myself, *own.parameters.values()])  # type: ignore[attr-defined]
    __init__.__qualname__ = f"{cls.__qualname__}.__init__"
    __init__.__module__ = cls.__module__
    return __init__


def documented(**sections: str) -> Callable[[Function], Function]:
    """Decorate a function: put entries, by the titles of their sections, first in its docstring.

    Parameters
    ----------
    **sections : str
        As they stand in a docstring: ``documented(Raises=...)``.
    """

    def decorate(function: Function) -> Function:
        if function.__doc__:  # python -OO removes docstrings
            entries = {title: [inspect.cleandoc(text)] for title, text in sections.items()}
            function.__doc__ = with_sections(inspect.cleandoc(function.__doc__), entries)
        return function

    return decorate


learns = documented(
    Returns="self",
    Raises="""
        TypeError, ValueError
            An argument, or a parameter of the estimator, is wrong.
        FloatingPointError
            The loss of a network, or the sums of an echo state network, are no longer finite.
        KeyboardInterrupt
            Ctrl-C. A network keeps what it has learned so far.""",
)
predicts = documented(
    Parameters="X : array_like, (N, T) or (N, T, C), or list of array_like, (T_n, C)",
    Raises="""
        NotFittedError
            The estimator has not been fitted.
        TypeError, ValueError
            X does not match the data of `fit`.""",
)
