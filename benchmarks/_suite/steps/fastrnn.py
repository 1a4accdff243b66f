# SPDX-License-Identifier: BSD-3-Clause
"""The steps in fastrnn: what its guides tell users to write."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastrnn as fr

from ..peers import Outputs
from . import StepCalls, models
from .cases import Step, sequences, series
from .parts import Clock

# What a layer computes, alone or where linear_cross_entropy asks a Linear for all rows or for some.
LAYER_METHODS = ("apply", "apply_backward", "forward", "backward", "_forward", "_backward", "write_rows", "rows_back")
Gradients = Callable[[NDArray[Any], Any], tuple[float, NDArray[Any]]]  # (y, target): the loss and its gradient


def watch(clock: Clock, part: str, layer: Any) -> None:
    """Count the passes of a layer as a part."""
    clock.watch(part, layer, *(method for method in LAYER_METHODS if hasattr(layer, method)))


def trained(
    model: Any, inputs: tuple[Any, ...], target: Any, loss: Gradients, layers: dict[str, Any], body: Any = None
) -> StepCalls:
    """A step of a model, of which `layers` says what is which part. `body` returns what the loss is of."""
    adam = fr.Adam(model, lr=models.LEARNING_RATE)
    functions = {"loss": loss, "clip": fr.clip_grad_norm}  # which `parts` replaces
    body = model if body is None else body

    def gradients() -> float:
        model.zero_grad()
        y, _, tape = body.forward(*inputs)
        value, dy = functions["loss"](y, target)
        body.backward(tape, dy)
        return value

    def call() -> None:
        gradients()
        functions["clip"](model, models.MAX_NORM)
        adam.step()

    def outputs() -> Outputs:
        return {"y": np.array([gradients()]), **{name: grad.copy() for name, grad in model.grads.items()}}

    def parts() -> dict[str, float]:
        clock = Clock()
        for name, those in layers.items():
            for layer in those:
                watch(clock, name, layer)
        functions["loss"] = clock.timed("loss", functions["loss"])
        functions["clip"] = clock.timed("optimizer", functions["clip"])
        clock.watch("optimizer", model, "zero_grad")
        clock.watch("optimizer", adam, "step")
        return clock.measure(call)

    return call, outputs, parts


def language(step: Step) -> StepCalls:
    """Embedding, LSTM, linear layer with the cross-entropy, as in `fit`."""
    model, tokens = models.language(step), sequences(step)["tokens"]
    body = fr.Sequential(embedding=model["embedding"], recurrent=model["recurrent"])
    loss = partial(fr.losses.linear_cross_entropy, model["linear"])
    layers = {name: [model[name]] for name in ("embedding", "recurrent", "linear")}
    return trained(model, (tokens[:-1],), tokens[1:], loss, layers, body)


def translation(step: Step) -> StepCalls:
    """Encoder, decoder with attention, output layer with the cross-entropy, as in `fit`.

    What is no other part of the decoder is attention.
    """
    model, arrays = models.translation(step), sequences(step)
    decoder: Any = model.decoder
    encoder: Any = model.encoder
    layers = {
        "embedding": [encoder["embedding"], model.embedding],
        "recurrent": [encoder["recurrent"], decoder.layer],
        "attention": [decoder],
        "linear": [decoder.combine, model.output],
    }
    target = arrays["tokens"][1:]
    body, _ = model._before_last()
    loss = partial(fr.losses.linear_cross_entropy, model.output)
    return trained(model, (arrays["source"], target), target, loss, layers, body)


def speech(step: Step) -> StepCalls:
    """A bidirectional GRU, a linear layer, CTC."""
    model, arrays = models.speech(step), sequences(step)

    def loss(logits: NDArray[Any], labels: Any) -> tuple[float, NDArray[Any]]:
        return fr.ctc_loss(logits, labels, None)

    layers = {name: [model[name]] for name in ("recurrent", "linear")}
    return trained(model, (arrays["features"],), arrays["labels"], loss, layers)


def fit(step: Step) -> StepCalls:
    """An epoch of `fit` with a classifier: a GRU, its last step, a linear layer, cross-entropy."""
    model, arrays = models.classifier(step), sequences(step)
    adam = fr.Adam(model, lr=models.LEARNING_RATE)
    options: dict[str, Any] = {"batch_size": step.N, "clip": models.MAX_NORM}
    functions: dict[str, Any] = {"loss": fr.cross_entropy}

    def call() -> float:
        history = fr.fit(
            model, functions["loss"], arrays["rows"], arrays["classes"], optimizer=adam, epochs=1, shuffle=False,
            progress=False, **options,
        )  # fmt: skip
        return history["loss"][-1]

    def outputs() -> Outputs:
        return {"y": np.array([call()]), **{name: array.copy() for name, array in model.params.items()}}

    def parts() -> dict[str, float]:
        clock = Clock()
        for name in ("recurrent", "linear"):
            watch(clock, name, model[name])
        functions["loss"] = clock.timed("loss", fr.cross_entropy)
        clock.watch("optimizer", model, "zero_grad")
        clock.watch("optimizer", adam, "step")
        return clock.measure(call)

    return call, outputs, parts


def whole(call: Callable[[], object], outputs: Callable[[], Outputs]) -> StepCalls:
    """A job in one part."""
    return call, outputs, lambda: Clock().measure(call)


def states(step: Step) -> StepCalls:
    """All states of a reservoir."""
    network, (x, _) = models.reservoir(step), series(step)
    return whole(lambda: network.features(x), lambda: {"y": network.features(x)[0]})


def readout(step: Step) -> StepCalls:
    """The states, and the ridge regression of the readout."""
    network, (x, y) = models.reservoir(step), series(step)

    def outputs() -> Outputs:
        network.fit(x, y, models.RIDGE)
        return {"y": network.predict(x)}

    return whole(lambda: network.fit(x, y, models.RIDGE), outputs)


def make(step: Step) -> StepCalls:
    """A reservoir with a spectral radius that is asked for."""

    def outputs() -> Outputs:
        return {"y": models.has_radius(models.reservoir(step).state_dict()["weight_hh_l0"])}

    return whole(lambda: models.reservoir(step), outputs)
