# SPDX-License-Identifier: BSD-3-Clause
"""Generated pages: API reference, examples, tests, copied Markdown, written into docs/generated before Sphinx reads."""

import re
from pathlib import Path

import gallery
import held
import names
from docutils import nodes

DOCS = Path(__file__).parents[1]
ROOT, GENERATED = DOCS.parent, DOCS / "generated"

INDEX = """API reference
=============

``fastrnn`` is imported as ``fr`` in the examples. Size letters: T time steps, N batch rows, I input size,
H hidden size, L layers, D directions.

.. toctree::
   :hidden:

{toctree}

{tables}
"""

REPORTS = """Results of the benchmarks
=========================

What ``make bench`` measured, by the kind of CPU:

.. toctree::
   :maxdepth: 1
"""


def slug(title):
    return "".join(c if c.isalnum() else "-" for c in title.lower())


def table(dotted, options=""):
    """Name and first line of each thing; `:toctree:` among the options makes the pages that they link to."""
    shown = "\n".join(f"   {name.removeprefix('fastrnn.')}" for name in dotted)
    return f".. currentmodule:: fastrnn\n\n.. autosummary::\n   :nosignatures:\n{options}\n{shown}\n"


def introductions():
    """What introduces the module of each page: its docstring, if the module has one page."""
    modules = [module for _, module, _ in names.PAGES if names.is_there(module)]
    for k, module in enumerate(modules):
        directive = f".. module:: {f'fastrnn.{module}'.rstrip('.')}\n" if module not in modules[:k] else ""
        if module and modules.count(module) == 1:
            directive += f"\n{gallery.as_rst(names.face(module).__doc__.strip(), escape=str)}\n"
        yield directive


def api():
    """(path, content) of the index and of a page for each subject."""
    sections, overview = names.sections(), []
    for (title, dotted), introduction in zip(sections.items(), introductions(), strict=True):
        heading = f"{title}\n{'=' * len(title)}\n"
        yield f"api/{slug(title)}.rst", "\n".join((heading, introduction, table(dotted, "   :toctree: names\n")))
        overview += [f":doc:`{title} <{slug(title)}>`\n", table(dotted)]
    toctree = "\n".join(f"   {slug(title)}" for title in sections)
    yield "api/index.rst", INDEX.format(toctree=toctree, tables="\n".join(overview))


def examples():
    """(path, content) of the gallery."""
    yield "examples/index.rst", gallery.index()
    for path in gallery.examples():
        yield f"examples/{path.stem}.rst", gallery.page(path)


def copies():
    """(path, content) of Markdown files of the repository, and of the files that they link to."""
    for name in ("CONTRIBUTING.md", "CHANGELOG.md"):
        yield name, (ROOT / name).read_text()
    benchmarks = ROOT / "benchmarks"
    results = sorted(benchmarks.glob("results/*/RESULTS.md"))
    for path in (*benchmarks.glob("*.md"), *results, *benchmarks.glob("_suite/**/*.py")):
        yield str(path.relative_to(ROOT)), path.read_text()
    reports = "\n".join(f"   {path.parent.name} <{path.parent.name}/RESULTS>" for path in results)
    yield "benchmarks/results/index.rst", f"{REPORTS}\n{reports}\n"


def write():
    """Bring docs/generated up to date. Unchanged files keep their time stamps, so Sphinx does not read them again."""
    content = dict((*api(), *examples(), *held.pages(), *copies()))
    of_autosummary = {f"api/names/{name}.rst" for dotted in names.sections().values() for name in dotted}
    for path in GENERATED.rglob("*.*"):
        if str(path.relative_to(GENERATED)) not in content.keys() | of_autosummary:
            path.unlink()
    for path, text in content.items():
        target = GENERATED / path
        if not target.exists() or target.read_text() != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)


def as_code(app, env, node, contnode):
    """In docstrings `x` is a link if x is a public name, else code: an argument or an attribute."""
    if node.get("reftype") == "obj" and node.get("refdomain") == "py":
        return nodes.literal("", node.astext())
    return None


def generate_for_all(app, config):
    """By default autosummary reads the page list of the previous build and misses new pages."""
    config.autosummary_generate = sorted(str(path) for path in (GENERATED / "api").glob("*.rst"))


def skip_options(app, what, name, member, skip, options):
    """Options of layers and optimizers are descriptors of this package: the Parameters section describes them."""
    return skip or (type(member).__module__.startswith("fastrnn.") and hasattr(member, "__get__")) or None


def name_of_default(app, what, name, obj, options, signature, annotation):
    """`np.float32` of the default <class 'numpy.float32'> in a signature."""
    return signature and re.sub(r"<class 'numpy\.(\w+)'>", r"np.\1", signature), annotation


def describe_values(app, what, name, obj, options, lines):
    """Public values, whose docstrings are those of their classes, and fields of tuples."""
    if what == "data":
        lines[:] = [names.DATA[name]]
    elif "".join(lines).strip().startswith("Alias for field number"):
        lines.clear()


def setup(app):
    write()
    app.connect("autodoc-process-docstring", describe_values)
    app.connect("autodoc-process-signature", name_of_default)
    app.connect("autodoc-skip-member", skip_options)
    app.connect("config-inited", generate_for_all)
    app.connect("missing-reference", as_code)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
