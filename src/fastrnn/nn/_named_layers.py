# SPDX-License-Identifier: BSD-3-Clause
"""Options of a Sequential: its layers, and their names."""

from typing import Any

from ._layer import Layer
from ._options import Option, described


class Layers(Option[tuple[Layer, ...], tuple[Layer, ...]]):
    """The layers of a Sequential."""

    type_text: str = "Layer"
    json_types: tuple[type, ...] = (list,)

    def plain(self, value: tuple[Layer, ...]) -> list[dict[str, Any]]:
        return [described(layer) for layer in value]


class Names(Option[tuple[str, ...] | None, tuple[str, ...] | None]):
    """The names of the layers of a Sequential."""

    type_text: str = "str"
    json_types: tuple[type, ...] = (list,)

    def plain(self, value: tuple[str, ...] | None) -> list[str] | None:
        return None if value is None else list(value)

    def _check(self, name: str, value: Any) -> tuple[str, ...]:
        for each in value:
            if not isinstance(each, str) or not each or "." in each or value.count(each) > 1:
                raise ValueError(f"{name}: expected different names without a dot, got {each!r}")
        return tuple(value)
