# SPDX-License-Identifier: BSD-3-Clause
"""What ranks exchange about a window of a shard besides gradients, and the combination of all shards."""

from typing import Any, NamedTuple

from .._loop.truncated import Window


class Place(NamedTuple):
    """Where a shard is after a window.

    Attributes
    ----------
    shard, stop : int
        Its number, and the step before which the window ends.
    last : bool
        Whether it ends with it.
    first : object
        The state in which its next window begins.
    """

    shard: int
    stop: int
    last: bool
    first: Any


class Share(NamedTuple):
    """The results of one shard besides gradients.

    Attributes
    ----------
    loss : float
        A `Mean` if the loss returns one.
    scores, extras : dict of str to float
        Metrics, and what layers report.
    positions, steps : int
    place : Place
    """

    loss: float
    scores: dict[str, float]
    extras: dict[str, float]
    positions: int
    steps: int
    place: Place


class SummedWindow(Window):
    """A window that is the sum of shards, which has no output of its own."""

    counted: int = 0
    scores: dict[str, float]

    @property
    def positions(self) -> int:
        return self.counted
