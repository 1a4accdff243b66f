# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]
_Order = tuple[_Array, _Array, _Array]

__version__: str
CELLS: dict[str, tuple[int, int, int, bool, bool, tuple[str, ...], tuple[int, ...], str | None]]
BUILT_ISAS: tuple[str, ...]
ISAS: tuple[str, ...]
ACTS: dict[str, int]
RULES: dict[str, int]
PROBES: dict[str, int]
SPARE_BYTES: int

def set_isa(name: str) -> None: ...
def get_isa() -> str: ...
def openmp() -> bool: ...
def may_thread() -> bool: ...
def max_threads() -> int: ...

class StateUpdate:
    def __init__(
        self,
        fraction_h: _Array | None = None,
        fraction_c: _Array | None = None,
        mask: _Array | None = None,
        clip: float = 0,
    ) -> None: ...

class Pack:
    spare: list[_Array]

class Weights:
    def __init__(
        self,
        cell: int,
        dtype: int,
        input_size: int,
        hidden_size: int,
        arrays: Sequence[_Array | None],
        lent: Any,
        state_update: StateUpdate | None = None,
    ) -> None: ...
    def pack(self) -> Pack: ...

class Stepper:
    def __init__(
        self,
        layers: Sequence[tuple[Weights, _Array, _Array | None]],
        outputs: Sequence[_Array],
        threads: Callable[[], int],
    ) -> None: ...
    def step(self, x: Any, out: Any) -> bool: ...

def forward(
    pack: Pack,
    x: _Array,
    y: _Array,
    h_0: _Array | None,
    c_0: _Array | None,
    h_n: _Array | None,
    c_n: _Array | None,
    tape_gates: _Array | None,
    tape_c: _Array | None,
    order: _Order | None,
    state_update: StateUpdate,
    reverse: bool,
    n_threads: int,
) -> None: ...
def backward(
    pack: Pack,
    x: _Array,
    y: _Array | None,
    h_0: _Array | None,
    c_0: _Array | None,
    tape_gates: _Array,
    tape_c: _Array | None,
    dy: _Array | None,
    dh_n: _Array | None,
    dc_n: _Array | None,
    dx: _Array | None,
    dh_0: _Array | None,
    dc_0: _Array | None,
    grads: Sequence[_Array | None],
    order: _Order | None,
    state_update: StateUpdate,
    reverse: bool,
    n_threads: int,
) -> None: ...

class Inference:
    def __init__(
        self,
        weights: list[Weights],
        directions: int,
        parts: int,
        batch_first: bool,
        threads: Callable[[], int],
        empty: Callable[..., _Array],
        ndarray: type,
        dtype: object,
    ) -> None: ...
    def __call__(self, x: object, state: object) -> tuple[_Array, object] | None: ...

def update(
    rule: str,
    p: _Array,
    g: _Array,
    m: _Array | None,
    s: _Array | None,
    v: _Array | None,
    n_threads: int,
    rate: float,
    keep: float = 1,
    decay: float = 0,
    beta1: float = 0,
    beta2: float = 0,
    root: float = 1,
    eps: float = 0,
    momentum: float = 0,
    nesterov: bool = False,
) -> None: ...
def sum_of_squares(x: _Array) -> float: ...
def activation(name: str, x: _Array, y: _Array) -> None: ...
def gemm(a: _Array, b: _Array, c: _Array, vectors: int = 4) -> None: ...
def probe(what: str, dtype: int, nbytes: int, repeats: int, n_threads: int) -> tuple[float, float]: ...
