# SPDX-License-Identifier: BSD-3-Clause
"""The directive `held-by`: the tests that hold a promise, each with a link to its source and the number of its cases.

.. held-by::

   tests/project/test_properties.py::test_a_row_alone_is_the_row_in_the_batch
   tests/engine/threads/test_fork.py
   make asan

A line names a test, a file of tests or a target of the Makefile. The build fails if there is none of that name. Cases
are counted as pytest collects them, once in a build.
"""

import ast
import contextlib
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from sphinx.util.docutils import SphinxDirective

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
BLOCK = re.compile(r"^\.\. held-by::\n((?:\n| +.*\n)*)", re.MULTILINE)
LINE = re.compile(r"make (?P<target>[\w-]+)|(?P<file>tests/[\w/]+\.py)(?:::(?P<test>test_\w+))?")


class Test(NamedTuple):
    """A test by its file, as a path from the root, and its name."""

    file: str
    name: str

    @property
    def label(self):
        return "held-" + re.sub(r"\W", "-", f"{self.file}-{self.name}")

    @property
    def title(self):
        return self.name.removeprefix("test_").replace("_", " ")


def lines_of(file):
    """The first line of each test of a file, decorators included, by name."""
    functions = (node for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef))
    return {
        node.name: min(part.lineno for part in (node, *node.decorator_list))
        for node in functions
        if node.name.startswith("test_")
    }


def targets():
    """What each target of the Makefile does, by name."""
    return dict(re.findall(r"^([a-z-]+):.*?## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE))


def resolve(line):
    """The tests that a line names, or its target of the Makefile; ValueError if there are none."""
    match = LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"{line!r}: expected tests/<file>.py, tests/<file>.py::test_<name> or make <target>")
    file, name, target = match["file"], match["test"], match["target"]
    if target:
        if target not in targets():
            raise ValueError(f"{line!r}: the Makefile has no such target with a description")
        return target
    if not (ROOT / file).is_file():
        raise ValueError(f"{line!r}: no such file")
    names = list(lines_of(file))
    if not names or (name and name not in names):
        raise ValueError(f"{line!r}: no such test")
    return [Test(file, each) for each in ([name] if name else names)]


def blocks(text):
    """The lines of each directive in a page."""
    for block in BLOCK.findall(text):
        yield [line.strip() for line in block.splitlines() if line.strip()]


def tests():
    """Every test that a page names, by its file. What does not exist is reported by the directive, with its place."""
    found = {}
    for path in sorted(DOCS.rglob("*.rst")):
        if "generated" not in path.parts:
            for line in (line for lines in blocks(path.read_text()) for line in lines if not line.startswith("make ")):
                with contextlib.suppress(ValueError):
                    for test in resolve(line):
                        found.setdefault(test.file, set()).add(test)
    return found


def pages():
    """(path, content) of a page with the source of each file, and a target before each test."""
    for file, named in tests().items():
        starts = {lines_of(file)[test.name]: test for test in named}
        ends = [start - 1 for start in sorted(starts)] + [""]
        parts = [f":orphan:\n\n{file}\n{'=' * len(file)}\n"]
        for first, last in zip([1, *sorted(starts)], ends, strict=True):
            parts.append(f".. _{starts[first].label}:\n" if first in starts else "")
            parts.append(f".. literalinclude:: /../{file}\n   :language: python\n   :lines: {first}-{last}\n")
        yield f"{file.removesuffix('.py')}.rst", "\n".join(parts)


@functools.cache
def cases():
    """What pytest collects of the files that pages name: {"tests/file.py::test_name": {"cases": ..., "drawn": ...}}."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "cases.json")
        paths = [str(DOCS / "_ext"), *filter(None, [os.environ.get("PYTHONPATH")])]
        env = os.environ | {"FASTRNN_CASES": str(path), "PYTHONPATH": os.pathsep.join(paths)}
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "", "-p", "cases"]
        command += ["-p", "no:cacheprovider", *sorted(tests())]
        collected = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
        if collected.returncode:
            raise RuntimeError(
                f"pytest could not collect the tests: {collected.stdout[-2000:]}{collected.stderr[-2000:]}"
            )
        return json.loads(path.read_text())


def plural(number, word):
    return f"{number} {word}{'s' * (number != 1)}"


def described(test):
    """The link to a test, with the number of its cases."""
    count = cases()[f"{test.file}::{test.name}"]
    drawn = f" of {plural(count['drawn'], 'drawn example')}" if count["drawn"] else ""
    return f":ref:`{test.title} <{test.label}>` ({plural(count['cases'], 'case')}{drawn})"


class HeldBy(SphinxDirective):
    has_content = True

    def run(self):
        self.assert_has_content()
        files, made = {}, []
        for line in filter(None, map(str.strip, self.content)):
            try:
                found = resolve(line)
            except ValueError as error:
                raise self.error(f"held-by: {error}") from None
            if isinstance(found, str):
                made.append(found)
            else:
                for test in found:
                    files.setdefault(test.file, []).append(test)
                    self.env.note_dependency(str(ROOT / test.file))
        held = [test for tests in files.values() for test in tests]
        total = sum(cases()[f"{test.file}::{test.name}"]["cases"] for test in held)
        title = [f"{plural(len(held), 'test')}, {plural(total, 'case')}"] if held else []
        title += [f"make {target}" for target in made]
        listed = [f"* ``{file}``: {'; '.join(map(described, tests))}" for file, tests in files.items()]
        listed += [f"* ``make {target}``: {targets()[target]}" for target in made]
        text = "\n\n".join([f".. dropdown:: Held by {', '.join(title)}\n   :class-container: held-by", *listed])
        return self.parse_text_to_nodes(text.replace("\n\n*", "\n\n   *"))


def setup(app):
    app.add_directive("held-by", HeldBy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
