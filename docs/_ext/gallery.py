# SPDX-License-Identifier: BSD-3-Clause
"""A page for each of examples/*.py: its docstring, its output, its picture, its code.

The output is in docs/gallery/<name>.txt, the picture in <name>.png. `make gallery` runs the examples and writes both.
Without them the page shows the docstring and the code only.
"""

import ast
import re
import subprocess
import sys
import textwrap
from pathlib import Path

DOCS = Path(__file__).parents[1]
EXAMPLES, RECORDED = DOCS.parent / "examples", DOCS / "gallery"


def topics():
    """(topic, name, parts of the package) of each row of the table in examples/README.md."""
    table = (EXAMPLES / "README.md").read_text()
    return re.findall(r"^\| (.*?) \| \[.*?\]\((\w+)\.py\) \| (.*?) \|$", table, re.MULTILINE)


def examples():
    """The scripts that show an idea, in the order of the table in examples/README.md.

    Helper modules begin with an underscore or have no docstring.
    """
    links = [name for _, name, _ in topics()]
    place = {name: links.index(name) for name in links}
    for path in sorted(EXAMPLES.glob("*.py"), key=lambda path: (place.get(path.stem, len(links)), path.stem)):
        if not path.name.startswith("_") and ast.get_docstring(ast.parse(path.read_text())):
            yield path


def title(path):
    """'Language model' of language_model.py."""
    words = path.stem.capitalize().split("_")
    return " ".join(word.upper() if word in {"rnn", "lstm", "gru", "ctc"} else word for word in words)


def docstring(path):
    return ast.get_docstring(ast.parse(path.read_text()))


def escaped(text):
    """Text of a docstring as reStructuredText, in which `x` is code."""
    parts = re.split(r"`+([^`]+)`+", text)
    parts[0::2] = [re.sub(r"([*`|_\\])", r"\\\1", part) for part in parts[0::2]]
    parts[1::2] = [f"\\ ``{part}``\\ " for part in parts[1::2]]
    return "".join(parts)


def as_rst(text, escape=escaped):
    """A docstring as reStructuredText: indented paragraphs become code blocks."""
    parts = []
    for paragraph in re.split(r"\n\n+", text):
        if paragraph.startswith("    "):
            parts.append(".. code-block:: none\n\n" + paragraph)
        else:
            parts.append(escape(paragraph))
    return "\n\n".join(parts)


def first_line(path):
    """The line after the docstring."""
    return ast.parse(path.read_text()).body[0].end_lineno + 2


def plots(path):
    """Whether the example has an option --plot, the file for its picture."""
    return '"--plot"' in path.read_text()


def page(path):
    """The page of one example."""
    name = title(path)
    parts = [f"{name}\n{'=' * len(name)}", as_rst(docstring(path))]
    if (RECORDED / f"{path.stem}.png").exists():
        parts.append(f".. image:: /gallery/{path.stem}.png\n   :alt: plot of {path.name}")
    if (RECORDED / f"{path.stem}.txt").exists():
        parts.append(f"Output:\n\n.. literalinclude:: /gallery/{path.stem}.txt\n   :language: none")
    code = f".. literalinclude:: /../examples/{path.name}\n   :language: python\n   :lines: {first_line(path)}-"
    parts.append(f"Code:\n\n{code}")
    return "\n\n".join(parts) + "\n"


def last_line(path):
    """The last line of the output, which states the result."""
    recorded = RECORDED / f"{path.stem}.txt"
    return recorded.read_text().rstrip().splitlines()[-1] if recorded.exists() else ""


def card(path):
    """The first paragraph of the docstring, the picture, and the result."""
    first = " ".join(docstring(path).split("\n\n")[0].split())
    lines = [escaped(first)]
    if (RECORDED / f"{path.stem}.png").exists():
        lines += ["", f".. image:: /gallery/{path.stem}.png", f"   :alt: {title(path)}"]
    if figure := last_line(path):
        lines += ["", ".. rst-class:: figure-line", "", escaped(figure)]
    head = f".. grid-item-card:: {title(path)}\n   :link: {path.stem}\n   :link-type: doc\n\n"
    return head + textwrap.indent("\n".join(lines), "   ")


def index():
    """The table of topics, and a card for each example."""
    rows = [[escaped(topic), f":doc:`{name}`", escaped(parts)] for topic, name, parts in topics()]
    rows = ["   * - " + "\n     - ".join(row) for row in [["Topic", "Example", "Parts of the package"], *rows]]
    table = ".. list-table::\n   :header-rows: 1\n\n" + "\n".join(rows)
    grid = ".. grid:: 1 2 2 3\n   :gutter: 3\n\n" + "\n\n".join(textwrap.indent(card(p), "   ") for p in examples())
    intro = "Runnable scripts, one idea each. ``python examples/NAME.py`` runs one; ``--help`` lists its options."
    listed = "\n".join(f"   {path.stem}" for path in examples())
    toctree = f".. toctree::\n   :hidden:\n\n{listed}"
    topic_section = f"By topic\n--------\n\n{table}"
    return f"Examples\n========\n\n{intro}\n\n{grid}\n\n{topic_section}\n\n{toctree}\n"


def record(path):
    """Run an example, and save its output and its picture."""
    RECORDED.mkdir(exist_ok=True)
    picture = ["--plot", str(RECORDED / f"{path.stem}.png")] if plots(path) else []
    process = subprocess.run([sys.executable, str(path), *picture], stdout=subprocess.PIPE, text=True, timeout=600)
    if process.returncode:
        sys.exit(f"{path.name} failed")
    lines = [line.rstrip() for line in process.stdout.splitlines() if str(RECORDED) not in line]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")  # left by the progress bar
    (RECORDED / f"{path.stem}.txt").write_text(f"$ python examples/{path.name}\n{text}\n")


if __name__ == "__main__":
    names = sys.argv[1:]
    for path in examples():
        if not names or path.stem in names:
            print(f"== {path.stem}", flush=True)
            record(path)
