# SPDX-License-Identifier: BSD-3-Clause
"""The pages of the API: each public name of the package on one of them, by the module that it comes from."""

import importlib
import inspect
import pkgutil

import fastrnn

SUBJECTS = {  # title: modules or packages, in the order of the page. One that is not here gets a page of its own.
    "Recurrent layers": ("recurrent", "stream"),
    "Other layers": ("layers",),
    "Attention and sequence to sequence": ("attention", "seq2seq.decoder", "seq2seq", "decoding"),
    "Echo state networks": ("reservoir",),
    "Losses": ("losses",),
    "Training": ("training.fitting", "training"),
    "Optimizers and schedules": ("optim.optimizer", "optim.adaptive", "optim"),
    "Gradients": ("gradients",),
    "Initialisers": ("init",),
    "Looking inside": ("inspect",),
    "Saving and loading": ("files",),
    "Threads and engines": ("threads",),
}
SHARED = ("Layer", "Parameters", "Tape")  # of fastrnn.layer: not made by hand, but met everywhere


def home(thing, around=fastrnn):
    """The module of the package that a public thing comes from: 'losses.ctc'. A constant is at home around it."""
    name = thing.__name__ if inspect.ismodule(thing) else getattr(thing, "__module__", around.__name__)
    return name.partition(".")[2]


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


def packages():
    """The packages inside. The benchmarks are a program."""
    found = (module.name for module in pkgutil.iter_modules(fastrnn.__path__) if module.ispkg)
    return sorted(set(found) - {"benchmarks"} - set(fastrnn.__all__))


def things():
    """(dotted name, module that it comes from) of every public thing, by its shortest name, modules opened."""
    for name in (*fastrnn.__all__, *packages()):
        thing = getattr(fastrnn, name) if name in fastrnn.__all__ else importlib.import_module(f"fastrnn.{name}")
        if inspect.ismodule(thing):
            for inner in sorted(set(public(thing)) - set(fastrnn.__all__)):
                yield f"fastrnn.{name}.{inner}", home(getattr(thing, inner), thing)
        else:
            yield f"fastrnn.{name}", home(thing)


def _taken(by_module, place):
    """The names of a module, or of all modules of a package that are still there; they are no longer."""
    inside = [module for module in by_module if module == place or module.startswith(place + ".")]
    return [name for module in inside for name in by_module.pop(module)]


def sections():
    """Title of each page, and the dotted names on it. A new module is titled by its first line."""
    by_module = {}
    for name, module in things():
        by_module.setdefault(module, []).append(name)
    found = {}
    for title, modules in SUBJECTS.items():
        names = [name for module in modules for name in _taken(by_module, module)]
        if names:
            found[title] = names
    for module, names in by_module.items():
        first = inspect.getdoc(importlib.import_module(f"fastrnn.{module}")).splitlines()[0]
        found[first.rstrip(".").partition(":")[0]] = names
    found["What every layer shares"] = [f"fastrnn.layer.{name}" for name in SHARED]
    return found
