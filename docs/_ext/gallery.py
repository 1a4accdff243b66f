# SPDX-License-Identifier: BSD-3-Clause
"""A page for each of examples/*.py: its docstring, its output, its picture, its code.

The output is in docs/gallery/<name>.txt, the picture in <name>.png. `make gallery` runs the examples and writes both.
Without them the page shows the docstring and the code only.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1]
EXAMPLES, RECORDED = DOCS.parent / "examples", DOCS / "gallery"


def examples():
    """The scripts that show an idea, in the order of the table of examples in the README.

    Helper modules begin with an underscore or have no docstring.
    """
    links = re.findall(r"\]\(examples/(\w+)\.py\)", (DOCS.parent / "README.md").read_text())
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
    return re.sub(r"([*`|_\\])", r"\\\1", text)


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


def index():
    """Cards: the first paragraph of each docstring, the picture, and the result."""
    cards = []
    for path in examples():
        first = " ".join(docstring(path).split("\n\n")[0].split())
        lines = [f":doc:`{title(path)} <{path.stem}>`", "", escaped(first)]
        if (RECORDED / f"{path.stem}.png").exists():
            lines += ["", f".. image:: /gallery/{path.stem}.png", f"   :alt: {title(path)}"]
        if figure := last_line(path):
            lines += ["", ".. container:: figure-line", "", f"   {escaped(figure)}"]
        cards.append(".. container:: card-box\n\n" + "\n".join(f"   {line}".rstrip() for line in lines))
    listed = "\n".join(f"   {path.stem}" for path in examples())
    intro = "Runnable scripts, one idea each. ``python examples/NAME.py`` runs one; ``--help`` lists its options."
    grid = ".. container:: card-grid\n\n" + "\n\n".join(re.sub("^(?=.)", "   ", card, flags=re.M) for card in cards)
    return f"Examples\n========\n\n{intro}\n\n{grid}\n\n.. toctree::\n   :hidden:\n\n{listed}\n"


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
