# SPDX-License-Identifier: BSD-3-Clause
"""The contract of every layer: options, parameters and gradients, a call, a forward and a backward pass."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .._engine.arguments import Array, as_floats, is_packed
from .._engine.elementwise import set_to_zero
from ._packed import unpacked_gradient
from ._parameters import Joined, NamedArrays, Parameters, distinct
from ._parametrized import Parametrized
from ._printed import Printed
from ._signal import Interface
from ._state_dict import copied_entries, load_entries, renamed
from ._tape import Tape, has_gradient, open_tape
from ._warnings import made_again

Shapes = Iterator[tuple[str, tuple[int, ...]]]


class Layer(Parametrized, Interface, Printed, ABC):
    """Base class of all layers.

    A layer has `params` and `grads` with the same names and shapes, ``layer(x)`` for inference, ``layer.forward(x)``
    for training, whose last result is a tape, and ``layer.backward(tape, dy)``, which adds to `grads` and returns the
    gradient of x. It is a `StatelessLayer`, a `StatefulLayer`, or takes several inputs, as `Attention` does.
    """

    # -- what a subclass is ------------------------------------------------------------------------------------------

    @property
    def stateful(self) -> bool:
        """Whether the layer takes and returns a state."""
        return False

    @property
    def takes_lengths(self) -> bool:
        """Whether the layer takes the lengths of rows."""
        return False

    @classmethod
    def parameter_shapes(cls, *args: Any, **config: Any) -> Shapes:
        """(name, shape) of each array that `state_dict` has for a layer with this `config`; allocates nothing."""
        return iter(())

    def children(self) -> dict[str, "Layer"]:
        """The layers inside this one, by the prefix of their parameters' names."""
        return {}

    def child_tapes(self, tape: Tape) -> list[tuple[str, "Layer", Tape]]:
        """(name, layer, tape) of each layer inside this one that left its own tape in `tape`.

        A layer that is called step by step has as many entries, in the order of the steps.
        """
        return []

    @property
    def random_state(self) -> dict[str, Any] | None:
        """The state of the generator of masks, which may be set; None if nothing in the layer is random."""
        rng = self._rng
        return None if rng is None else rng.bit_generator.state  # type: ignore[return-value]

    @random_state.setter
    def random_state(self, state: dict[str, Any] | None) -> None:
        if self._rng is not None and state is not None:
            self._rng.bit_generator.state = state

    _rng = None  # the generator of masks, a np.random.Generator, where a layer has one
    _frozen = False  # see `frozen`
    _skips_dx = False  # whether `backward` leaves the gradient of the input out where its tape says so

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        own = vars(cls).keys()  # a subclass with another way back may need what its base would leave out
        if "_skips_dx" not in own and own & {"_backward_parameters", "_backward", "backward", "apply_backward"}:
            cls._skips_dx = "_backward_parameters" in own

    # -- passes ------------------------------------------------------------------------------------------------------

    @abstractmethod
    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Inference."""

    @abstractmethod
    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Training: the results of a call, and a tape."""

    @abstractmethod
    def backward(self, tape: Tape, *gradients: Any, **named: Any) -> Any:
        """The gradients of the inputs; the gradients of the parameters are added to `grads`."""

    def apply(self, x: Any, state: Any, lengths: Any, training: bool) -> tuple[Any, Any, Tape | None]:
        """A uniform call for all layers with one input: (y, state, tape), with None for missing parts.

        The state and the lengths are passed on if the layer takes them.
        """
        raise TypeError(f"{type(self).__name__}: expected a layer of one input, got one of several")

    def apply_backward(self, tape: Tape, dy: Any, dstate: Any) -> tuple[Any, Any]:
        """`backward` in the same form: (dx, dstate)."""
        raise TypeError(f"{type(self).__name__}: expected a layer of one input, got one of several")

    def check_dstate(self, tape: Tape, dstate: Any) -> Any:
        """`dstate` as `_backward` takes it, or TypeError or ValueError unless it fits the state from `forward`."""
        return dstate

    def _opened(self, tape: Any, dy: Any, name: str = "dy", of: str = "y", others: Any = None) -> tuple[Any, Array]:
        """The saved data of `forward` and the checked gradient of its output. An error changes nothing.

        None is a gradient of zero if there is one among `others`, those of further outputs.
        """
        content = open_tape(tape, self)
        if dy is None and has_gradient(others):
            dy = np.zeros(tape.shape, self.dtype)  # type: ignore[attr-defined]
        elif dy is None:
            also = ", and no gradient of anything else" if self.stateful else ""
            raise TypeError(f"{name}: expected an array of shape {tape.shape}, the gradient of {of}, got None{also}")
        dy = unpacked_gradient(name, dy, tape._kept) if is_packed(dy) else dy
        dy = as_floats(name, dy, self.dtype)  # type: ignore[attr-defined]
        if dy.shape != tape.shape:
            raise ValueError(f"{name}: expected {tape.shape}, the shape of {of}, got {dy.shape}")
        self.check_grads()
        return content, dy

    # -- parameters --------------------------------------------------------------------------------------------------

    @property
    def stored(self) -> NamedArrays:
        """The arrays in `state_dict`: parameters, and random weights that are not trained."""
        children = self.children()
        if not children:
            return self.params
        own = Parameters(self._arrays)
        return Joined([("", own), *((prefix_of(name), child.stored) for name, child in children.items())])

    def zero_grad(self) -> None:
        """Set all gradients to 0."""
        set_to_zero([*distinct(self.grads).values()])

    def check_grads(self) -> None:
        """Raise ValueError unless every gradient can be added to: its owner may resize, reshape or freeze it."""
        if (damage := self.grads.damaged()) is not None:
            raise ValueError("grads[{!r}]: {}".format(*damage))

    def state_dict(self) -> dict[str, Array]:
        """A copy of the parameters, and of weights that are not trained.

        Returns
        -------
        dict of str to ndarray
            With PyTorch's names, shapes and gate order. A shared array with several names is one copy under all of
            them. ValueError for one whose shape or dtype was changed in place.
        """
        return copied_entries(self.stored)

    def other_names(self) -> dict[str, str]:
        """Alternative names that `load_state_dict` accepts, mapped to the actual names."""
        return {
            prefix_of(prefix) + other: prefix_of(prefix) + own
            for prefix, child in self.children().items()
            for other, own in child.other_names().items()
        }

    def load_state_dict(self, state_dict: Mapping[str, Any], *, rename: Mapping[str, str] | None = None) -> None:
        """Write the parameters.

        Parameters
        ----------
        state_dict : mapping of str to array_like
            Arrays with exactly the names and shapes of `state_dict` (or the names of `other_names`), for example a
            PyTorch state_dict converted to NumPy. float32 and float64 are converted to the layer's dtype, float16 and
            bfloat16 (of ml_dtypes) are widened to it. For a shared array with several names, one name is enough.
        rename : mapping of str to str, optional
            New names for entries, or for their prefixes up to a dot: ``{"rnn": "0", "fc": "2"}`` renames
            ``"rnn.weight_ih_l0"`` to ``"0.weight_ih_l0"``. "" is a prefix of every name.

        Raises
        ------
        ValueError
            A name is missing or unknown, also in `rename`; a shape is wrong; or two names of one array have different
            values. Nothing is written.
        TypeError
            An entry is not an array of floats. Nothing is written.
        """
        state_dict = state_dict if rename is None else renamed(state_dict, rename)
        load_entries(self.stored, state_dict, type(self).__name__, self.other_names())

    # -- copies ------------------------------------------------------------------------------------------------------

    def inference_copy(self) -> "Layer":
        """A deterministic copy: its `forward` computes the same as a call of this layer.

        It never recomputes gates, so that its tapes hold them.

        Returns
        -------
        Layer
            With the same parameters and gradients of 0. It shares no array with this layer.
        """
        make, arguments = self.__reduce__()
        return make(*arguments)

    def __copy__(self) -> "Layer":
        """As `copy.deepcopy`, of a container too: a copy has parameters of its own. ``model[:]`` shares them."""
        from copy import deepcopy  # importing fastrnn does not load that module

        return deepcopy(self)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        """Copies and pickles: the same layer with the same parameters; gradients of 0."""
        return rebuilt, (type(self), self.config(), self.state_dict(), self.random_state)

    def __setattr__(self, name: str, value: Any) -> None:
        known = getattr(type(self), name, None)
        fixed = name in self.__dict__ or not (known is None or name in self._options)
        if not name.startswith("_") and fixed and not getattr(known, "fset", None):
            hint = "add_parameters makes parameters" if name in ("params", "grads") else "construct a new layer"
            raise AttributeError(f"{name}: the configuration of a layer is read-only; {hint}")
        super().__setattr__(name, value)


def rebuilt(kind: type, config: dict[str, Any], state_dict: dict[str, Array], random_state: Any) -> Layer:
    """A layer of a class and a config, with these parameters."""
    with made_again():
        layer = kind(**config)
    layer.load_state_dict(state_dict)
    layer.random_state = random_state
    return layer


def prefix_of(name: str) -> str:
    """The prefix of the names of a child's parameters."""
    return f"{name}." if name else ""


def leaves(layer: Any) -> list[Any]:
    """The layers inside a layer that have no others in them, in order; the layer itself if it has none."""
    children = layer.children().values() if isinstance(layer, Layer) else ()
    return [leaf for child in children for leaf in leaves(child)] or [layer]


def every_layer(layer: Any) -> Iterator[Layer]:
    """The layer and all layers inside it, containers included; none if it is not a layer."""
    if isinstance(layer, Layer):
        yield layer
        for child in layer.children().values():
            yield from every_layer(child)
