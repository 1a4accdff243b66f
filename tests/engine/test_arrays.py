# SPDX-License-Identifier: BSD-3-Clause
"""Anything that holds floats in memory is an array; everything else is refused, with the argument's name."""

import array
import ctypes

import numpy as np
import pytest
from support.foreign_arrays import OnlyArray, OnlyDLPack, Subclass
from support.layers import argument_refused, assert_same_bits
from support.recurrent import as_state, as_tuple, random_state, sequence, train

import fastrnn as fr

T, N, I, H = 5, 2, 3, 4


@pytest.mark.parametrize(
    "provided",
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
    ids=lambda provided: np.dtype(provided).str,
)
@pytest.mark.parametrize("own", [np.float32, np.float64])
def test_x_of_a_dtype_that_is_not_the_layers_is_refused(kind, own, provided):
    """Nothing is converted silently, not even the other byte order."""
    x = np.ones((T, N, I)).astype(provided)
    with argument_refused(TypeError, "x", f"expected {np.dtype(own)}", f"got {x.dtype}"):
        kind(I, H, dtype=own)(x)


@pytest.mark.parametrize(("own", "other"), [("float32", "float64"), ("float64", "float32")])
def test_the_other_float_is_refused_with_both_ways_out(kind, own, other):
    """The message says how to convert, and how to make a layer that takes it."""
    layer = kind(I, H, dtype=own)
    with argument_refused(
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
    ids=lambda value: repr(value).partition(" at ")[0][:25],
)
def test_x_that_is_no_array_of_numbers_is_refused(kind, value, came):
    with argument_refused(TypeError, "x", "expected", came):
        kind(I, H)(value)


def test_lists_of_numbers_are_taken(kind, rng):
    """Python numbers have no dtype of their own: floats and integers become the layer's dtype."""
    layer, x = kind(I, H, seed=0), rng.integers(-3, 4, (T, N, I))
    y, state = layer(x.astype(np.float32))
    for provided in (x.tolist(), x.astype(float).tolist(), tuple(x.tolist())):
        again, final = layer(provided)
        assert_same_bits(again, y)
        assert_same_bits(final, state)


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
    layer, x, dy = kind(I, H, seed=0), sequence(rng, T, N, I), sequence(rng, T, N, H)
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
    """A capsule that says that its memory is on a CUDA device."""

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
    with argument_refused(TypeError, "x", "CPU memory", wrap.__name__):
        kind(I, H)(wrap(np.ones((T, N, I), np.float32)))


def test_an_object_that_fails_to_become_an_array_is_refused_by_name(kind):
    class Broken:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("the sensor is off")

    with argument_refused(TypeError, "x", "Broken", "the sensor is off"):
        kind(I, H)(Broken())


def test_memory_that_a_conversion_cannot_have_is_a_memory_error(kind):
    """It is not reported as a wrong type of x."""

    class Huge:
        def __array__(self, dtype=None, copy=None):
            raise MemoryError

    with pytest.raises(MemoryError):
        kind(I, H)(Huge())


@pytest.mark.parametrize("steps", [1, T])
@pytest.mark.parametrize("readout", [fr.Linear(H, 2), fr.GRU(H, 2), fr.LastStep(), fr.Sequential(fr.Linear(H, 2))])
def test_what_a_layer_returns_is_no_input(kind, readout, steps, rng):
    """Not even where y and the state have the same shape, so that NumPy makes one array of them."""
    layer, x = kind(I, H), sequence(rng, steps, N, I)
    for result, parts in ((layer(x), "(y, state)"), (layer.forward(x), "(y, state, tape)")):
        with argument_refused(TypeError, "x", f"got a tuple {parts} as a recurrent layer returns it: use result[0]"):
            readout(result)
        readout(result[0])
    with argument_refused(TypeError, "x", "got a tuple (y, tape) as a layer's forward returns it: use result[0]"):
        readout(fr.Linear(I, H).forward(x))
    with argument_refused(TypeError, "x", "got a tuple (y, state) as a recurrent layer returns it"):
        readout(fr.Sequential(fr.Linear(I, H))(x))


def test_tuples_of_steps_are_arrays(kind, rng):
    layer, x = kind(I, H, seed=0), sequence(rng, 2, N, I)
    assert_same_bits(layer(tuple(x))[0], layer(x)[0])


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed: no tensors were tried")


def test_torch_tensors_are_taken(torch, kind, rng):
    layer, x = kind(I, H, seed=0), sequence(rng, T, N, I)
    expected = train(layer, x, None, [T, 2], np.ones((T, N, H), np.float32))
    ones, lengths = torch.ones((T, N, H)), torch.tensor([T, 2])
    for a, b in zip(train(layer, torch.from_numpy(x), None, lengths, ones), expected, strict=True):
        assert_same_bits(a, b)


def test_torch_tensors_without_numpy_counterpart_are_refused_by_name(torch, kind):
    x = torch.ones((T, N, I))
    for tensor in (x.clone().requires_grad_(), x.bfloat16(), x.to("meta"), x[:, 0].to_sparse()):
        with argument_refused(TypeError, "x", "Tensor"):
            kind(I, H)(tensor)
    with argument_refused(TypeError, "x", "x.astype(np.float32)"):
        kind(I, H)(x.double())


@pytest.mark.parametrize("shape", [(4, 3), (1, 3), (4, 1), (1, 1)])
@pytest.mark.parametrize(("I", "H"), [(1, 2), (2, 1), (1, 1)])
@pytest.mark.parametrize("batch_first", [False, True])
def test_an_axis_of_one_number_may_have_any_stride(kind, rng, shape, I, H, batch_first):
    """NumPy gives an axis of size 1 the stride of its memory order, by which nothing is ever reached."""
    layer, x = kind(I, H, batch_first=batch_first, seed=0), sequence(rng, *shape, I)
    dy, lengths = (
        sequence(rng, *shape, H),
        [0] * (shape[0 if batch_first else 1] - 1) + [shape[1 if batch_first else 0]],
    )
    for own in (None, lengths):
        expected = [*layer(x, lengths=own), *train(layer, x, lengths=own, dy=dy)]
        turned, upstream = np.asfortranarray(x), np.asfortranarray(dy)
        result = [*layer(turned, lengths=own), *train(layer, turned, lengths=own, dy=upstream)]
        assert_same_bits(result, expected)
    linear = fr.Linear(I, H, seed=0)
    assert_same_bits(linear(np.asfortranarray(x)), linear(x))
