# SPDX-License-Identifier: BSD-3-Clause
"""The same steps in PyTorch, eager, with its own modules, losses, clipping and Adam."""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ..peers import Outputs
from . import StepCalls, models
from .cases import ADDITIVE, Step, sequences
from .parts import Clock

torch: Any = importlib.import_module("torch")
nn: Any = torch.nn


def same(module: Any, model: Any) -> Any:
    """A module with the parameters of a model of fastrnn, whose names it has."""
    module.load_state_dict({name: torch.from_numpy(array) for name, array in model.state_dict().items()})
    return module


def trained(module: Any, forward: Callable[[], Any], loss: Callable[[Any], Any]) -> StepCalls:
    """A step of a module; its parts are those that a program sees."""
    adam = torch.optim.Adam(module.parameters(), lr=models.LEARNING_RATE)

    def update() -> None:
        nn.utils.clip_grad_norm_(module.parameters(), models.MAX_NORM)
        adam.step()

    functions = {"forward": forward, "loss": loss, "backward": torch.Tensor.backward, "optimizer": update}

    def gradients() -> Any:
        adam.zero_grad()
        value = functions["loss"](functions["forward"]())
        functions["backward"](value)
        return value

    def call() -> None:
        gradients()
        functions["optimizer"]()

    def outputs() -> Outputs:
        value = gradients().detach().numpy()
        return {"y": value[None], **{name: p.grad.numpy() for name, p in module.named_parameters()}}

    def parts() -> dict[str, float]:
        clock = Clock()
        functions.update({name: clock.timed(name, function) for name, function in functions.items()})
        return clock.measure(call)

    return call, outputs, parts


def cross_entropy(logits: Any, target: Any) -> Any:
    """Of logits (T, N, V) and target (T, N)."""
    return nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())


def language(step: Step) -> StepCalls:
    """Embedding, LSTM, linear layer, cross-entropy."""
    layers = {
        "embedding": nn.Embedding(step.V, step.I),
        "recurrent": nn.LSTM(step.I, step.H),
        "linear": nn.Linear(step.H, step.V),
    }
    module, tokens = same(nn.ModuleDict(layers), models.language(step)), torch.from_numpy(sequences(step)["tokens"])

    def forward() -> Any:
        return module["linear"](module["recurrent"](module["embedding"](tokens[:-1]))[0])

    return trained(module, forward, lambda logits: cross_entropy(logits, tokens[1:]))


def translator(step: Step) -> Any:
    """The module of `translation`."""
    V, I, H = step.V, step.I, step.H
    additive = {"query": nn.Linear(H, H, False), "memory": nn.Linear(H, H, False), "v": nn.Linear(H, 1, False)}
    decoder = {
        "layer": nn.LSTM(I, H),
        "attention": nn.ModuleDict(additive if step.score == ADDITIVE else {}),
        "combine": nn.Linear(2 * H, H, False),
    }
    return nn.ModuleDict(
        {
            "encoder": nn.ModuleDict({"embedding": nn.Embedding(V, I), "recurrent": nn.LSTM(I, H)}),
            "embedding": nn.Embedding(V, I),
            "decoder": nn.ModuleDict(decoder),
            "output": nn.Linear(H, V),
        }
    )


def scores(attention: Any, h: Any, memory: Any) -> Any:
    """(N, T, S) of all steps of a decoder (T, N, H) and a memory (S, N, H): additive, or without parameters dot."""
    if not len(attention):
        return torch.bmm(h.transpose(0, 1), memory.permute(1, 2, 0))
    keys = attention["memory"](memory).transpose(0, 1)[:, None]  # (N, 1, S, H)
    queries = attention["query"](h).transpose(0, 1)[:, :, None]  # (N, T, 1, H)
    return attention["v"](torch.tanh(queries + keys)).squeeze(-1)


def translation(step: Step) -> StepCalls:
    """Encoder, decoder with attention of all its steps at once, cross-entropy."""
    module, arrays = same(translator(step), models.translation(step)), sequences(step)
    source, target = torch.from_numpy(arrays["source"]), torch.from_numpy(arrays["tokens"][1:])
    inputs = torch.cat([torch.zeros_like(target[:1]), target[:-1]])  # from the start symbol on
    encoder, decoder = module["encoder"], module["decoder"]

    def forward() -> Any:
        memory, state = encoder["recurrent"](encoder["embedding"](source))
        h, _ = decoder["layer"](module["embedding"](inputs), state)
        weights = scores(decoder["attention"], h, memory).softmax(-1)
        context = torch.bmm(weights, memory.transpose(0, 1)).transpose(0, 1)
        return module["output"](torch.tanh(decoder["combine"](torch.cat([context, h], -1))))

    return trained(module, forward, lambda logits: cross_entropy(logits, target))


def speech(step: Step) -> StepCalls:
    """A bidirectional GRU, a linear layer, CTC."""
    layers = {
        "recurrent": nn.GRU(step.I, step.H, bidirectional=True),
        "linear": nn.Linear(2 * step.H, step.V),
    }
    module, arrays = same(nn.ModuleDict(layers), models.speech(step)), sequences(step)
    x, labels = torch.from_numpy(arrays["features"]), torch.from_numpy(arrays["labels"])
    ends, counts = torch.full((step.N,), step.T), torch.full((step.N,), step.S)

    def loss(logits: Any) -> Any:
        return nn.functional.ctc_loss(logits.log_softmax(-1), labels, ends, counts)

    return trained(module, lambda: module["linear"](module["recurrent"](x)[0]), loss)


def fit(step: Step) -> StepCalls:
    """An epoch of a loop over slices of the rows, as one writes it; without a DataLoader, which would take longer."""
    layers = {"recurrent": nn.GRU(step.I, step.H, batch_first=True), "linear": nn.Linear(step.H, step.V)}
    model, arrays = models.classifier(step), sequences(step)
    module = same(nn.ModuleDict(layers), model)
    rows, classes = torch.from_numpy(arrays["rows"]), torch.from_numpy(arrays["classes"])
    adam = torch.optim.Adam(module.parameters(), lr=models.LEARNING_RATE)
    functions: dict[str, Any] = {"loss": nn.functional.cross_entropy, "backward": torch.Tensor.backward}

    def forward(x: Any) -> Any:
        return module["linear"](module["recurrent"](x)[1][0])

    def update() -> None:
        nn.utils.clip_grad_norm_(module.parameters(), models.MAX_NORM)
        adam.step()

    functions |= {"forward": forward, "optimizer": update}

    def call() -> float:
        total = 0.0
        for first in range(0, len(rows), step.N):
            batch = slice(first, first + step.N)
            adam.zero_grad()
            value = functions["loss"](functions["forward"](rows[batch]), classes[batch])
            functions["backward"](value)
            functions["optimizer"]()
            total += value.item()
        return total / step.B

    def outputs() -> Outputs:
        loss = call()
        return {"y": np.array([loss]), **{name: p.detach().numpy().copy() for name, p in module.named_parameters()}}

    def parts() -> dict[str, float]:
        clock = Clock()
        functions.update({name: clock.timed(name, function) for name, function in functions.items()})
        return clock.measure(call)

    return call, outputs, parts
