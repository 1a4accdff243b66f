# SPDX-License-Identifier: BSD-3-Clause
"""The streams of the layers inside a container."""

from collections.abc import Sequence
from typing import Any

from .._stateless import StatelessLayer
from .base import StreamBase
from .run import Link, Run
from .stateless import StatelessStream


def stream_of(layer: Any, batch: int) -> StreamBase:
    """The stream of a layer inside a container; TypeError or ValueError if it may look into the future.

    A layer of a user's own may have a method `stream`. What it returns has `step`, `steps`, `state` and `reset`.
    """
    if hasattr(layer, "stream"):
        return layer.stream(batch)
    if isinstance(layer, StatelessLayer) and layer.keeps_axes:
        return StatelessStream(layer, batch)
    raise TypeError(
        "stream: expected layers with a stream of their own, or that treat all positions alike (keeps_axes), got "
        f"{layer!r}, which may need the whole sequence"
    )


def joined(pieces: Sequence[Any], batch: int) -> list[Any]:
    """`pieces` with consecutive layers of the engine as one `Run`, as far as they fit."""
    stages: list[Any] = []
    links: list[Link] = []
    for piece in [*pieces, None]:
        last = links[-1] if links else None
        fits = isinstance(piece, Link) and (
            last is None or (last.sizes[1], last.dtype) == (piece.sizes[0], piece.dtype)
        )
        if links and not fits:
            stages.append(Run(links, batch))
            links = []
        if isinstance(piece, Link):
            links.append(piece)
        elif piece is not None:
            stages.append(piece)
    return stages
