# SPDX-License-Identifier: BSD-3-Clause
"""What a forward pass leaves for its backward pass."""


class Tape:
    """What one forward pass leaves for its backward pass. It serves once.

    Attributes
    ----------
    omega : float or None
        After `backward` of an RNN with `omega`: the value of the regulariser; of layers around some, their sum.
    """

    __slots__ = ("_content", "_layer", "omega")

    def __init__(self, layer, content):
        self._layer, self._content, self.omega = layer, content, None

    def check(self, layer):
        if not isinstance(self, Tape):
            raise TypeError(f"tape: expected what {type(layer).__name__}.forward returned, got {type(self).__name__}")
        if self._layer is not layer:
            raise ValueError(
                f"tape: expected one that this {type(layer).__name__} made, "
                f"got one of another {type(self._layer).__name__}"
            )
        if self._content is None:
            raise ValueError("tape: it has been used by an earlier backward; a tape serves once")
        return self._content

    def use(self):
        """Empty the tape: from now on `check` refuses it."""
        self._content = None

    @property
    def nbytes(self):
        """Bytes of the arrays that the tape keeps beyond the layer's input and output; 0 once used."""
        return _nbytes(self._content)


def omega_of(tapes):
    """What tapes have as `omega` after `backward`, together; None if none of them has any."""
    found = [tape.omega for tape in tapes if getattr(tape, "omega", None) is not None]
    return sum(found) if found else None


def _nbytes(content):
    if hasattr(content, "nbytes"):
        return content.nbytes
    return sum(map(_nbytes, content)) if isinstance(content, list | tuple) else 0
