# SPDX-License-Identifier: BSD-3-Clause
"""Sequences and states: their shapes, and their layouts in memory."""

import functools

import numpy as np
import pytest
from support.layers import argument_refused, assert_same_arrays, assert_same_bits
from support.recurrent import as_tuple, random_state, sequence, train, without_batch

import fastrnn as fr

T, N, I, H = 5, 2, 3, 4


BAD_SHAPES = [(), (I,), (1, T, N, I), (T, N, I + 1), (T, I - 1), (T, N, 0)]


@pytest.mark.parametrize("shape", BAD_SHAPES, ids=str)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("method", ["__call__", "forward"])
def test_x_of_the_wrong_shape_is_refused(kind, shape, batch_first, method):
    layer = kind(I, H, batch_first=batch_first)
    expected = "(N, T, 3) or (T, 3)" if batch_first else "(T, N, 3) or (T, 3)"
    with argument_refused(ValueError, "x", f"expected {expected}", f"got {shape}"):
        getattr(layer, method)(np.ones(shape, np.float32))


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
    provided = [layout(part) for part in plain]
    memory = [part if part.base is None else part.base for part in provided]
    before = [part.tobytes() for part in memory]

    def arguments(arrays):
        parts = len(as_tuple(state))
        x, h, dy, dh = arrays[0], arrays[1 : 1 + parts], arrays[1 + parts], arrays[2 + parts :]
        one = lambda arrays: tuple(arrays) if parts > 1 else arrays[0]  # noqa: E731
        return x, one(h), [T, 0, 3, 1, T, 2], dy, one(dh)

    expected = train(again, *arguments([np.array(part, order="C") for part in provided]))
    for a, b in zip(train(layer, *arguments(provided)), expected, strict=True):
        assert_same_bits(a, b)
    assert_same_arrays(layer.grads, again.grads)
    assert_same_bits(layer(*arguments(provided)[:3])[0], expected[0])
    assert [part.tobytes() for part in memory] == before


@pytest.mark.parametrize("layout", ["read-only", "unaligned", "spread 0", "turned 1", "constant 0"])
def test_every_layout_gives_the_same_bits_in_double_precision(kind, isa, layout, rng):
    layer, x = kind(I, H, dtype=np.float64, seed=0), sequence(rng, T, 6, I, dtype=np.float64)
    provided = LAYOUTS[layout](x)
    assert_same_bits(layer(provided)[0], layer(np.array(provided, order="C"))[0])


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


@pytest.mark.parametrize(
    ("batch_first", "features", "shape", "hint"),
    [
        (False, 3, (2, 3, 5), "; with the features last: x.transpose(2, 0, 1), of shape (5, 2, 3), if x is (N, 3, T)"),
        (True, 3, (2, 3, 5), "; with the features last: x.swapaxes(-1, -2), of shape (2, 5, 3)"),
        (False, 3, (3, 5), "; with the features last: x.swapaxes(-1, -2), of shape (5, 3)"),
        (False, 1, (5, 2), "; series without an axis of features: x[..., None]"),
        (True, 1, (5,), "; series without an axis of features: x[..., None]"),
        (False, 3, (3, 5, 2), ""),
        (False, 3, (3,), ""),
    ],
)
def test_an_error_says_where_the_features_are(kind, batch_first, features, shape, hint):
    """What it says to pass is taken."""
    layer, x = kind(features, H, batch_first=batch_first), np.zeros(shape, np.float32)
    with pytest.raises(ValueError) as caught:
        layer(x)
    assert str(caught.value).endswith(f"got {shape}{hint}")
    if hint:
        call = hint.partition("x[" if "x[" in hint else "x.")
        layer(eval((call[1] + call[2]).partition(", of")[0], {"x": x}))
    else:
        assert "last" not in str(caught.value)


@pytest.mark.parametrize("layer", [fr.Linear(3, 4), fr.LayerNorm(3)], ids=lambda layer: type(layer).__name__)
def test_layers_of_any_axes_say_so_too(layer):
    with pytest.raises(ValueError, match=r"got \(2, 3, 5\); with the features last: x.swapaxes\(-1, -2\), of shape"):
        layer(np.zeros((2, 3, 5), np.float32))
