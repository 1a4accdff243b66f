# SPDX-License-Identifier: BSD-3-Clause
"""The pages of the API: each public name of the package on one of them, by the module that it comes from."""

import importlib
import inspect
import pkgutil

import fastrnn

SUBJECTS = {  # title: the modules, in the order of the page. A module that is not here gets a page of its own.
    "Recurrent layers": ("recurrent", "stream"),
    "Other layers": ("layers", "dropout", "normalization", "pooling", "sequential"),
    "Attention and sequence to sequence": ("attention", "decoder", "seq2seq", "decoding"),
    "Echo state networks": ("echostate", "rls"),
    "Losses": ("losses", "regression", "ctc"),
    "Training": ("training", "rows", "batches", "evaluation", "truncated", "checkpoints"),
    "Optimizers and schedules": ("optim", "adaptive", "schedules"),
    "Gradients": ("gradients",),
    "Initialisers": ("init",),
    "Looking inside": ("inspect",),
    "Saving and loading": ("files",),
    "Threads and engines": ("threads",),
}
SHARED = ("Layer", "Parameters", "Tape")  # of fastrnn.layer: not made by hand, but met everywhere


def home(thing):
    """The module of the package that a public thing comes from: 'losses'."""
    name = thing.__name__ if inspect.ismodule(thing) else thing.__module__
    return name.split(".")[1]


def public(module):
    """The public names of a module of the package: what it lists, or the functions and classes that are its own."""
    own = (
        name
        for name, thing in vars(module).items()
        if (inspect.isfunction(thing) or inspect.isclass(thing))
        and (thing.__module__ == module.__name__ or thing.__module__.startswith(module.__name__ + "."))
        and not name.startswith("_")
    )
    return sorted(getattr(module, "__all__", own))


def on_demand():
    """The packages inside that a user imports by name. The benchmarks are a program."""
    found = (module.name for module in pkgutil.iter_modules(fastrnn.__path__) if module.ispkg)
    return sorted(set(found) - {"benchmarks"} - set(fastrnn.__all__))


def things():
    """(dotted name, module that it comes from) of every public thing, modules opened."""
    for name in (*fastrnn.__all__, *on_demand()):
        thing = getattr(fastrnn, name) if name in fastrnn.__all__ else importlib.import_module(f"fastrnn.{name}")
        if inspect.ismodule(thing):
            for inner in public(thing):
                yield f"fastrnn.{name}.{inner}", home(thing)
        else:
            yield f"fastrnn.{name}", home(thing)


def sections():
    """Title of each page, and the dotted names on it. A new module is titled by its first line."""
    by_module = {}
    for name, module in things():
        by_module.setdefault(module, []).append(name)
    found = {}
    for title, modules in SUBJECTS.items():
        names = [name for module in modules for name in by_module.pop(module, ())]
        if names:
            found[title] = names
    for module, names in by_module.items():
        first = inspect.getdoc(importlib.import_module(f"fastrnn.{module}")).splitlines()[0]
        found[first.rstrip(".").partition(":")[0]] = names
    found["What every layer shares"] = [f"fastrnn.layer.{name}" for name in SHARED]
    return found
