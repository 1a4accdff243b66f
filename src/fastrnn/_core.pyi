# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_Float: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
_Pair: TypeAlias = tuple[_Float | None, _Float | None]  # of h and c
_Dropout: TypeAlias = tuple[float, Sequence[NDArray[np.bool_]], Sequence[_Float]]
_Indices: TypeAlias = NDArray[np.intp]
_Order: TypeAlias = tuple[_Indices, _Indices, _Indices, _Indices | None, _Indices | None]

__version__: str
CELLS: dict[str, tuple[int, int, int, bool, bool, tuple[str, ...], tuple[int, ...], str | None]]
BUILT_ISAS: tuple[str, ...]
ISAS: tuple[str, ...]
ACTS: dict[str, int]
PROBES: dict[str, int]
RULES: dict[str, int]
SPARE_BYTES: int
MAX_THREADS: int

def set_isa(name: str) -> None: ...
def get_isa() -> str: ...
def openmp() -> bool: ...
def thread_limit() -> int: ...
def max_threads() -> int: ...

class Block:
    def __init__(self, nbytes: int) -> None: ...

class Array: ...
class Slot: ...

class Arrays:
    def __init__(self, arrays: Mapping[str, np.ndarray] = ...) -> None: ...
    def add(self, name: str, array: np.ndarray) -> None: ...
    def get(self, name: str) -> np.ndarray | None: ...
    def __getitem__(self, name: str) -> np.ndarray: ...
    def __setitem__(self, name: str, value: np.ndarray) -> None: ...
    def __contains__(self, name: object) -> bool: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def items(self) -> Iterator[tuple[str, np.ndarray]]: ...
    def stamp(self) -> int: ...
    def shapes(self) -> dict[str, tuple[int, ...]]: ...
    def damaged(self) -> tuple[str, str] | None: ...

class StateUpdate:
    def __init__(
        self, fraction_h: _Float | None = None, fraction_c: _Float | None = None, mask: _Float | None = None,
        clip: float = 0,
    ) -> None: ...  # fmt: skip

class Pack:
    @property
    def hidden_size(self) -> int: ...
    @property
    def passes(self) -> tuple[str, ...]: ...
    @property
    def spare(self) -> list[_Float]: ...

class Weights:
    def __init__(
        self,
        cell: int,
        dtype: int,
        input_size: int,
        hidden_size: int,
        arrays: Arrays,
        names: Sequence[str | None],
        state_update: StateUpdate,
    ) -> None: ...
    def allow_sparse(self) -> None: ...
    def pack(self) -> Pack: ...

class Recurrence:
    def __init__(self, order: _Order | None, reverse: bool, n_threads: int, packed: bool = False) -> None: ...

def sorted_by_length(lengths: _Indices, T: int) -> Block: ...
def packing(lengths: _Indices, most: int) -> tuple[int, int, Block]: ...
def order_of_packed(batch_sizes: _Indices, sorted_indices: _Indices | None = None) -> Block | None: ...
def gradient_lengths(dy: _Float) -> Block | None: ...
def forward(
    recurrence: Recurrence,
    x: _Float,
    ys: Sequence[_Float | None],
    entries: Sequence[tuple[Pack, StateUpdate, _Pair, _Pair, _Pair]],
    dropout: _Dropout | None = None,
) -> None: ...
def backward(
    recurrence: Recurrence,
    x: _Float,
    ys: Sequence[_Float],
    entries: Sequence[tuple[Pack, StateUpdate, _Pair, _Pair, _Pair, _Pair, Sequence[_Float | None]]],
    gradients: tuple[Sequence[_Float | None], _Float | None],
    dropout: _Dropout | None = None,
    gates_done: bool = False,
) -> None: ...

class Bound: ...
class Layers: ...
class Call: ...
class Steps(Bound): ...
class Small: ...

class Inference(Bound):
    def __init__(
        self,
        weights: list[Weights],
        directions: int,
        parts: int,
        batch_first: bool,
        threads: Callable[[], int],
        empty: Callable[[tuple[int, ...], np.dtype[np.floating]], _Float],
        ndarray: type[np.ndarray],
        dtype: np.dtype[np.floating],
        *others: object,
    ) -> None: ...
    def __call__(
        self, x: object, state: object, order: Sequence[_Indices | None] | None = None
    ) -> tuple[_Float, _Float | tuple[_Float, _Float]] | None: ...

class Kept:
    @property
    def x(self) -> _Float: ...
    @property
    def y(self) -> _Float: ...
    @property
    def order(self) -> Sequence[_Indices | None] | None: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def memory(self) -> Block: ...
    @property
    def packs(self) -> list[Pack]: ...
    def take(self) -> bool: ...
    def contents(self) -> list[tuple[str, int, int, tuple[int, ...]]]: ...

_Gradients: TypeAlias = Sequence[_Float | None]

class Training(Inference):
    def __init__(
        self,
        weights: list[Weights],
        directions: int,
        parts: int,
        batch_first: bool,
        threads: Callable[[], int],
        empty: Callable[[tuple[int, ...], np.dtype[np.floating]], _Float],
        ndarray: type[np.ndarray],
        dtype: np.dtype[np.floating],
        grads: Sequence[_Gradients],
    ) -> None: ...
    def restrict(self, with_state: bool, without_training: bool, reverse: bool = False) -> None: ...
    def forward(
        self, x: object, state: object, order: Sequence[_Indices | None] | None = None
    ) -> tuple[_Float, _Float | tuple[_Float, _Float], Kept] | None: ...
    def backward(
        self,
        kept: Kept,
        dy: object,
        dstate: object,
        frozen: bool = False,
        needs_dx: bool = True,
        reads_gates: bool = False,
    ) -> tuple[_Float | None, _Float | tuple[_Float, _Float]] | None: ...

class Exclusive:
    def __enter__(self) -> None: ...
    def __exit__(self, *exception: object) -> None: ...

def exclusive(refusal: str) -> Exclusive: ...

class Stepper(Exclusive):
    def __init__(
        self,
        layers: Sequence[tuple[Weights, _Float | None, _Float | None]],
        N: int,
        threads: Callable[[], int],
    ) -> None: ...
    def step(self, /, x: object, out: object) -> bool: ...
    def steps(self, /, x: object, out: object) -> bool: ...
    def step_rows(self, x: _Float, rows: _Indices, out: _Float) -> None: ...

class Rule:
    def __init__(self, rule: str, **numbers: float) -> None: ...

def update(
    parameters: Sequence[tuple[Rule, _Float, _Float, _Float | None, _Float | None, _Float | None]],
    n_threads: int,
) -> bool: ...
def sums_of_squares(arrays: list[_Float]) -> list[float]: ...
def max_pool(x: _Float, first: _Indices | None, lengths: _Indices, y: _Float, steps: _Indices) -> None: ...
def set_to_zero(arrays: list[_Float]) -> bool: ...
def cross_entropy(
    z: _Float,
    target: _Indices,
    peak: NDArray[np.float64],
    spread: _Float | None,
    scale: NDArray[np.float64],
    dz: _Float,
    losses: NDArray[np.float64],
    n_threads: int,
) -> None: ...
def ctc(
    z: _Float,
    rows: tuple[_Indices, _Indices, _Indices],
    blank: int,
    zero_infinity: bool,
    scale: NDArray[np.float64],
    dz: _Float,
    losses: NDArray[np.float64],
    n_threads: int,
) -> None: ...

_Memory: TypeAlias = tuple[_Float, _Float, _Float | None, _Indices | None]

class HeldMemory:
    def __init__(self, memory: _Memory) -> None: ...

def attention(
    memory: _Memory,
    query: _Float,
    context: _Float,
    weights: _Float,
    n_threads: int,
) -> None: ...
def attention_back(
    memory: _Memory,
    passed: tuple[_Float, _Float],
    upstream: tuple[_Float, _Float | None],
    results: tuple[_Float, _Float, _Float | None, _Float | None],
    n_threads: int,
) -> None: ...
def attention_outer(columns: _Float, rows: _Float, lengths: _Indices | None, total: _Float, n_threads: int) -> None: ...
def activation(name: str, x: _Float, y: _Float) -> None: ...
def gemm(a: _Float, b: _Float, c: _Float, vectors: int = 4) -> None: ...
def plan(
    recurrence: Recurrence,
    cell: str,
    sizes: tuple[int, int, int, int],
    dtype: int = 0,
    backward: bool = False,
    caches: tuple[int, int, int] | None = None,
) -> tuple[int, int, float]: ...
def probe(what: str, dtype: int, nbytes: int, repeats: int, n_threads: int) -> tuple[float, float]: ...
