# SPDX-License-Identifier: BSD-3-Clause
"""Deprecation of public names: a deprecated name works, with a warning, for at least two minor versions."""

import warnings


def deprecated(what: str, *, instead: str, since: str, removed_in: str, stacklevel: int = 1) -> None:
    """Warn that a public name is deprecated.

    Parameters
    ----------
    what : str
        The name, as users write it.
    instead : str
        What to use in its place.
    since, removed_in : str
        The version that deprecates the name, and the one that removes it: at least two minor versions later.
    stacklevel : int, default 1
        Which caller the warning points at: 1 is the caller of the function that calls this one.

    Warns
    -----
    DeprecationWarning
    """
    message = f"{what} is deprecated since version {since} and will be removed in {removed_in}: use {instead}"
    warnings.warn(message, DeprecationWarning, stacklevel=stacklevel + 2)
