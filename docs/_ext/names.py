# SPDX-License-Identifier: BSD-3-Clause
"""The pages of the API reference: which public names are on each of them."""

import importlib
import importlib.util
import inspect
import pkgutil
from fnmatch import fnmatchcase
from types import ModuleType

import fastrnn

# Title, public module, and patterns of its names. A name is on the first page that matches.
PAGES = (
    ("Recurrent layers", "nn", "RNN LSTM GRU Stream"),
    ("Attention and sequence-to-sequence models", "nn", "Attention* Seq2Seq"),
    ("Echo state networks", "nn", "EchoState RLS"),
    ("The layer contract", "nn", "Layer StatelessLayer StatefulLayer Container Parameters Tape"),
    ("Your own layers", "nn", "Cell Recurrent check_gradients GradientCheck"),
    ("Options of your own layers", "nn", "Choice DType Flag Interval KW_ONLY Number Seed Size Sublayer"),
    ("Activation functions", "nn", "Activation sigmoid softmax log_softmax"),
    ("Other layers", "nn", "*"),
    ("Losses", "losses", "*"),
    ("Gradients", "optim", "add_* clip_*"),
    ("Schedules", "optim", "Schedule *LR *Restarts *Warmup *Plateau"),
    ("Options of your own optimizers", "optim", "Choice Flag Interval Number Size Hyperparameter"),
    ("Optimizers", "optim", "*"),
    ("Training", "training", "*"),
    ("Distributed training", "distributed", "*"),
    ("Initialization", "init", "*"),
    ("Decoding", "decoding", "*"),
    ("Traces and reports", "inspect", "[tT]race read_* Reading Token* report"),
    ("Plots", "inspect", "plot_* FlowRecorder principal_components saturation"),
    ("Unit analysis", "inspect", "*_units Match auc correlation"),
    ("Text properties", "inspect", "PROPERTIES is_* inside_* position_* bracket_depth falling rising"),
    ("Gradient analysis", "inspect", "*"),
    ("Saving and loading", "io", "*"),
    ("C code", "export", "*"),
    ("Estimators for scikit-learn", "sklearn", "*"),
    ("Estimators for sktime", "sktime", "*"),
    ("Estimators for aeon", "aeon", "*"),
    ("Modules for PyTorch", "torch", "*"),
    ("Searches with optuna", "optuna", "*"),
    ("Reference implementation", "reference", "*"),
    ("Threads and engines", "", "*"),
)

# Public modules that need a package. Where it is not installed the reference lacks their page.
OPTIONAL = {"aeon": "aeon", "optuna": "optuna", "sktime": "sktime", "torch": "torch"}

# What the public names stand for that are neither functions nor classes, and so have no docstring.
DATA = {
    "fastrnn.inspect.PROPERTIES": "The properties of text that `survey_units` looks for: dict of names to functions.",
    "fastrnn.reference.CELLS": 'The cells by name, such as ``"lstm"``: dict of str to `Cell`.',
    "fastrnn.reference.SELU_ALPHA": "1.6732632..., the constant in `selu` (Klambauer et al. 2017).",
    "fastrnn.reference.SELU_SCALE": "1.0507009..., the factor of `selu` (Klambauer et al. 2017).",
}


def face(module: str) -> ModuleType:
    """A public module by its name below `fastrnn`."""
    return importlib.import_module(f"fastrnn.{module}".rstrip("."))


def is_there(module: str) -> bool:
    """Whether a public module can be imported here."""
    return module not in OPTIONAL or importlib.util.find_spec(OPTIONAL[module]) is not None


def dotted(module: str) -> list[str]:
    """The public names of a public module by their shortest dotted name: `fastrnn.LSTM`, not `fastrnn.nn.LSTM`."""
    package = face(module)
    things = {name: thing for name in package.__all__ if not inspect.ismodule(thing := getattr(package, name))}
    ours = {name for name in things if name in fastrnn.__all__ and getattr(fastrnn, name) is things[name]}
    return [f"fastrnn.{name}" if name in ours else f"{package.__name__}.{name}" for name in things]


def sections() -> dict[str, list[str]]:
    """The title of each page, and the dotted names on it."""
    pages, placed = {}, set()
    for title, module, patterns in PAGES:
        if not is_there(module):
            continue
        matches = [
            name
            for name in dotted(module)
            if name not in placed and any(fnmatchcase(name.rpartition(".")[2], p) for p in patterns.split())
        ]
        placed.update(matches)
        pages[title] = matches
    return pages


def aliases() -> dict[str, str]:
    """Names of classes that have a page under another name: fastrnn.optim.Choice is fastrnn.nn.Choice."""
    first, other = {}, {}
    for name in (name for names in sections().values() for name in names):
        value = pkgutil.resolve_name(name)
        if inspect.isclass(value) and first.setdefault(value, name) != name:
            other[name] = first[value]
    return other
