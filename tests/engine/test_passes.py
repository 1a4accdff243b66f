# SPDX-License-Identifier: BSD-3-Clause
"""What the recurrent layers take, in which layouts, and what they say to everything else.

Nothing that a caller passes may crash the process, be written to, or be refused without a message
that names the argument, what was expected and what came.
"""

import array
import contextlib
import ctypes
import functools
import math
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from support.recurrent import as_state, as_tuple, make_layer, random_state, run_reference
from support.tolerance import assert_close

import fastrnn as fr

T, N, I, H = 5, 2, 3, 4


@pytest.fixture(params=[fr.RNN, fr.LSTM, fr.GRU], ids=lambda kind: kind.__name__)
def kind(request):
    """Each class of recurrent layers."""
    return request.param


@contextlib.contextmanager
def refused(error, name, *words):
    """The block raises `error`; its message begins with the argument's name and holds `words`."""
    with pytest.raises(error) as caught:
        yield
    message = str(caught.value)
    assert message.startswith((f"{name}:", f"{name}["))
    for word in words:
        assert word in message


def assert_same_bits(actual, expected):
    """Two arrays, or tuples of arrays, are the same in shape, dtype and every bit."""
    actual, expected = as_tuple(actual), as_tuple(expected)
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        differ = int((a.view(f"u{a.itemsize}") != b.view(f"u{b.itemsize}")).sum()) if a.size else 0
        assert not differ, f"{differ} of {a.size} elements differ"


def snapshot(arrays):
    return {name: array.copy() for name, array in arrays.items()}


def assert_same_arrays(actual, expected):
    assert actual.keys() == expected.keys()
    for name in expected:
        assert_same_bits(actual[name], expected[name])


def sequence(rng, *shape, dtype=np.float32):
    return rng.standard_normal(shape or (T, N, I)).astype(dtype)


def train(layer, x, state=None, lengths=None, dy=None, dstate=None):
    """One step of training: y, the final state, dx, the gradient of the initial state."""
    y, final, tape = layer.forward(x, state, lengths)
    dx, dinitial = layer.backward(tape, np.ones_like(y) if dy is None else dy, dstate)
    return y, final, dx, dinitial


# -- x ---------------------------------------------------------------------------------------------


BAD_SHAPES = [(), (I,), (1, T, N, I), (T, N, I + 1), (T, I - 1), (T, N, 0)]


@pytest.mark.parametrize("shape", BAD_SHAPES, ids=str)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("method", ["__call__", "forward"])
def test_x_of_the_wrong_shape_is_refused(kind, shape, batch_first, method):
    layer = kind(I, H, batch_first=batch_first)
    expected = "(N, T, 3) or (T, 3)" if batch_first else "(T, N, 3) or (T, 3)"
    with refused(ValueError, "x", f"expected {expected}", f"got {shape}"):
        getattr(layer, method)(np.ones(shape, np.float32))


@pytest.mark.parametrize(
    "given",
    [
        np.complex64,
        object,
        str,
        np.int64,
        np.uint8,
        bool,
        np.float16,
        np.longdouble,
        "M8[s]",
        ">f4",
        ">f8",
    ],
    ids=lambda given: np.dtype(given).str,
)
@pytest.mark.parametrize("own", [np.float32, np.float64])
def test_x_of_a_dtype_that_is_not_the_layers_is_refused(kind, own, given):
    """Nothing is converted silently, not even the other byte order."""
    x = np.ones((T, N, I)).astype(given)
    with refused(TypeError, "x", f"expected {np.dtype(own)}", f"got {x.dtype}"):
        kind(I, H, dtype=own)(x)


@pytest.mark.parametrize(("own", "other"), [("float32", "float64"), ("float64", "float32")])
def test_the_other_float_is_refused_with_both_ways_out(kind, own, other):
    """The message says how to convert, and how to make a layer that takes it."""
    layer = kind(I, H, dtype=own)
    with refused(
        TypeError,
        "x",
        f"expected {own}",
        f"got {other}",
        f"x.astype(np.{own})",
        f"dtype=np.{other}",
    ):
        layer(np.ones((T, N, I), other))
    layer(np.ones((T, N, I), other).astype(own))
    kind(I, H, dtype=other)(np.ones((T, N, I), other))


@pytest.mark.parametrize(
    ("value", "came"),
    [
        (None, "None"),
        ({}, "dict"),
        (len, "builtin_function"),
        (object(), "object"),
        ("abc", "<U3"),
        (b"abc", "S3"),
        ([[[1.0, 2.0, 3.0]], [[1.0, 2.0]]], "list"),  # ragged
        ([["a", "b", "c"]], "<U1"),
        ([[True, False, True]], "bool"),
        ([[1j, 0, 0]], "complex128"),
    ],
    ids=lambda value: repr(value)[:25],
)
def test_x_that_is_no_array_of_numbers_is_refused(kind, value, came):
    with refused(TypeError, "x", "expected", came):
        kind(I, H)(value)


def test_lists_of_numbers_are_taken(kind, rng):
    """Python numbers have no dtype of their own: floats and integers become the layer's dtype."""
    layer, x = kind(I, H, seed=0), rng.integers(-3, 4, (T, N, I))
    y, state = layer(x.astype(np.float32))
    for given in (x.tolist(), x.astype(float).tolist(), tuple(x.tolist())):
        again, final = layer(given)
        assert_same_bits(again, y)
        assert_same_bits(final, state)


class Subclass(np.ndarray):
    """An array that would like to have a say in everything."""

    def __array_finalize__(self, other):
        self.extra = getattr(other, "extra", "hello")


class OnlyArray:
    """An object of another library that converts itself."""

    def __init__(self, array):
        self._array = array

    def __array__(self, dtype=None, copy=None):
        return self._array


class OnlyDLPack:
    """A tensor of another library that speaks nothing but DLPack."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


WRAPPERS = {
    "masked array": lambda x: np.ma.masked_array(x, mask=np.zeros(x.shape, bool)),
    "subclass": lambda x: x.view(Subclass),
    "memoryview": memoryview,
    "array.array": lambda x: memoryview(array.array("f", x.ravel())).cast("B").cast("f", x.shape),
    "bytearray": lambda x: memoryview(bytearray(x.tobytes())).cast("f", x.shape),
    "__array__": OnlyArray,
    "DLPack": OnlyDLPack,
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_whatever_holds_floats_in_memory_is_taken(kind, wrap, rng):
    """As x, as state, as dy and as dstate; the results are plain arrays."""
    layer, x, dy = kind(I, H, seed=0), sequence(rng), sequence(rng, T, N, H)
    state, dstate = random_state(layer, N, rng), random_state(layer, N, rng)
    expected = train(layer, x, state, None, dy, dstate)
    actual = train(
        layer,
        wrap(x),
        as_state(map(wrap, as_tuple(state))),
        None,
        wrap(dy),
        as_state(map(wrap, as_tuple(dstate))),
    )
    for a, b in zip(actual, expected, strict=True):
        assert all(type(part) is np.ndarray for part in as_tuple(a))
        assert_same_bits(a, b)


class OnAnAccelerator(OnlyDLPack):
    """A capsule that says, honestly, that its memory is a CUDA device's."""

    def __dlpack__(self, **options):
        capsule = self._array.__dlpack__()
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype, pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
        # struct DLTensor { void *data; struct { int device_type, device_id; } device; ... }
        at = pointer(capsule, b"dltensor") + ctypes.sizeof(ctypes.c_void_p)
        ctypes.c_int32.from_address(at).value = 2
        return capsule

    def __dlpack_device__(self):
        return (2, 0)


class WillNotExport(OnlyDLPack):
    """A producer that cannot hand its memory out to a CPU."""

    def __dlpack__(self, **options):
        raise BufferError("cannot export across devices")

    def __dlpack_device__(self):
        return (2, 0)


@pytest.mark.parametrize("wrap", [OnAnAccelerator, WillNotExport])
def test_a_tensor_that_is_not_in_cpu_memory_is_refused(kind, wrap):
    with refused(TypeError, "x", "CPU memory", wrap.__name__):
        kind(I, H)(wrap(np.ones((T, N, I), np.float32)))


def test_an_object_that_fails_to_become_an_array_is_refused_by_name(kind):
    class Broken:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("the sensor is off")

    with refused(TypeError, "x", "Broken", "the sensor is off"):
        kind(I, H)(Broken())


def test_memory_that_a_conversion_cannot_have_is_a_memory_error(kind):
    """It says nothing about the type of x."""

    class Huge:
        def __array__(self, dtype=None, copy=None):
            raise MemoryError

    with pytest.raises(MemoryError):
        kind(I, H)(Huge())


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed: no tensors were tried")


def test_torch_tensors_are_taken(torch, kind, rng):
    layer, x = kind(I, H, seed=0), sequence(rng)
    expected = train(layer, x, None, [T, 2], np.ones((T, N, H), np.float32))
    ones, lengths = torch.ones((T, N, H)), torch.tensor([T, 2])
    for a, b in zip(train(layer, torch.from_numpy(x), None, lengths, ones), expected, strict=True):
        assert_same_bits(a, b)


def test_torch_tensors_without_numpy_counterpart_are_refused_by_name(torch, kind):
    x = torch.ones((T, N, I))
    for tensor in (x.clone().requires_grad_(), x.bfloat16(), x.to("meta"), x[:, 0].to_sparse()):
        with refused(TypeError, "x", "Tensor"):
            kind(I, H)(tensor)
    with refused(TypeError, "x", "x.astype(np.float32)"):
        kind(I, H)(x.double())


# -- layouts ---------------------------------------------------------------------------------------


def spread(array, axis):
    """`array` as every other element, along an axis, of one that holds NaN in between."""
    index = [slice(None)] * array.ndim
    index[axis] = slice(None, None, 2)
    shape = [2 * n if k == axis else n for k, n in enumerate(array.shape)]
    view = np.full(shape, np.nan, array.dtype)[tuple(index)]
    view[...] = array
    return view


def turned(array, axis):
    """`array` with a negative stride along an axis."""
    return np.flip(np.flip(array, axis).copy(), axis)


def constant(array, axis):
    """The first element along an axis, repeated with a stride of 0."""
    return np.broadcast_to(np.take(array, [0], axis), array.shape)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def unaligned(array):
    """`array` at an address that is no multiple of its item size."""
    buffer = np.full(array.nbytes + 1, 255, np.uint8)
    view = buffer[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    assert not view.flags.aligned
    return view


def field(array):
    """`array` as a field of packed records: strides that are no multiples of the item size."""
    records = np.zeros(array.shape, [("value", array.dtype), ("tag", np.uint8)])
    records["value"] = array
    return records["value"]


def fields(array):
    """The same with whole rows in a record: only the last axis is contiguous."""
    row = ("value", array.dtype, array.shape[-1:])
    records = np.zeros(array.shape[:-1], [row, ("tag", np.uint8)])
    records["value"] = array
    return records["value"]


LAYOUTS = {
    "contiguous": np.array,
    "read-only": read_only,
    "Fortran": np.asfortranarray,
    "unaligned": unaligned,
    "field": field,
    "fields": fields,
    "transposed": lambda array: array.swapaxes(0, 1).copy().swapaxes(0, 1),
    **{f"spread {k}": functools.partial(spread, axis=k) for k in range(3)},
    **{f"turned {k}": functools.partial(turned, axis=k) for k in range(3)},
    **{f"constant {k}": functools.partial(constant, axis=k) for k in range(3)},
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("batch_first", [False, True], ids=["time first", "batch first"])
def test_every_layout_gives_the_bits_of_the_contiguous_copy(kind, isa, layout, batch_first, rng):
    """x, state, dy and dstate in a layout as in a C-ordered copy; none of them is written to."""
    rows, options = (
        6,
        {"num_layers": 2, "bidirectional": True, "batch_first": batch_first, "seed": 0},
    )
    layer, again = kind(I, H, **options), kind(I, H, **options)
    leading = (rows, T) if batch_first else (T, rows)
    state, dstate = random_state(layer, rows, rng), random_state(layer, rows, rng)
    plain = [
        sequence(rng, *leading, I),
        *as_tuple(state),
        sequence(rng, *leading, 2 * H),
        *as_tuple(dstate),
    ]
    given = [layout(part) for part in plain]
    memory = [part if part.base is None else part.base for part in given]
    before = [part.tobytes() for part in memory]

    def arguments(arrays):
        parts = len(as_tuple(state))
        x, h, dy, dh = arrays[0], arrays[1 : 1 + parts], arrays[1 + parts], arrays[2 + parts :]
        one = lambda arrays: tuple(arrays) if parts > 1 else arrays[0]  # noqa: E731
        return x, one(h), [T, 0, 3, 1, T, 2], dy, one(dh)

    expected = train(again, *arguments([np.array(part, order="C") for part in given]))
    for a, b in zip(train(layer, *arguments(given)), expected, strict=True):
        assert_same_bits(a, b)
    assert_same_arrays(layer.grads, again.grads)
    assert_same_bits(layer(*arguments(given)[:3])[0], expected[0])
    assert [part.tobytes() for part in memory] == before


@pytest.mark.parametrize("layout", ["read-only", "unaligned", "spread 0", "turned 1", "constant 0"])
def test_every_layout_gives_the_same_bits_in_double_precision(kind, isa, layout, rng):
    layer, x = kind(I, H, dtype=np.float64, seed=0), sequence(rng, T, 6, I, dtype=np.float64)
    given = LAYOUTS[layout](x)
    assert_same_bits(layer(given)[0], layer(np.array(given, order="C"))[0])


def without_batch(state):
    """The state of a batch of one as an unbatched sequence has it."""
    return as_state(part[:, 0] for part in as_tuple(state))


def test_batch_first_changes_nothing_of_an_unbatched_sequence(kind, rng):
    """(T, I) gives (T, D*H) and states without the axis N, with the bits of (1, T, I)."""
    options = {"num_layers": 2, "bidirectional": True, "batch_first": True, "seed": 0}
    layer, other = kind(I, H, **options), kind(I, H, **options)
    x, dy, state = sequence(rng, 1, T, I), sequence(rng, 1, T, 2 * H), random_state(layer, 1, rng)
    y, final, dx, dinitial = train(layer, x, state, [3], dy, state)
    single = train(other, x[0], without_batch(state), [3], dy[0], without_batch(state))
    assert_same_bits(single[0], y[0])
    assert_same_bits(single[1], without_batch(final))
    assert_same_bits(single[2], dx[0])
    assert_same_bits(single[3], without_batch(dinitial))
    assert_same_arrays(other.grads, layer.grads)


# -- states ----------------------------------------------------------------------------------------


BAD_STATES = [(2, N, H), (1, N + 1, H), (1, N, H + 1), (N, H), (1, 1, N, H), ()]


@pytest.mark.parametrize("shape", BAD_STATES, ids=str)
def test_a_state_of_the_wrong_shape_is_refused(kind, shape):
    layer = kind(I, H)
    state = np.zeros(shape, np.float32)
    with refused(ValueError, "state", f"expected {(1, N, H)}", f"got {shape}"):
        layer(np.ones((T, N, I), np.float32), (state, state) if kind is fr.LSTM else state)


def test_the_state_of_an_unbatched_sequence_has_no_batch_axis(kind):
    layer, state = kind(I, H), np.zeros((1, 1, H), np.float32)
    with refused(ValueError, "state", f"expected {(1, H)}", f"got {(1, 1, H)}"):
        layer(np.ones((T, I), np.float32), (state, state) if kind is fr.LSTM else state)


@pytest.mark.parametrize(("own", "other"), [("float32", "float64"), ("float64", "float32")])
def test_x_and_state_of_different_dtypes_are_refused(kind, own, other):
    layer, state = kind(I, H, dtype=own), np.zeros((1, N, H), other)
    with refused(TypeError, "state", f"expected {own}", f"got {other}", f"np.{own}"):
        layer(np.ones((T, N, I), own), (state, state) if kind is fr.LSTM else state)


@pytest.mark.parametrize(
    ("state", "came"),
    [
        (np.zeros((1, N, H), np.float32), "ndarray"),
        (np.zeros((2, 1, N, H), np.float32), "ndarray"),
        ([np.zeros((1, N, H), np.float32)] * 3, "3"),
        ((np.zeros((1, N, H), np.float32),), "1"),
        ((), "0"),
        ({"h": 0, "c": 0}, "dict"),
        ("hc", "str"),
    ],
    ids=["array", "stacked", "three", "one", "none", "dict", "str"],
)
def test_a_state_of_the_lstm_that_is_no_pair_is_refused(state, came):
    with refused(TypeError, "state", "(h, c)", f"got {came}"):
        fr.LSTM(I, H)(np.ones((T, N, I), np.float32), state)


def test_the_part_of_a_state_that_is_wrong_is_named():
    layer, x, good = fr.LSTM(I, H), np.ones((T, N, I), np.float32), np.zeros((1, N, H), np.float32)
    with refused(ValueError, "state[c]", f"expected {(1, N, H)}", f"got {(1, N, 9)}"):
        layer(x, (good, np.zeros((1, N, 9), np.float32)))
    with refused(TypeError, "state[h]", "expected float32", "got None"):
        layer(x, (None, good))


@pytest.mark.parametrize("kind", [fr.RNN, fr.GRU])
def test_the_pair_of_an_lstm_is_refused_by_layers_without_c(kind):
    state = np.zeros((1, N, H), np.float32)
    with refused((TypeError, ValueError), "state", "expected (1, 2, 4)"):
        kind(I, H)(np.ones((T, N, I), np.float32), (state, state))


def test_a_list_is_a_state_too(rng):
    """h and c in a list, as some frameworks store them, and numbers in nested lists."""
    layer, x = fr.LSTM(I, H, seed=0), sequence(rng)
    h, c = random_state(layer, N, rng)
    expected = layer(x, (h, c))
    for state in ([h, c], [h.tolist(), c.tolist()]):
        y, final = layer(x, state)
        assert_same_bits(y, expected[0])
        assert_same_bits(final, expected[1])


# -- lengths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lengths", "error", "words"),
    [
        ([1], ValueError, ["expected 2", "got shape (1,)"]),
        ([1, 2, 3], ValueError, ["expected 2", "got shape (3,)"]),
        ([[1, 2]], ValueError, ["expected 2", "got shape (1, 2)"]),
        (3, ValueError, ["expected 2", "got shape ()"]),
        ([-1, 2], ValueError, [f"expected 0..{T}", "got -1 for row 0"]),
        ([2, T + 1], ValueError, [f"expected 0..{T}", f"got {T + 1} for row 1"]),
        (
            np.array([1, 2**64 - 1], np.uint64),
            ValueError,
            [f"expected 0..{T}", f"got {2**64 - 1} for row 1"],
        ),
        (np.array([-(2**63), 1]), ValueError, [f"expected 0..{T}", f"got {-(2**63)} for row 0"]),
        ([1.0, 2.0], TypeError, ["expected integers", "got float64"]),
        ([True, False], TypeError, ["expected integers", "got bool"]),
        (["1", "2"], TypeError, ["expected integers", "got <U1"]),
        ([None, 2], TypeError, ["expected integers"]),
        ([2**70, 1], (TypeError, ValueError), ["expected"]),
        ([[1], [1, 2]], TypeError, ["list"]),
    ],
    ids=lambda value: repr(value)[:25] if not isinstance(value, type) else value.__name__,
)
def test_lengths_that_are_wrong_are_refused(kind, lengths, error, words):
    with refused(error, "lengths", *words):
        kind(I, H)(np.ones((T, N, I), np.float32), lengths=lengths)


def frozen(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "lengths",
    [
        [3, T],
        (3, T),
        np.array([3, T], np.uint8),
        np.array([3, T], np.uint64),
        np.array([3, T], np.int8),
        np.array([3, T], ">i4"),
        np.array([T, 0, 3])[::-2],
        frozen(np.array([3, T])),
        array.array("h", [3, T]),
        memoryview(np.array([3, T])),
        OnlyDLPack(np.array([3, T])),
        [np.int64(3), np.uint8(T)],
        range(3, T + 1, T - 3),
    ],
    ids=lambda lengths: f"{type(lengths).__name__} {getattr(lengths, 'dtype', '')}",
)
def test_lengths_of_any_integers_are_taken(kind, lengths, rng):
    """Lists, tuples, unsigned, read-only, strided, foreign buffers: the same bits."""
    layer, x = kind(I, H, seed=0), sequence(rng)
    expected = layer(x, lengths=np.array([3, T]))
    y, state = layer(x, lengths=lengths)
    assert_same_bits(y, expected[0])
    assert_same_bits(state, expected[1])
    assert list(np.asarray(getattr(lengths, "_array", lengths))) == [3, T]


# -- sizes at the edge -----------------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [False, True], ids=["full", "lengths"])
@pytest.mark.parametrize(("steps", "rows"), [(0, N), (T, 0), (0, 0)])
def test_an_empty_sequence_or_batch_passes_the_state_through(cell, isa, steps, rows, lengths, rng):
    """The final state is the initial one, its gradient is passed back, nothing else has one."""
    layer = make_layer(cell, I, H, 2, bidirectional=True, seed=0)
    state, dstate = random_state(layer, rows, rng), random_state(layer, rows, rng)
    x = np.ones((steps, rows, I), np.float32)
    lengths = [0] * rows if lengths else None
    y, final, dx, dinitial = train(layer, x, state, lengths, None, dstate)
    assert (y.shape, dx.shape) == ((steps, rows, 2 * H), x.shape)
    assert_same_bits(final, state)
    assert_same_bits(dinitial, dstate)
    assert not any(grad.any() for grad in layer.grads.values())
    y, final = layer(x, state, lengths)
    assert y.shape == (steps, rows, 2 * H)
    assert_same_bits(final, state)


def test_an_empty_unbatched_sequence_passes_the_state_through(kind, rng):
    layer = kind(I, H)
    state = without_batch(random_state(layer, 1, rng))
    y, final, dx, dinitial = train(layer, np.ones((0, I), np.float32), state, [0], None, state)
    assert (y.shape, dx.shape) == ((0, H), (0, I))
    assert_same_bits(final, state)
    assert_same_bits(dinitial, state)


def test_rows_of_length_0_pass_the_state_through(cell, isa, dtype, rng):
    """y and dx are 0 where no step counts, even where x and dy hold NaN."""
    layer = make_layer(cell, I, H, 2, bidirectional=True, dtype=dtype, seed=0)
    state, dstate = random_state(layer, N, rng), random_state(layer, N, rng)
    x, dy = np.full((T, N, I), np.nan, dtype), np.full((T, N, 2 * H), np.nan, dtype)
    y, final, dx, dinitial = train(layer, x, state, [0, 0], dy, dstate)
    assert not y.any() and not dx.any()
    assert_same_bits(final, state)
    assert_same_bits(dinitial, dstate)
    assert not any(grad.any() for grad in layer.grads.values())


@pytest.mark.parametrize(("inputs", "hidden"), [(1, 1), (1, H), (I, 1)])
def test_one_input_and_one_unit_are_enough(cell, isa, dtype, inputs, hidden, rng):
    """I = 1 and H = 1, forward and backward, against the reference."""
    layer = make_layer(cell, inputs, hidden, dtype=dtype, seed=0)
    # of one sign: a gradient that is a single number must not be the small rest of large terms
    x, dy = (
        abs(sequence(rng, T, N, inputs, dtype=dtype)),
        abs(sequence(rng, T, N, hidden, dtype=dtype)),
    )
    state = as_state(map(abs, as_tuple(random_state(layer, N, rng))))
    y, final, dx, dinitial = train(layer, x, state, None, dy, state)
    expected = run_reference(cell, layer, x, state, None, dy, state)
    sizes = {"terms": 4 * T * N, "steps": T, "backward": True}
    assert_close(y, expected[0], dtype, **sizes, what="y")
    assert_close(dx, expected[2], dtype, **sizes, what="dx")
    for a, b in zip((final, dinitial), (expected[1], expected[3]), strict=True):
        for part, reference in zip(as_tuple(a), as_tuple(b), strict=True):
            assert_close(part, reference, dtype, **sizes, what="state")
    for name, grad in layer.grads.items():
        assert_close(grad, expected[4][name], dtype, **sizes, what=name)


# -- the arguments of the layers -------------------------------------------------------------------

SIZES = ("input_size", "hidden_size", "num_layers")
FLOATS = "expected np.float32 or np.float64"
BAD_ARGUMENTS = [
    *((name, value, ValueError, "expected at least 1") for name in SIZES for value in (0, -1)),
    *((name, value, TypeError, "an integer") for name in SIZES for value in (2.5, "3", True, None)),
    *(("dropout", value, ValueError, "[0, 1)") for value in (1, 1.5, -0.1, math.nan, math.inf)),
    *(("dropout", value, (TypeError, ValueError), "expected") for value in ("a", None, [0.1], 1j)),
    *(("dtype", value, TypeError, FLOATS) for value in (int, np.float16, ">f4", object)),
    *(("dtype", value, TypeError, FLOATS) for value in ("abc", "", 3, None, [])),
    ("seed", -1, ValueError, "expected an integer"),
    ("seed", "a", TypeError, "expected an integer"),
    ("seed", 1.5, TypeError, "expected an integer"),
]


@pytest.mark.parametrize(
    ("name", "value", "error", "word"),
    BAD_ARGUMENTS,
    ids=[f"{name}={value!r}" for name, value, _, _ in BAD_ARGUMENTS],
)
def test_arguments_out_of_range_are_refused(kind, name, value, error, word):
    with refused(error, name, word, f"got {value!r}"):
        kind(**({"input_size": I, "hidden_size": H, "num_layers": 2} | {name: value}))


@pytest.mark.parametrize("value", ["abc", "", None, 1, ["tanh"]], ids=repr)
def test_an_unknown_nonlinearity_is_refused_with_those_that_there_are(value):
    with refused((TypeError, ValueError), "nonlinearity", "tanh, relu", f"got {value!r}"):
        fr.RNN(I, H, nonlinearity=value)


@pytest.mark.parametrize("value", ["float32", "f4", np.float32, np.dtype("float32")], ids=repr)
def test_a_dtype_may_be_given_in_all_of_numpys_ways(kind, value):
    layer = kind(I, H, dtype=value)
    assert layer.dtype == np.float32
    assert {array.dtype.name for array in layer.params.values()} == {"float32"}
    assert {array.dtype.name for array in layer.grads.values()} == {"float32"}


def test_sizes_may_be_any_integer(kind):
    """Anything with __index__, as sizes come out of arrays."""
    layer = kind(np.int64(I), np.array(H), np.uint8(2))
    assert layer(np.ones((T, N, I), np.float32))[0].shape == (T, N, H)
    assert all(type(layer.config()[name]) is int for name in SIZES)


# -- tapes and gradients ---------------------------------------------------------------------------


def test_a_tape_serves_once(kind, rng):
    """The second backward is refused and adds nothing."""
    layer = kind(I, H, 2, seed=0)
    y, _, tape = layer.forward(sequence(rng))
    layer.backward(tape, np.ones_like(y))
    grads = snapshot(layer.grads)
    with refused(ValueError, "tape", "used", "once"):
        layer.backward(tape, np.ones_like(y))
    assert_same_arrays(layer.grads, grads)


@pytest.mark.parametrize("tape", [None, (), "tape", 1, np.ones(3)], ids=lambda t: type(t).__name__)
def test_what_is_no_tape_is_refused(kind, tape):
    layer = kind(I, H)
    with refused(TypeError, "tape", f"{kind.__name__}.forward", f"got {type(tape).__name__}"):
        layer.backward(tape, np.ones((T, N, H), np.float32))


def test_the_tape_of_another_layer_is_refused_and_stays_good(kind, rng):
    """Even of a layer of the same class and sizes, or of another class."""
    layer, x = kind(I, H, seed=0), sequence(rng)
    y, _, tape = layer.forward(x)
    for other in (kind(I, H, seed=0), fr.Linear(I, H), fr.Sequential(layer)):
        with refused(ValueError, "tape", type(other).__name__, f"another {kind.__name__}"):
            other.backward(tape, np.ones_like(y))
        assert not any(grad.any() for grad in other.grads.values())
    layer.backward(tape, np.ones_like(y))


BAD_GRADIENTS = {
    "dy short": (
        "dy",
        np.ones((T - 1, N, H), np.float32),
        None,
        ValueError,
        f"got {(T - 1, N, H)}",
    ),
    "dy transposed": ("dy", np.ones((N, T, H), np.float32), None, ValueError, f"got {(N, T, H)}"),
    "dy scalar": ("dy", 1.0, None, ValueError, "got ()"),
    "dy double": ("dy", np.ones((T, N, H)), None, TypeError, "dy.astype(np.float32)"),
    "dy integers": ("dy", np.ones((T, N, H), int), None, TypeError, "got int64"),
    "dy None": ("dy", None, None, TypeError, "got None"),
    "dstate shape": (
        "dstate",
        None,
        np.ones((1, N, H), np.float32),
        ValueError,
        f"expected {(2, N, H)}, got {(1, N, H)}",
    ),
    "dstate double": ("dstate", None, np.ones((2, N, H)), TypeError, "got float64"),
    "dstate string": ("dstate", None, "abc", TypeError, "expected"),
}


@pytest.mark.parametrize("case", BAD_GRADIENTS.values(), ids=BAD_GRADIENTS)
def test_after_a_refused_gradient_the_tape_still_works(kind, case, rng):
    """Nothing was added to grads, and the next backward gives what it would have given."""
    name, dy, dstate, error, word = case
    layer, other, x = kind(I, H, 2, seed=0), kind(I, H, 2, seed=0), sequence(rng)
    y, _, tape = layer.forward(x)
    if name == "dstate":
        dy, dstate = np.ones_like(y), (dstate, dstate) if kind is fr.LSTM else dstate
    with refused(error, name, word):
        layer.backward(tape, dy, dstate)
    assert not any(grad.any() for grad in layer.grads.values())
    dx, dinitial = layer.backward(tape, np.ones_like(y))
    expected = train(other, x)
    assert_same_bits(dx, expected[2])
    assert_same_bits(dinitial, expected[3])
    assert_same_arrays(layer.grads, other.grads)


def test_the_dstate_of_an_lstm_is_a_pair(rng):
    layer = fr.LSTM(I, H, seed=0)
    y, _, tape = layer.forward(sequence(rng))
    for dstate in (np.ones((1, N, H), np.float32), [np.ones((1, N, H), np.float32)] * 3):
        with refused(TypeError, "dstate", "(h, c)"):
            layer.backward(tape, np.ones_like(y), dstate)
    layer.backward(tape, np.ones_like(y))


# -- NaN and infinity ------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["x", "state", "dy", "dstate"])
def test_a_row_with_nan_or_infinity_changes_no_other_row(cell, isa, dtype, where, rng):
    """In y, state, dx and the gradient of the initial state, the other rows keep their bits."""
    rows, bad = 7, 2  # a row in the middle of a tile
    layer = make_layer(cell, I, H, 2, bidirectional=True, dtype=dtype, seed=0)
    arguments = {
        "x": sequence(rng, T, rows, I, dtype=dtype),
        "state": random_state(layer, rows, rng),
        "lengths": [T, 3, 4, 1, T, 0, T],
        "dy": sequence(rng, T, rows, 2 * H, dtype=dtype),
        "dstate": random_state(layer, rows, rng),
    }
    clean = train(layer, **arguments)
    others = np.arange(rows) != bad
    for value in (np.nan, np.inf):
        as_tuple(arguments[where])[0][1, bad, 0] = value
        for a, b in zip(train(layer, **arguments), clean, strict=True):
            for part, expected in zip(as_tuple(a), as_tuple(b), strict=True):
                assert_same_bits(part[:, others], expected[:, others])


def test_nan_in_x_is_seen_in_y_from_its_step_on(cell, isa, dtype, rng):
    """Not before, and no activation swallows it; the final state has it too."""
    layer, at, bad = make_layer(cell, I, H, dtype=dtype, seed=0), 2, 1
    x = sequence(rng, T, 3, I, dtype=dtype)
    clean = layer(x)[0]
    x[at, bad, 0] = np.nan
    y, final, dx, _ = train(layer, x)
    assert_same_bits(y[:at, bad], clean[:at, bad])
    assert np.isnan(y[at:, bad]).all()
    assert all(np.isnan(part[:, bad]).all() for part in as_tuple(final))
    assert not np.isnan(np.delete(dx, bad, axis=1)).any()


# -- params and grads ------------------------------------------------------------------------------


@pytest.fixture(params=["params", "grads"])
def mapping(request):
    return request.param


def test_an_array_cannot_be_replaced_by_one_of_another_shape(kind, mapping):
    layer = kind(I, H)
    arrays = getattr(layer, mapping)
    before = snapshot(arrays)
    for name, own in arrays.items():
        for value in (np.ones((2, 2), np.float32), own.reshape(-1, 1), own[:-1], np.float32(1)):
            with refused(ValueError, name, f"expected shape {own.shape}", f"got {value.shape}"):
                arrays[name] = value
    with refused(TypeError, "weight_ih_l0", "expected float32 or float64", "got int64"):
        arrays["weight_ih_l0"] = np.ones(arrays["weight_ih_l0"].shape, int)
    with refused(TypeError, "weight_ih_l0", "expected float32 or float64", "None"):
        arrays["weight_ih_l0"] = None
    assert_same_arrays(arrays, before)


def test_an_array_cannot_be_deleted(kind, mapping):
    arrays = getattr(kind(I, H), mapping)
    names = list(arrays)
    with refused(TypeError, "weight_ih_l0", "cannot be deleted"):
        del arrays["weight_ih_l0"]
    for method in (arrays.popitem, arrays.clear, lambda: arrays.pop("weight_ih_l0")):
        with pytest.raises(TypeError, match="cannot be deleted"):
            method()
    assert list(arrays) == names


def test_an_unknown_name_is_refused_with_those_that_there_are(kind, mapping):
    arrays = getattr(kind(I, H), mapping)
    names = "weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0"
    for unknown in ("weight", "", 3):
        with pytest.raises(KeyError) as caught:
            arrays[unknown]
        assert repr(unknown) in str(caught.value) and names in str(caught.value)
        with pytest.raises(KeyError) as caught:
            arrays[unknown] = np.ones(3, np.float32)
        assert repr(unknown) in str(caught.value) and names in str(caught.value)
        assert unknown not in arrays
        assert arrays.get(unknown) is None


def test_assigning_writes_in_place(kind, mapping, rng):
    """The array object stays the same, and a float64 value is converted."""
    arrays = getattr(kind(I, H, seed=0), mapping)
    for name in arrays:
        own, value = arrays[name], rng.standard_normal(arrays[name].shape)
        for given in (value.astype(np.float32), value, value.tolist()):
            own.fill(0)
            arrays[name] = given
            assert arrays[name] is own
            assert_same_bits(own, value.astype(np.float32))


def test_assigned_parameters_are_used(kind, rng):
    layer, other, x = kind(I, H, seed=0), kind(I, H, seed=1), sequence(rng)
    layer(x)
    for name in layer.params:
        layer.params[name] = other.params[name]
    assert_same_bits(layer(x)[0], other(x)[0])


def test_assigned_gradients_are_added_to(kind, rng):
    layer, x = kind(I, H, seed=0), sequence(rng)
    train(layer, x)
    once = snapshot(layer.grads)
    for name in layer.grads:
        layer.grads[name] = np.zeros(once[name].shape)
    train(layer, x)
    assert_same_arrays(layer.grads, once)


# -- sizes that do not fit -------------------------------------------------------------------------

# In a process of its own: it limits its address space, and a crash must not end the tests.
PRELUDE = """
import pathlib, resource
import numpy as np
from numpy.lib.stride_tricks import as_strided
import fastrnn as fr

def train(layer, x):
    y, _, tape = layer.forward(x)
    return layer.backward(tape, np.broadcast_to(np.float32(1), y.shape))

def limit(extra):  # bytes beyond what is in use now, or None
    used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (hard if extra is None else used + extra, hard))

def refused(call, errors=(MemoryError, ValueError)):
    try:
        call()
    except errors:
        return
    raise AssertionError("accepted")

fr.set_num_threads(2)
fr.LSTM(64, 64)(np.ones((20, 64, 64), np.float32))  # starts the threads: not what is tested
"""

own_address_space = pytest.mark.skipif(
    sys.platform != "linux" or "asan" in os.environ.get("LD_PRELOAD", ""),
    reason="needs RLIMIT_AS of Linux, and no sanitizer, which reserves more than any limit",
)


def run(code, timeout=20):
    """Run `code` in a fresh interpreter; it has to end well and in time."""
    command = [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stdout}{done.stderr}"


@own_address_space
def test_giant_sequences_are_refused_at_once(kind):
    """Zero strides make 2**40 steps or rows out of a few bytes; what belongs to them never fits."""
    run(f"""
        limit(4 << 30)
        for layers, both, batch_first in (1, False, False), (2, False, True), (2, True, False):
            layer = fr.{kind.__name__}(3, 4, layers, bidirectional=both, batch_first=batch_first)
            for shape in (2**40, 1), (1, 2**40), (2**40,), (2**30, 2**20), (2**58, 1):
                x = as_strided(np.ones(3, np.float32), (*shape, 3), (0,) * len(shape) + (4,))
                refused(lambda: layer(x))
                refused(lambda: layer.forward(x))
        layer, x = fr.{kind.__name__}(3, 4), np.ones((2, 2, 3), np.float32)
        refused(lambda: layer(np.zeros((0, 2**40, 3), np.float32)))  # the state does not fit
        lengths = as_strided(np.ones(1, int), (2**40,), (0,))
        state = as_strided(np.ones(1, np.float32), (1, 2**40, 4), (0, 0, 0))
        dy = as_strided(np.ones(1, np.float32), (2**40, 2, 4), (0, 0, 0))
        refused(lambda: layer(x, lengths=lengths))
        refused(lambda: layer(x, (state, state) if isinstance(layer, fr.LSTM) else state))
        tape = layer.forward(x)[2]
        refused(lambda: layer.backward(tape, dy))
        layer.backward(tape, np.ones((2, 2, 4), np.float32))
        """)


@own_address_space
@pytest.mark.parametrize("layers", [1, 2])
def test_a_giant_empty_batch_costs_nothing(layers):
    """2**40 steps of no rows are no work: inference, forward and backward."""
    run(
        f"""
        layer, x = fr.LSTM(3, 4, {layers}), np.zeros((2**40, 0, 3), np.float32)
        limit(4 << 30)
        assert layer(x)[0].shape == (2**40, 0, 4)
        assert train(layer, x)[0].shape == x.shape
        """,
        timeout=5,
    )


@own_address_space
def test_giant_layers_are_refused_at_once(kind):
    """Parameters that do not fit the memory, or an address, or any integer of C."""
    run(f"""
        limit(4 << 30)
        for size in 2**31, 2**40, 2**61, 2**62, 2**63, 10**30:
            refused(lambda: fr.{kind.__name__}(size, 4))
            refused(lambda: fr.{kind.__name__}(3, size))
        """)


@own_address_space
def test_giant_stacks_are_refused_at_once():
    """Before all memory is filled with the parameters of the first millions of layers."""
    run(
        """
        limit(4 << 30)
        for layers in 2**40, 2**62, 10**30:
            refused(lambda: fr.LSTM(3, 4, layers))
        """,
        timeout=5,
    )


@own_address_space
def test_what_does_not_fit_leaves_the_layer_usable(kind):
    """MemoryError for y, for the tape and for dx; afterwards the layer gives the same bits."""
    # Each big array has 39 MB or more, which malloc never serves from memory that it has kept.
    run(f"""
        layer, other = (fr.{kind.__name__}(4096, 8, 2, seed=0) for _ in range(2))
        small, big = np.ones((2, 4, 4096), np.float32), np.ones(4096, np.float32)
        train(layer, small)
        before = layer(small)[0]
        limit(16 << 20)
        refused(lambda: layer(np.broadcast_to(big, (2000, 640, 4096))), MemoryError)
        refused(lambda: layer.forward(np.broadcast_to(big, (2000, 640, 4096))), MemoryError)
        assert (layer(small)[0] == before).all()
        limit(60 << 20)  # room for y, not for the tape
        refused(lambda: layer.forward(np.broadcast_to(big, (2000, 640, 4096))), MemoryError)
        assert (layer.forward(small)[0] == before).all()
        limit(None)
        y, _, tape = layer.forward(np.broadcast_to(big, (40, 64, 4096)))
        limit(16 << 20)  # not for dx
        refused(lambda: layer.backward(tape, np.ones_like(y)), MemoryError)
        layer.zero_grad()
        train(layer, small)
        train(other, small)
        for name in other.grads:
            assert (layer.grads[name] == other.grads[name]).all(), name
        """)


@own_address_space
def test_weights_that_cannot_be_packed_leave_the_layer_usable(kind):
    """The first call copies and packs them: MemoryError where that does not fit, no more."""
    run(f"""
        layer = fr.{kind.__name__}(1024, 1024, seed=0)  # 8 MB of parameters or more
        x = np.ones((1, 1, 1024), np.float32)
        limit(1 << 20)
        refused(lambda: layer(x), MemoryError)
        refused(lambda: layer.forward(x), MemoryError)
        limit(12 << 20)
        refused(lambda: layer(x), MemoryError)
        limit(None)
        assert (layer(x)[0] == fr.{kind.__name__}(1024, 1024, seed=0)(x)[0]).all()
        """)
