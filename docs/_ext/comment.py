# SPDX-License-Identifier: BSD-3-Clause
"""The directive `comment`: part of a comment in a C file, without its stars.

.. comment:: ../../csrc/engine/pack.h
   :start-at: forward, per stage
   :end-before: a line after it (the end of the comment by default)
"""

import textwrap

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective


class Comment(SphinxDirective):
    required_arguments = 1
    option_spec = {"start-at": directives.unchanged_required, "end-before": directives.unchanged}

    def run(self):
        relative, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(relative)
        with open(path) as file:
            lines = file.read().splitlines()
        start, end = self.options["start-at"], self.options.get("end-before", "*/")
        first = next((k for k, line in enumerate(lines) if start in line), None)
        if first is None:
            raise self.error(f"{path}: no line with {start!r}")
        last = next(k for k in range(first, len(lines)) if end in lines[k] or "*/" in lines[k])
        text = lines[first:last]
        if end not in lines[last] or end == "*/":  # the comment ends on this line, perhaps after some text
            text.append(lines[last].partition("*/")[0].rstrip())
        text = textwrap.dedent("\n".join(line.removeprefix(" *") for line in text))
        block = nodes.literal_block(text.strip("\n"), text.strip("\n"), language="none")
        self.set_source_info(block)
        return [block]


def setup(app):
    app.add_directive("comment", Comment)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
