# SPDX-License-Identifier: BSD-3-Clause
"""Frozen models, for example copies that only need gradients with respect to their inputs."""

from ._layer import Layer, every_layer


def frozen(model: Layer) -> Layer:
    """The model, whose `backward` from now on need not compute the gradients of its parameters."""
    for layer in every_layer(model):
        layer._frozen = True
    return model
