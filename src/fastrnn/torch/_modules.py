# SPDX-License-Identifier: BSD-3-Clause
"""LSTM, GRU and RNN: PyTorch's modules, with a forward of our own."""

import copy
import sys
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.utils.rnn import PackedSequence
from torch.utils._device import DeviceContext

from . import _compiled as compiled
from . import _dynamo as dynamo
from . import _symbolic as symbolic
from ._autograd import Plan, train
from ._binding import PLAIN, bound, weights_of
from ._calls import ALL, Steps, check_packed, fits, in_transform, infer, infer_small
from ._resets import by_packing, check_resets, only_first, without_rows

# A dispatch mode, in which a tensor stands for more than its memory, records operations or computes with shapes alone.
_modes: Callable[[], int] = getattr(torch._C, "_len_torch_dispatch_stack", lambda: 0)
# A mode of functions sees calls of PyTorch's functions; the one of a default device has nothing to see here.
_function_modes: Callable[[], int] = getattr(torch._C, "_len_torch_function_stack", lambda: 0)
_get_function_stack_at: Callable[[int], Any] = getattr(torch._C, "_get_function_stack_at", lambda k: None)
_is_tracing: Callable[[], bool] = torch._C._is_tracing
is_exporting: Callable[[], bool] = getattr(torch.compiler, "is_exporting", lambda: False)
HALF = {"weights of torch.float16", "weights of torch.bfloat16"}
_hidden: list[Callable[..., Any]] = []
_warned: set[str] = set()


def _is_special() -> bool:
    """Whether this is a call of which PyTorch wants to see every operation, or in which it chooses the dtype."""
    return (
        _is_tracing()
        or torch.is_autocast_enabled("cpu")
        or _modes() > 0
        or (_function_modes() > 0 and _is_watched())
        or forward_ad._current_level >= 0
        or in_transform()
    )


def _is_watched() -> bool:
    """Whether a mode of functions is more than a default device."""
    modes = (_get_function_stack_at(k) for k in range(_function_modes()))
    return any(not isinstance(mode, DeviceContext) for mode in modes)


def _warn(refusal: str) -> None:
    """Warn, once for each reason, that a module on another device or of half precision is PyTorch's own."""
    elsewhere = refusal.startswith("weights on the device") and not refusal.endswith(" meta")
    if (elsewhere or refusal in HALF) and refusal not in _warned:
        _warned.add(refusal)
        words = f"fastrnn computes float32 and float64 on the CPU, got {refusal}: PyTorch's own code runs instead"
        warnings.warn(words, stacklevel=6)


def _run(module: Any, x: Tensor, hx: Any, steps: Steps) -> Any:
    """y and the final state; None if PyTorch's own code should run."""
    if type(x) not in PLAIN or x.layout is not torch.strided or x.is_nested or _is_special():
        return None
    weights = weights_of(module)
    cache = bound(module, weights)
    if cache.bound is None:
        _warn(cache.refusal)
        return None
    dropout = module.dropout if module.training and module.num_layers > 1 else 0.0
    trains = dropout or torch.is_grad_enabled() and _any_requires_grad(x, hx, weights)
    if steps is ALL and not trains and x.is_cpu and (result := infer_small(cache.bound, x, hx)) is not None:
        return result
    if not fits(cache.bound, module, x, hx, steps.packed):
        return None
    if trains:
        return train(Plan(cache.bound, module.batch_first, dropout, steps), x, hx, weights)
    return infer(cache.bound, module.batch_first, x, hx, steps)


def _any_requires_grad(x: Tensor, hx: Any, weights: list[Tensor]) -> bool:
    if x.requires_grad:
        return True
    for weight in weights:
        if weight.requires_grad:
            return True
    return any(getattr(part, "requires_grad", False) for part in (hx if type(hx) is tuple else (hx,)))


def _runner() -> Callable[..., Any]:
    """`_run`, hidden from torch.compile if that is in use: it looks below a call, too, that it does not record."""
    if "torch._dynamo" not in sys.modules:
        return _run
    if not _hidden:
        _hidden.append(torch.compiler.disable(_run))
    return _hidden[0]


def is_recorded() -> bool:
    """Whether torch.compile records this call; an export, which has PyTorch's operations alone, does not count."""
    return torch.compiler.is_dynamo_compiling() and not is_exporting()


def forward(self: Any, input: Any, hx: Any = None, resets: Any = None) -> Any:
    """The forward pass, like that of PyTorch's module: y and the final state.

    Parameters
    ----------
    input : Tensor or PackedSequence
        x (T, N, I), with `batch_first` (N, T, I), unbatched (T, I), or packed.
    hx : Tensor or tuple of Tensor, optional
        h, of an LSTM (h, c), each (L*D, N, H), unbatched (L*D, H). By default zeros.
    resets : Tensor of bool, optional
        (T, N), laid out as x: True at steps that start from a zero state, such as the first of an episode. In the
        reverse direction, no state is passed to the step before. Not supported for packed sequences.

    Returns
    -------
    y : Tensor or PackedSequence
        D*H features, laid out as the input; not a view.
    hx : Tensor or tuple of Tensor
        The final state.

    Raises
    ------
    TypeError, ValueError
        `resets` is not of bools, or does not fit x; other errors are PyTorch's.
    """
    if type(input) is not Tensor and not torch.compiler.is_compiling():
        if (node := symbolic.recorded(self, input, hx, resets)) is not None:
            return node
    if resets is not None:
        check_resets(self, input, resets)
    if torch.compiler.is_compiling():
        if is_recorded():
            if compiled.fits(self, input, hx):
                return compiled.call(self, input, hx, resets)
            if dynamo.breaks():
                return dynamo.outside[0](self, input, hx, resets)
    else:
        if resets is not None and only_first(self, resets):
            hx, resets = without_rows(self, hx, resets), None
        packed = input if type(input) is not Tensor and isinstance(input, PackedSequence) else None
        steps = ALL if packed is None and resets is None else Steps(packed, resets)
        found = _runner()(self, input if packed is None else packed.data, hx, steps)
        if found is not None:
            return found
        if packed is not None and self.mode == "LSTM":
            check_packed(self, packed, hx)
    return self._plain.forward(self, input, hx) if resets is None else by_packing(self, input, hx, resets)


def getstate(self: Any) -> dict[str, Any]:
    """The state for copies and pickles, without the engine's view of the weights."""
    state = dict(self._plain.__getstate__(self))
    state.pop("_fastrnn", None)
    return state


def plain(self: Any) -> nn.Module:
    """PyTorch's own module with the same parameters: what torch.jit.script compiles."""
    if type(self).forward is not forward:  # of a subclass, which would be dropped
        return self
    twin = copy.copy(self)
    twin.__class__ = self._plain
    return twin


class LSTM(nn.LSTM):
    """A torch.nn.LSTM that uses fastrnn for float32 and float64 on the CPU.

    Calls take an additional argument `resets`. Otherwise arguments, parameters, state_dict and hooks are PyTorch's, and
    results are equal up to rounding. PyTorch's own implementation is used with `proj_size`, on other devices and in
    other dtypes (with a warning), under autocast and torch.func, and when a model is traced, scripted or exported.

    Parameters
    ----------
    *args, **kwargs
        Those of torch.nn.LSTM.

    Examples
    --------
    >>> import torch, fastrnn.torch
    >>> lstm = fastrnn.torch.LSTM(3, 4, batch_first=True)
    >>> y, (h, c) = lstm(torch.zeros(2, 5, 3))
    >>> y.sum().backward()
    >>> y.shape, h.shape, lstm.weight_ih_l0.grad.shape
    (torch.Size([2, 5, 4]), torch.Size([1, 2, 4]), torch.Size([16, 3]))
    """

    __module__ = "fastrnn.torch"  # where pickles find it
    _plain = nn.LSTM
    forward: Callable[..., Any] = forward
    __getstate__ = getstate
    __prepare_scriptable__ = plain


class GRU(nn.GRU):
    """A torch.nn.GRU that uses fastrnn for float32 and float64 on the CPU. See `LSTM`.

    Parameters
    ----------
    *args, **kwargs
        Those of torch.nn.GRU.

    Examples
    --------
    >>> import torch, fastrnn.torch
    >>> y, h = fastrnn.torch.GRU(3, 4)(torch.zeros(5, 2, 3))
    >>> y.shape
    torch.Size([5, 2, 4])
    """

    __module__ = "fastrnn.torch"
    _plain = nn.GRU
    forward: Callable[..., Any] = forward
    __getstate__ = getstate
    __prepare_scriptable__ = plain


class RNN(nn.RNN):
    """A torch.nn.RNN that uses fastrnn for float32 and float64 on the CPU. See `LSTM`.

    Parameters
    ----------
    *args, **kwargs
        Those of torch.nn.RNN.

    Examples
    --------
    >>> import torch, fastrnn.torch
    >>> y, h = fastrnn.torch.RNN(3, 4, nonlinearity="relu")(torch.zeros(5, 2, 3))
    >>> y.shape
    torch.Size([5, 2, 4])
    """

    __module__ = "fastrnn.torch"
    _plain = nn.RNN
    forward: Callable[..., Any] = forward
    __getstate__ = getstate
    __prepare_scriptable__ = plain


PARENTS: dict[type, type] = {kind: kind._plain for kind in (LSTM, GRU, RNN)}
dynamo.register(tuple(PARENTS), forward)
