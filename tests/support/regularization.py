# SPDX-License-Identifier: BSD-3-Clause
"""What a training pass of a recurrent layer draws at random, so that the reference can be run with it."""

import itertools

from fastrnn.nn._tape import open_tape


def drawn(tape, layer):
    """The state update and the mask of w_hh that a forward pass drew for each layer and direction."""
    ((_, trained),) = open_tape(tape, layer)
    return [entry.state_update for entry in trained.kept.entries], trained.weight_masks


def masked_parameters(layer, masks):
    """The parameters, with each w_hh times its mask."""
    parameters = layer.state_dict()
    pairs = itertools.product(range(layer.num_layers), range(layer.num_directions))
    for pair, mask in zip(pairs, masks, strict=True):
        if mask is not None:
            parameters[layer.parameter_names(*pair)[1]] *= mask
    return parameters
