# SPDX-License-Identifier: BSD-3-Clause
"""The pages of the site in docs/, and the code on them."""

import contextlib
import io
import re
import sys
import textwrap
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.rst") if not {"generated", "_templates"} & set(path.parts))
NAMES = [str(path.relative_to(DOCS).with_suffix("")) for path in PAGES]


DIRECTIVE = re.compile(r"^( *)\.\. ([\w-]+):: *(.*)\n((?:\1 +:.*\n)*)((?:\n|\1 +.*\n)*)", re.MULTILINE)


def directives(text):
    """(name, argument, content) of each directive, nested ones included."""
    for match in DIRECTIVE.finditer(text):
        _, name, argument, _, body = match.groups()
        yield name, argument, textwrap.dedent(body).strip("\n") + "\n"
        if name not in {"testcode", "testoutput", "code-block"}:
            yield from directives(textwrap.dedent(body))


def code_of(page):
    """The blocks of a page that are run, and the output that it shows below each."""
    blocks, shown = [], []
    for name, _, content in directives((DOCS / f"{page}.rst").read_text()):
        if name == "testcode":
            blocks.append(content)
            shown.append("")
        elif name == "testoutput":
            assert not shown[-1], f"output of no block: {content}"
            shown[-1] = content
    return blocks, shown


def outputs_of(page, blocks):
    """What each block prints. They run in order in one namespace."""
    module, printed = types.ModuleType("page"), []
    sys.modules["page"] = module  # child processes import it
    for block in blocks:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(block, f"{page}.rst", "exec"), vars(module))
        printed.append(out.getvalue())
    return printed
