# SPDX-License-Identifier: BSD-3-Clause
"""Random sizes, arrays in every layout that memory can have, and comparing bits."""

import numpy as np

WIDTHS = (1, 2, 4, 8, 12, 13, 16, 24, 32, 48, 64, 96)  # vectors, panels, row blocks and chunks of the engines


def choose(rng, *choices, p=None):
    return choices[rng.choice(len(choices), p=p)]


def size(rng, low, high):
    """A size in low..high: any small one, or one beside a width that the engines have."""
    if rng.random() < 0.5:
        return int(rng.integers(low, min(high, low + 6) + 1))
    return int(np.clip(choose(rng, *WIDTHS) * rng.integers(1, 3) + rng.integers(-1, 2), low, high))


def numbers(rng, shape, dtype):
    """Standard normal numbers; at times with zeros, denormals and large ones among them."""
    array = rng.standard_normal(shape).astype(dtype)
    if rng.random() < 0.08 and array.size:
        special = [0.0, -0.0, 1.0, -1.0, 50.0, -50.0, np.finfo(dtype).tiny, np.finfo(dtype).smallest_subnormal]
        places = rng.random(shape) < rng.random()
        array[places] = rng.choice(np.array(special, dtype), int(places.sum()))
    return array


def _other(array):
    """What no function should read: nan, or for integers a length that is too large."""
    return np.nan if array.dtype.kind == "f" else 10**9


def _strided(rng, array):
    """Every other element of a larger array."""
    larger = np.full([2 * n + 1 for n in array.shape], _other(array), array.dtype)
    view = larger[tuple(slice(1, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def _reversed(rng, array):
    turn = tuple(slice(None, None, -1) if rng.random() < 0.6 else slice(None) for _ in array.shape)
    return array[turn].copy()[turn]


def _rows_apart(rng, array):
    """A part of wider rows: the last axis is contiguous, as the engines read it in place."""
    wider = np.full((*array.shape[:-1], array.shape[-1] + 3), _other(array), array.dtype)
    wider[..., 1:-2] = array
    return wider[..., 1:-2]


def _other_axes(rng, array):
    order = rng.permutation(array.ndim)
    return array.transpose(order).copy().transpose(np.argsort(order))


def _unaligned(rng, array):
    memory = np.zeros(array.nbytes + 1, np.uint8)
    view = memory[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def _read_only(rng, array):
    copy = array.copy()
    copy.flags.writeable = False
    return copy


LAYOUTS = {
    "as it is": lambda rng, array: array,
    "strided": _strided,
    "reversed": _reversed,
    "rows apart": _rows_apart,
    "axes in another order": _other_axes,
    "Fortran order": lambda rng, array: np.asfortranarray(array),
    "unaligned": _unaligned,
    "read-only": _read_only,
    "memoryview": lambda rng, array: memoryview(np.ascontiguousarray(array)) if array.size else array,
    "list": lambda rng, array: array.tolist() if array.size else array,
}


def laid_out(rng, array):
    """The same numbers in another layout, and its name."""
    name = choose(rng, *LAYOUTS)
    return LAYOUTS[name](rng, array), name


def same(actual, expected, what):
    """Two dicts of arrays have the same bits; one nan is as good as another."""
    assert actual.keys() == expected.keys(), f"{what}: {sorted(actual)} instead of {sorted(expected)}"
    for name, wanted in expected.items():
        got = actual[name]
        assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype), (
            f"{what}: {name} is {got.shape} of {got.dtype}, expected {wanted.shape} of {wanted.dtype}"
        )
        bits = f"u{got.dtype.itemsize}" if got.dtype.kind == "f" else got.dtype
        unequal = np.ascontiguousarray(got).view(bits) != np.ascontiguousarray(wanted).view(bits)
        if got.dtype.kind == "f":
            unequal &= ~(np.isnan(got) & np.isnan(wanted))
        if unequal.any():
            got, wanted = got.reshape(unequal.shape), wanted.reshape(unequal.shape)
            at = tuple(int(k) for k in np.argwhere(unequal)[0])
            raise AssertionError(
                f"{what}: {int(unequal.sum())} of {got.size} numbers of {name} differ, the first at {at}: "
                f"{got[at]!r} instead of {wanted[at]!r}"
            )
