# SPDX-License-Identifier: BSD-3-Clause
"""What can be wrong with an array: functions that return a damaged copy."""

import numpy as np


def shorter(array):
    return array[:-1].copy()


def longer(array):
    return np.concatenate([array, array])


def one_more_axis(array):
    return array[..., None].copy()


def no_axis(array):
    return array.reshape(-1)[0]


def empty(array):
    return array[:0].copy()


def wider(array):
    return array.astype(np.float64 if array.dtype.itemsize == 4 else np.complex128)


def integers(array):
    """Of integers, floats."""
    other = {"f4": np.int32, "f8": np.int64}
    return array.astype(other.get(array.dtype.str[1:], np.float64))


def objects(array):
    return array.astype(object)


def swapped(array):
    return array.astype(array.dtype.newbyteorder())


def every_other(array):
    return np.repeat(array, 2, axis=-1)[..., ::2]


def unaligned(array):
    memory = np.zeros(array.nbytes + 1, np.uint8)
    return memory[1:].view(array.dtype).reshape(array.shape)


def no_array(array):
    return array.tolist()


def of_no_size(array):
    return np.empty(array.shape, "V0")


def frozen(array):
    array = array.copy()
    array.flags.writeable = False
    return array


DAMAGES = (
    shorter, longer, one_more_axis, no_axis, empty, wider, integers, objects, swapped, every_other, unaligned,
    no_array, of_no_size,
)  # fmt: skip
