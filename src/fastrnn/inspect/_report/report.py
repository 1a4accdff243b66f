# SPDX-License-Identifier: BSD-3-Clause
"""An HTML page that shows a model at work. It contains all its data and loads nothing."""

import base64
import html
import json
from importlib import resources
from string import Template
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_size
from ...nn import Layer, log_softmax
from ...nn._layer import leaves
from .._gradients.influence import influence
from .._plots.gates import GATES
from .._trace.record import SEVERAL_INPUTS, trace
from .._trace.tokenization import Reading
from .._trace.trace import STATE_AXES, Trace
from .._units.ranking import survey_units
from .predictions import is_causal, recent_influence
from .signals import CURVES, Blocks, signals

TOP = 10  # outputs that are listed at each step
NAN = -128  # as a byte


def report(model: Layer, reading: Reading, *, title: str = "fastrnn", window: int = 40) -> str:
    """Create an HTML report of the states, gates and predictions of a model at each step of a sequence.

    Parameters
    ----------
    model : Layer
        With a recurrent layer in it.
    reading : Reading
        From `read_text` or `read_array`.
    title : str, default "fastrnn"
    window : int, default 40
        How many of the latest steps to show the influence of. It is shown if the model has an output at each step that
        depends on the steps up to there only. (That of all steps is shown if it has one output after all of them.)

    Returns
    -------
    str
        HTML: a text with colors, or the curves of signals. It stores states and gates as bytes with a scale for each
        unit, with an error of at most 1/254 of the largest magnitude of the unit.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type, or the model cannot read this sequence.

    Examples
    --------
    >>> import fastrnn as fr
    >>> from fastrnn import inspect
    >>> model = fr.Sequential(fr.Embedding(3, 4, seed=0), fr.LSTM(4, 8, seed=1), fr.Linear(8, 3, seed=2))
    >>> page = inspect.report(model, inspect.read_text(model, "abba", ["a", "b", "c"]))
    >>> page.splitlines()[0], "</html>" in page
    ('<!DOCTYPE html>', True)
    """
    if not isinstance(reading, Reading):
        raise TypeError(f"reading: expected what read_text or read_array returned, got {type(reading).__name__}")
    if type(model) in SEVERAL_INPUTS:
        raise ValueError(f"model: expected one that reads a single sequence, got {type(model).__name__}")
    T = len(reading.labels)
    window = min(as_size("window", window), T)
    whole = trace(model, reading.x)
    states = aligned(whole, T)
    blocks: Blocks = {}
    about = [
        " \N{RIGHTWARDS ARROW} ".join(map(summary, leaves(model))),
        f"{sum(array.size for array in model.stored.values()):,} parameters",
        f"{T:,} steps",
    ]
    notes = ["States and gates are shown within 1/254 of the largest magnitude of each unit."]
    choices = recurrences(states, blocks)
    meta: dict[str, Any] = {
        "steps": T,
        "recurrences": choices,
        "matches": matches(states, reading, choices),
        "window": 0,  # how many of the latest steps have an influence that is shown; all steps have the same if "whole"
        "whole": whole.y.ndim == 1,  # one output, after all steps
        "predictions": None,
    }
    if reading.tokens is None:
        meta["signals"] = signals(reading, whole.y, blocks, notes)
    else:
        meta |= {"labels": reading.labels, "unknown": reading.unknown, "spaced": max(map(len, reading.labels)) > 1}
    if meta["whole"] or (whole.y.ndim == 2 and len(whole.y) == T):
        causal = is_causal(model)
        next_token = causal and reading.tokens is not None and whole.y.shape[1] == len(reading.vocabulary or ())
        meta["predictions"], outputs, loss = predictions(np.atleast_2d(whole.y), reading, next_token, blocks)
        if loss is not None:
            about.append(f"{loss:.3f} nats per next token")
        meta["window"] = window if causal and not meta["whole"] else 0
        if causal or meta["whole"]:
            chosen = [outputs] if reading.tokens is not None else np.arange(min(CURVES, whole.y.shape[-1]))[:, None]
            blocks["influence"] = influences(model, reading, whole, chosen, meta["window"], next_token)
            notes.append(explanation(meta["window"], "signals" in meta, next_token))
    if reading.unknown:
        notes.append(f"{len(reading.unknown)} tokens with a dotted underline are not in the vocabulary.")
    return page(title, about, notes, meta, blocks)


def influences(model: Layer, reading: Reading, whole: Trace, chosen: ArrayLike, window: int, next_token: bool) -> Array:
    """The influence of steps on each of the chosen outputs (K, T) or (K, 1), the same at all steps, as bytes.

    (K, T, window) of the latest steps, or without a window (K, T) of all steps on outputs after the last one.
    """
    T = len(reading.labels)
    if not window:
        return relative(np.stack([influence(model, reading.x, output=k) for (k,) in np.asarray(chosen)]))
    rows = (np.broadcast_to(row, T) for row in np.asarray(chosen))
    return relative(np.stack([recent_influence(model, reading.x, whole, row, window, next_token) for row in rows]))


def explanation(window: int, curves: bool, next_token: bool) -> str:
    """A description of the influence that the page shows."""
    mark = "shading behind" if curves else "line under"
    output = "the chosen output" if curves else "the largest output"
    output = "the logarithm of the probability of the next token" if next_token else output
    steps = f"the latest {window} steps" if window else "the steps"
    return (
        f"The orange {mark} {steps} is their influence: the norm of the gradient of {output} with respect to the input "
        "of the step, relative to the largest of these norms."
    )


def aligned(whole: Trace, T: int) -> Trace:
    """The arrays of a trace that have a step for each step of the sequence; after pooling there are others."""
    names = [name for name in whole if whole.axes[name] == STATE_AXES and whole[name].shape[2] == T]
    return Trace({name: whole[name] for name in names}, whole.axes, whole.lengths, whole.y)


def recurrences(states: Trace, blocks: Blocks) -> list[dict[str, Any]]:
    """Each layer and direction with its arrays, for the page to choose from. Their bytes and scales go to `blocks`."""
    choices = []
    for name, part in states.layers.items():
        L, D, _, _, units = part["h"].shape
        for layer, direction in np.ndindex(L, D):
            label = f"{name}: " if name else ""
            label += f"layer {layer}" + (", backward" if direction else ", forward" if D == 2 else "")
            arrays = []
            for short, array in part.items():
                block = f"a{len(choices)}-{short}"
                blocks[block], blocks[f"{block}-scale"] = quantized(array[layer, direction, :, 0])
                arrays.append({"name": short, "id": block, "gate": short in GATES})
            choices.append({"name": label, "units": units, "arrays": arrays, "at": [name, layer, direction]})
    return choices


def quantized(values: Array) -> tuple[Array, Array]:
    """Values (T, units) as bytes in -127..127 and the scale of each unit, float32; NaN and infinity are -128."""
    finite = np.isfinite(values)
    scale = (np.abs(np.where(finite, values, 0)).max(axis=0, initial=0) / 127).astype(np.float32)
    steps = np.where(finite, values, 0) / np.where(scale > 0, scale, 1)
    return np.where(finite, np.clip(np.round(steps), -127, 127), NAN).astype(np.int8), scale


def relative(norms: Array) -> Array:
    """Influence (..., steps) as bytes, relative to the largest of each row; 0 where a model has diverged."""
    norms = np.where(np.isfinite(norms), norms, 0)
    largest = norms.max(axis=-1, keepdims=True)
    return np.round(255 * norms / np.where(largest > 0, largest, 1)).astype(np.uint8)


def predictions(
    y: Array, reading: Reading, next_token: bool, blocks: Blocks
) -> tuple[dict[str, Any], Array, float | None]:
    """A description of the outputs, the output of each step whose influence is shown, and the loss of next tokens."""
    T, V = y.shape
    values = y.astype(np.float64)
    log_p = log_softmax(values) if next_token else values
    values = np.exp(log_p) if next_token else values
    top = min(TOP, V)
    best = np.argsort(-values, axis=1, kind="stable")[:, :top]
    blocks["top"], blocks["top-value"] = best.astype(np.uint32), np.take_along_axis(values, best, 1).astype(np.float32)
    names = reading.vocabulary if next_token else [f"output {k}" for k in range(V)]
    title = "Largest outputs at this step" if T == len(reading.labels) else "Largest outputs after the last step"
    about: dict[str, Any] = {"top": top, "softmax": next_token, "next": None, "title": title, "names": names}
    outputs, loss = best[:, 0].copy(), None
    if next_token and reading.tokens is not None:
        about["title"] = "Predicted next token (the actual one is highlighted)"
        outputs[:-1] = reading.tokens[1:]
        about["next"] = [*reading.tokens[1:].tolist(), None]
        blocks["next-p"] = values[np.arange(T), outputs].astype(np.float32)
        loss = None if T == 1 else float(-log_p[np.arange(T - 1), outputs[:-1]].mean())
    return about, outputs, loss


def matches(states: Trace, reading: Reading, choices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The unit that follows each predefined property best, if the sequence is a text of characters."""
    if reading.tokens is None or max(map(len, reading.labels)) > 1:
        return []
    places = {tuple(choice["at"]): k for k, choice in enumerate(choices)}
    result = []
    for key, (match, *_) in survey_units(states, "".join(reading.labels)).items():
        name, _, short = match.name.rpartition(".")
        k = places[name, match.layer, match.direction]
        array = [array["name"] for array in choices[k]["arrays"]].index(short)
        score = f"{'AUC' if match.kind == 'auc' else 'correlation'} {match.score:.2f}".replace("-", "\N{MINUS SIGN}")
        text = f"{key.replace('_', ' ')}: unit {match.unit}, {short}, {choices[k]['name']}, {score}"
        result.append({"text": text, "recurrence": k, "array": array, "unit": match.unit})
    return result


def summary(layer: Layer) -> str:
    """A layer and its sizes: LSTM(64, 128, 1)."""
    sizes = [str(value) for value in layer.config().values() if type(value) is int]
    return f"{type(layer).__name__}({', '.join(sizes)})"


def page(title: str, about: list[str], notes: list[str], meta: dict[str, Any], blocks: Blocks) -> str:
    """The HTML of the page."""
    folder = resources.files("fastrnn.inspect._report") / "page"
    scripts = "data.js", *(("signals.js", "zoom.js") if "signals" in meta else ("text.js",)), "page.js"
    files = {name: (folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", *scripts)}
    coded = {name: base64.b64encode(np.ascontiguousarray(array).tobytes()).decode() for name, array in blocks.items()}
    return Template(files["page.html"]).substitute(
        title=html.escape(title),
        about=html.escape(" \N{MIDDLE DOT} ".join(about)),
        notes=html.escape(" ".join(notes)),
        style=files["page.css"],
        script="\n".join(files[name] for name in scripts),
        meta=json.dumps(meta).replace("<", "\\u003c"),  # so that no text can end the script
        blocks="\n".join(f'<script id="{name}" type="text/plain">{text}</script>' for name, text in coded.items()),
    )
