# SPDX-License-Identifier: BSD-3-Clause
"""Recurrent layers of random options and sizes: relations that hold bit for bit, and the NumPy reference."""

import warnings

import numpy as np
from fuzz import relations, row_relations
from fuzz.problems import PARTS, draw, train, twin
from fuzz.runner import Attack
from support.recurrent import as_tuple, run_reference
from support.regularization import drawn, masked_parameters
from support.tolerance import assert_close

import fastrnn as fr

RELATIONS = relations.RELATIONS + row_relations.RELATIONS

# What a comparison within tolerances presupposes.
LARGEST = 8.0  # of the inputs: the gradients of cells that are saturated are differences of nearly equal numbers
INPUTS = 16  # for each unit, at most, for the same reason: initial weights depend on the number of units alone
GROWTH = {"float32": 1.2, "float64": 4.1}  # of recurrent weights over the initial ones: a recurrence must not amplify
UNITS = 8  # of selu, in float32: its slope is up to 1.76, which a few units alone do not average
CLIP = 0.1  # at least, in float64 alone: a clipped gradient is smaller than the error of what was clipped
FAINT = 1e-3  # of a gradient, relative to those upstream: what cells hardly let through
FLUSHED = 2.0**60  # times the smallest normal number, of an output: what is denormal on the way becomes 0
FEW = 32  # numbers of all states together, and
FEW_OF_A_RESULT = 8  # fewer may all be sums that cancel


def well_conditioned(problem, parameters, updates):
    """Whether rounding errors stay in proportion to the results."""
    layer, given = problem.layer, (problem.x, problem.dy, *as_tuple(problem.state), *as_tuple(problem.dstate))
    given += tuple(array for name, array in parameters.items() if name in ("h0", "c0"))
    recurrent = max(abs(array).max() for name, array in parameters.items() if "weight_hh" in name)
    masks = [update.mask.max() for update in updates if update.mask is not None and update.mask.size]
    return (
        problem.full_lengths.sum() * layer.hidden_size >= FEW
        and all(np.abs(array).max(initial=0) < LARGEST for array in given if array is not None)
        and layer.input_size <= INPUTS * layer.hidden_size
        and recurrent * max(masks, default=1) <= GROWTH[layer.dtype.name] * layer.hidden_size**-0.5
        and (problem.cell != "rnn_selu" or layer.hidden_size >= UNITS or layer.dtype == np.float64)
        and (layer.delta_clip is None or (layer.dtype == np.float64 and layer.delta_clip >= CLIP))
    )


def compare_with_reference(problem):
    """One step of training with the masks that it draws."""
    layer, (T, N, I), H = problem.layer, problem.x.shape, problem.layer.hidden_size
    if layer.dropout:
        return
    state = problem.state
    if state is None and layer.learn_initial_state:
        state = layer.initial_states(N) if len(layer.cell.parts) > 1 else layer.initial_states(N)[0]
    y, final, tape = layer.forward(problem.x, problem.state, problem.lengths)
    updates, masks = drawn(tape, layer)
    parameters = masked_parameters(layer, masks)
    if not well_conditioned(problem, parameters, updates):
        return
    layer.zero_grad()
    dx, dinitial = layer.backward(tape, problem.dy, problem.dstate)
    expected = run_reference(
        problem.cell, layer, problem.x, state, problem.lengths, problem.dy, problem.dstate,
        parameters=parameters, updates=updates,
    )  # fmt: skip
    D, L, G = layer.num_directions, layer.num_layers, layer.cell.gates
    upstream = max(np.abs(part).max(initial=0) for part in (problem.dy, *as_tuple(problem.dstate)) if part is not None)

    def close(ours, theirs, what, backward, terms):
        least = FAINT * upstream if backward else FLUSHED * np.finfo(layer.dtype).tiny
        if np.size(ours) >= FEW_OF_A_RESULT and np.abs(theirs).max() >= least:
            options = {"backward": backward, "bidirectional": D == 2, "terms": terms, "steps": max(T * L, 1)}
            assert_close(ours, theirs, layer.dtype, **options, what=f"{what}, compared with the reference")

    reads = max(I, D * H) if L > 1 else I
    close(y, expected[0], "y", False, reads + H)
    close(dx, expected[2], "dx", True, G * H * D)
    for part, ours, theirs in zip(PARTS, as_tuple(final), as_tuple(expected[1]), strict=False):
        close(ours, theirs, part, False, reads + H)
    for part, ours, theirs in zip(PARTS, as_tuple(dinitial), as_tuple(expected[3]), strict=False):
        close(ours, theirs, f"d{part}", True, G * H * D)
    if getattr(layer, "omega", 0):  # the reference does not have the regularizer
        return
    weights = {layer.parameter_names(k // D, k % D)[1]: mask for k, mask in enumerate(masks) if mask is not None}
    for name, theirs in expected[4].items():
        close(layer.grads[name], theirs * weights.get(name, 1), name, True, max(T * N, 1))


class Layers(Attack):
    """A random layer and batch: three of the relations, and the reference."""

    def case(self, rng):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "overflow|invalid", RuntimeWarning)  # of inputs that are not finite
            problem = draw(rng)
            with fr.threads(int(rng.integers(1, 9))):
                self.note(problem)
                expected = train(problem.of(twin(problem.layer)))
                for relation in rng.permutation(np.array(RELATIONS, object))[:3]:
                    relation(problem, rng, expected)
                compare_with_reference(problem)
