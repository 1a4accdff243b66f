# SPDX-License-Identifier: BSD-3-Clause
"""Architectures: a model as plain data, {"type": "LSTM", "input_size": 3, ...}, its type and its `config`.

What they say is not believed: every key and every type is checked before anything is built.
"""

from reprlib import repr as short  # what a message quotes may be megabytes

from ..nn._attention.attention import Attention
from ..nn._attention.decoder import AttentionDecoder
from ..nn._container import Composite
from ..nn._dropout import Dropout
from ..nn._embedding import Embedding
from ..nn._linear import Linear
from ..nn._normalization import LayerNorm
from ..nn._pooling import LastStep, MaxPool, MeanPool
from ..nn._recurrent.gru import GRU
from ..nn._recurrent.lstm import LSTM
from ..nn._recurrent.rnn import RNN
from ..nn._repeat import RepeatVector
from ..nn._reservoir.echo_state import EchoState
from ..nn._residual import Residual
from ..nn._seq2seq.model import Seq2Seq
from ..nn._sequential import Sequential

EXAMPLES = {  # what can be in a file: arguments that make one, or the config of one that is made of layers
    Attention: {
        "query_size": 1,
        "memory_size": 1,
        "score": "additive",
        "attention_size": None,
        "batch_first": False,
        "dtype": "float32",
    },
    AttentionDecoder: {"layer": {}, "attention": {}, "combine": {}, "input_feeding": False},
    Dropout: (),
    EchoState: (1, 1),
    Embedding: (1, 1),
    GRU: (1, 1),
    LastStep: (),
    LayerNorm: (1,),
    Linear: (1, 1),
    LSTM: (1, 1),
    MaxPool: (),
    MeanPool: (),
    RepeatVector: (1,),
    Residual: {"layer": {}},
    RNN: (1, 1),
    Seq2Seq: {"encoder": {}, "embedding": {}, "decoder": {}, "output": {}, "bridge": None, "start": None},
    Sequential: {"layers": []},
}
KINDS = {kind.__name__: kind for kind in EXAMPLES}
CODES = {"float32": "F32", "float64": "F64"}  # the dtypes, as safetensors calls them


def check_kinds(model):
    """Refuse what `load` could not build."""
    if type(model) not in KINDS.values():
        raise TypeError(f"model: expected {', '.join(KINDS)}, got {type(model).__name__}")
    for layer in model.parts().values():
        check_kinds(layer)


def parse(architecture):
    """The class that an architecture names, and its arguments: all there, each of its type."""
    if not isinstance(architecture, dict):
        raise ValueError(f"architecture: expected an object, got {short(architecture)}")
    config = dict(architecture)
    name = config.pop("type", None)
    if not isinstance(name, str) or name not in KINDS:
        raise ValueError(f"architecture: expected a type of {', '.join(KINDS)}, got {short(name)}")
    kind = KINDS[name]
    optional = {key: value for key, value in getattr(kind, "_optional", {}).items() if key in config}
    example = example_of(kind) | optional
    for what, keys in ("missing", example.keys() - config), ("unknown", config.keys() - example):
        if keys:
            raise ValueError(f"architecture: {what} in {name}: {short(sorted(keys))}")
    for key, value in config.items():
        if value is None is example[key] or (key in optional and type(value) is list):  # the layer looks into it
            continue
        wanted, low = type(example[key]), 0 if example[key] == 0 else 1  # a count, or a size
        if example[key] is None:  # None or a layer; None or a position
            wanted, low = (dict, 0) if key in inner_names(kind) else (int, 0)
        if type(value) is not wanted:  # exactly: True is no int, and 3.0 neither
            raise ValueError(f"architecture: {name}.{key}: expected {wanted.__name__}, got {short(value)}")
        if type(value) is int and value < low:
            raise ValueError(f"architecture: {name}.{key}: expected at least {low}, got {short(value)}")
    if config.get("dtype", "float32") not in CODES:
        raise ValueError(f"architecture: {name}.dtype: expected {' or '.join(CODES)}, got {short(config['dtype'])}")
    return kind, config


def example_of(kind):
    """A config of a kind: its keys, and values of the types that they have."""
    example = EXAMPLES[kind]
    return example if isinstance(example, dict) else kind(*example).config()


def inner_names(kind):
    """The arguments of a kind that are layers, by their names."""
    return kind._names if issubclass(kind, Composite) else ("layer",) if kind is Residual else ()


def inside(kind, config):
    """(prefix, architecture) of each layer inside one; nothing for a layer that holds none."""
    if kind is Sequential:
        return [(f"{k}.", layer) for k, layer in enumerate(config["layers"])]
    if kind is Residual:
        return [("", config["layer"])]
    return [(f"{name}.", config[name]) for name in inner_names(kind) if config[name] is not None]


def parameters(architecture, prefix=""):
    """(name, dtype, shape) of each parameter, one after another, without a model."""
    kind, config = parse(architecture)
    for name, layer in inside(kind, config):
        yield from parameters(layer, prefix + name)
    for name, shape in kind._shapes(**config):
        yield prefix + name, config["dtype"], shape


def build(architecture):
    """The model, with parameters of any values."""
    kind, config = parse(architecture)
    if kind is Sequential:
        return Sequential(*map(build, config["layers"]))
    try:
        return kind(**{key: build(value) if isinstance(value, dict) else value for key, value in config.items()})
    except TypeError as error:
        raise ValueError(f"architecture: {kind.__name__}: {error}") from error
