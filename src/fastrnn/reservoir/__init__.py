# SPDX-License-Identifier: BSD-3-Clause
"""Echo state networks: a recurrent layer that is drawn at random and left so, and readouts that learn."""

from .echostate import EchoState
from .rls import RLS

__all__ = [
    "EchoState",
    "RLS",
]
