# SPDX-License-Identifier: BSD-3-Clause
"""One page of HTML that shows a model at work: all its data inside, nothing fetched."""

import base64
import html
import json
from importlib import resources
from string import Template

import numpy as np

from ..._engine.arguments import as_size
from ...nn._layer import leaves
from .._trace.record import SEVERAL, trace
from .._trace.tokenization import Reading
from .._trace.trace import Trace
from .._units.ranking import survey_units
from .predictions import is_causal, log_softmax, recent_influence

__all__ = ["report"]

TOP = 10  # outputs that are listed at each step
GATES = ("i", "f", "o", "r", "z")  # from 0 to 1
NAN = -128  # as a byte


def report(model, reading, *, title="fastrnn", window=40):
    """A page that shows the states and gates of a model at each step of a sequence, and what it says there.

    Parameters
    ----------
    model : Layer
        With a recurrent layer in it.
    reading : Reading
        From `read_text` or `read_array`.
    title : str
    window : int
        The influence of so many of the latest steps on what the model says is shown, if it says something at each step
        and has read no further.

    Returns
    -------
    str
        HTML. Values of states and gates are in it as bytes, with a scale for each unit; they are off by at most 1/254
        of the unit's largest magnitude.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type, or the model cannot read this.

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
    if type(model) in SEVERAL:
        raise ValueError(f"model: expected one that reads a single sequence, got {type(model).__name__}")
    window, T = min(as_size("window", window), len(reading.labels)), len(reading.labels)
    found = trace(model, reading.x)
    shown = steps_of(found, T)
    blocks = {}
    about = [" \N{RIGHTWARDS ARROW} ".join(map(summary, leaves(model)))]
    about += [f"{sum(array.size for array in model.state_dict().values()):,} parameters", f"{T:,} steps"]
    notes = ["States and gates are shown within 1/254 of the largest magnitude of each unit."]
    meta = {"labels": reading.labels, "unknown": reading.unknown, "spaced": max(map(len, reading.labels)) > 1}
    meta["strands"] = strands(shown, blocks)
    meta["known"] = known_units(shown, reading, meta["strands"])
    meta["window"], meta["outlook"] = 0, None
    if found.y.ndim == 2 and len(found.y) == T:
        causal = is_causal(model)
        following = causal and reading.tokens is not None and found.y.shape[1] == len(reading.vocabulary)
        meta["outlook"], chosen, loss = outlook(found.y, reading, following, blocks)
        if loss is not None:
            about.append(f"{loss:.3f} nats for each next token")
        if causal:
            meta["window"] = window
            influence = recent_influence(model, reading.x, found, chosen, window, softmax=following)
            influence = np.where(np.isfinite(influence), influence, 0)  # those of a model that has diverged
            largest = influence.max(axis=1, keepdims=True)
            blocks["influence"] = np.round(255 * influence / np.where(largest > 0, largest, 1)).astype(np.uint8)
            of = "the logarithm of the probability of the next token" if following else "the largest output"
            notes.append(
                f"Orange under the latest {window} steps is their influence: the norm of the gradient of {of} with "
                "respect to what is read there, relative to the largest of them."
            )
    if reading.unknown:
        notes.append(f"{len(reading.unknown)} tokens, underlined with dots, are none of the vocabulary.")
    return page(title, about, notes, meta, blocks)


def steps_of(found, T):
    """The part of a trace that has a step for each step of the sequence: behind pooling there are others."""
    names = [name for name in found if found[name].ndim == 5 and found[name].shape[2] == T]
    return Trace({name: found[name] for name in names}, found.axes, found.lengths, found.y)


def strands(found, blocks):
    """What can be chosen: each layer and direction, with its arrays. Their bytes and scales go into `blocks`."""
    chosen = []
    for name, part in found.layers.items():
        L, D, _, _, units = part["h"].shape
        for layer, direction in np.ndindex(L, D):
            label = f"{name}: " if name else ""
            label += f"layer {layer}" + (", backwards" if direction else ", forwards" if D == 2 else "")
            arrays = []
            for short, array in part.items():
                block = f"a{len(chosen)}-{short}"
                blocks[block], blocks[f"{block}-scale"] = quantized(array[layer, direction, :, 0])
                arrays.append({"name": short, "id": block, "gate": short in GATES})
            chosen.append({"name": label, "units": units, "arrays": arrays, "at": [name, layer, direction]})
    return chosen


def quantized(values):
    """Values (T, units) as bytes in -127..127 and the scale of each unit, float32; NaN and infinity are -128."""
    finite = np.isfinite(values)
    scale = (np.abs(np.where(finite, values, 0)).max(axis=0, initial=0) / 127).astype(np.float32)
    steps = np.where(finite, values, 0) / np.where(scale > 0, scale, 1)
    return np.where(finite, np.clip(np.round(steps), -127, 127), NAN).astype(np.int8), scale


def outlook(y, reading, following, blocks):
    """What the model says: a description, which output the influence is on, and the loss if it is the next token."""
    T, V = y.shape
    said = np.exp(log_softmax(y)) if following else y.astype(float)
    top = min(TOP, V)
    best = np.argsort(-said, axis=1, kind="stable")[:, :top]
    blocks["top"], blocks["top-value"] = best.astype(np.uint32), np.take_along_axis(said, best, 1).astype(np.float32)
    chosen, loss = best[:, 0].copy(), None
    about = {"top": top, "softmax": bool(following), "next": None, "title": "What it says here, the largest outputs"}
    about["names"] = reading.vocabulary if following else [f"output {k}" for k in range(V)]
    if following:
        about["title"] = "What it expects next (and what comes)"
        chosen[:-1] = reading.tokens[1:]
        about["next"] = [*reading.tokens[1:].tolist(), None]
        p = said[np.arange(T), chosen]
        blocks["next-p"] = p.astype(np.float32)
        loss = None if T == 1 else float(-log_softmax(y)[np.arange(T - 1), chosen[:-1]].mean())
    return about, chosen, loss


def known_units(found, reading, strands):
    """The unit that tells each ready-made property best, if it is a text of characters."""
    if reading.tokens is None or max(map(len, reading.labels)) > 1:
        return []
    places = {tuple(strand["at"]): k for k, strand in enumerate(strands)}
    known = []
    for what, (match, *_) in survey_units(found, "".join(reading.labels)).items():
        name, _, short = match.name.rpartition(".")
        k = places[name, match.layer, match.direction]
        array = [array["name"] for array in strands[k]["arrays"]].index(short)
        score = f"{'AUC' if match.kind == 'auc' else 'correlation'} {match.score:.2f}".replace("-", "\N{MINUS SIGN}")
        text = f"{what.replace('_', ' ')}: unit {match.unit}, {short}, {strands[k]['name']}, {score}"
        known.append({"text": text, "strand": k, "array": array, "unit": match.unit})
    return known


def summary(layer):
    """A layer and its sizes: LSTM(64, 128, 1)."""
    sizes = [str(value) for value in layer.config().values() if type(value) is int]
    return f"{type(layer).__name__}({', '.join(sizes)})"


def page(title, about, notes, meta, blocks):
    """The parts put together."""
    folder = resources.files(__package__) / "page"
    parts = {name: (folder / f"page.{name}").read_text(encoding="utf-8") for name in ("html", "css", "js")}
    coded = {name: base64.b64encode(np.ascontiguousarray(array).tobytes()).decode() for name, array in blocks.items()}
    return Template(parts["html"]).substitute(
        title=html.escape(title),
        about=html.escape(" \N{MIDDLE DOT} ".join(about)),
        notes=html.escape(" ".join(notes)),
        style=parts["css"],
        script=parts["js"],
        meta=json.dumps(meta).replace("<", "\\u003c"),  # no text can end the script
        blocks="\n".join(f'<script id="{name}" type="text/plain">{text}</script>' for name, text in coded.items()),
    )
