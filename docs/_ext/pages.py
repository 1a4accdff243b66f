# SPDX-License-Identifier: BSD-3-Clause
"""Pages that are made of what stands elsewhere, written into docs/generated before Sphinx looks for its sources."""

from pathlib import Path

import gallery
import names
from docutils import nodes

DOCS = Path(__file__).parents[1]
ROOT, GENERATED = DOCS.parent, DOCS / "generated"

INDEX = """API reference
=============

Everything here is a name of ``fastrnn``, imported as ``fr`` in the examples. Sizes are T time steps, N batch rows, I
input size, H hidden size, L layers, D directions.

.. toctree::
   :hidden:

{toctree}

{tables}
"""


def slug(title):
    return "".join(c if c.isalnum() else "-" for c in title.lower())


def tables(dotted, toctree):
    """Name and first line of each thing, by module; `toctree` makes the pages that they link to."""
    for module in dict.fromkeys(name.rpartition(".")[0] for name in dotted):
        listed = "\n".join(
            f"   {name.removeprefix(module + '.')}" for name in dotted if name.rpartition(".")[0] == module
        )
        opening = "automodule" if toctree and module != "fastrnn" else "currentmodule"
        options = "   :toctree: names\n" if toctree else ""
        yield f".. {opening}:: {module}\n\n.. autosummary::\n   :nosignatures:\n{options}\n{listed}\n"


def api():
    """(path, content) of the index and of a page for each subject."""
    sections, overview = names.sections(), []
    for title, dotted in sections.items():
        heading = f"{title}\n{'=' * len(title)}\n"
        yield f"api/{slug(title)}.rst", "\n".join((heading, *tables(dotted, True)))
        overview += [f":doc:`{title} <{slug(title)}>`\n", *tables(dotted, False)]
    toctree = "\n".join(f"   {slug(title)}" for title in sections)
    yield "api/index.rst", INDEX.format(toctree=toctree, tables="\n".join(overview))


def examples():
    """(path, content) of the gallery."""
    yield "examples/index.rst", gallery.index()
    for path in gallery.examples():
        yield f"examples/{path.stem}.rst", gallery.page(path)


def copies():
    """(path, content) of Markdown that is read in the repository too, with the files that it links to."""
    for name in ("CONTRIBUTING.md", "CHANGELOG.md"):
        yield name, (ROOT / name).read_text()
    benchmarks = ROOT / "benchmarks"
    for path in (*benchmarks.glob("*.md"), *benchmarks.glob("_suite/**/*.py")):
        yield str(path.relative_to(ROOT)), path.read_text()


def write():
    """Bring docs/generated up to date; what has not changed keeps its time, so that Sphinx reads it once."""
    content = dict((*api(), *examples(), *copies()))
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
    """In docstrings `x` is a link if x is a public name, and code if it is an argument or an attribute."""
    if node.get("reftype") == "obj" and node.get("refdomain") == "py":
        return nodes.literal("", node.astext())
    return None


def generate_for_all(app, config):
    """Left to itself autosummary looks into the pages that the build before had, and misses new ones."""
    config.autosummary_generate = sorted(str(path) for path in (GENERATED / "api").glob("*.rst"))


def setup(app):
    write()
    app.connect("config-inited", generate_for_all)
    app.connect("missing-reference", as_code)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
