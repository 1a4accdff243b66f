# SPDX-License-Identifier: BSD-3-Clause
"""Sequences with resets, run part by part: what a call with resets has to give."""

import numpy as np
from support.recurrent import as_state, as_tuple


def random_resets(T, N, rng):
    """Bools (T, N), some rows without any; row 0 also before its first step."""
    resets = rng.random((T, N)) < rng.choice([0, 0.1, 0.4, 1], N)
    if T and N:
        resets[0, 0] = True
    return resets


def parts_of_row(resets, length):
    """The slices of time of one row, given its resets (T,)."""
    cuts = sorted({0, *map(int, np.flatnonzero(resets[:length])), int(length)})
    return [slice(start, stop) for start, stop in zip(cuts, cuts[1:], strict=False)]


def train_apart(layer, x, state, lengths, resets, dy, dstate):
    """A training step of every part of every row in a call of its own.

    Returns y, final, dx and dinitial as of the whole batch; the gradients of the parameters are added up in `layer`.
    """
    y, dx, directions = np.zeros_like(dy), np.zeros_like(x), range(layer.num_directions)
    final, dinitial = (as_state(part.copy() for part in as_tuple(each)) for each in (state, dstate))
    for n, length in enumerate(lengths):
        parts = parts_of_row(resets[:, n], length)
        if parts:
            write(final, n, [0 for _ in directions], None)
            write(dinitial, n, [0 for _ in directions], None)
        for part in parts:
            at = (part.start == 0 and not resets[0, n], part.stop == length)  # the ends that a state may pass
            enters, leaves = [at[d] for d in directions], [at[1 - d] for d in directions]
            out, end, tape = layer.forward(x[part, n : n + 1], row(state, n, enters))
            dx[part, n : n + 1], start = layer.backward(tape, dy[part, n : n + 1], row(dstate, n, leaves))
            y[part, n : n + 1] = out
            write(final, n, leaves, end)
            write(dinitial, n, enters, start)
    return y, final, dx, dinitial


def row(state, n, directions):
    """Row n of a state, 0 in the directions that are false."""
    factors = np.tile(directions, len(as_tuple(state)[0]) // len(directions))
    return as_state(part[:, n : n + 1] * factors[:, None, None].astype(part.dtype) for part in as_tuple(state))


def write(state, n, directions, new):
    """Write row n of a state, in the directions that are true; with no new one, zeros in those that are not."""
    for k, part in enumerate(as_tuple(state)):
        for d, chosen in enumerate(directions):
            if new is None:
                part[d :: len(directions), n] = 0
            elif chosen:
                part[d :: len(directions), n] = as_tuple(new)[k][d :: len(directions), 0]
