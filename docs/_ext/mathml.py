# SPDX-License-Identifier: BSD-3-Clause
"""Formulas as MathML, which browsers draw themselves, without a script.

docutils turns LaTeX into MathML. How far down a subscript goes stands in the font, and few systems have such a font:
the site brings STIX Two Math (SIL Open Font License), which the package ziamath carries.
"""

import html
import shutil
from pathlib import Path

import ziamath
from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

logger = logging.getLogger(__name__)
FONT = Path(ziamath.__file__).parent / "fonts" / "STIXTwoMath-Regular.ttf"


def converted(node, block):
    tex = node.astext().strip()
    if block and r"\\" in tex:
        tex = rf"\begin{{aligned}}{tex}\end{{aligned}}"
    try:
        return tex2mathml(tex, as_block=block)
    except MathError as error:
        logger.warning("%s in %s", error, tex, location=node)
        return f"<code>{html.escape(tex)}</code>"


def inline(translator, node):
    translator.body.append(converted(node, False))
    raise nodes.SkipNode


def block(translator, node):
    translator.body.append(f'<div class="formula">{converted(node, True)}</div>\n')
    raise nodes.SkipNode


def bring_font(app, error):
    if error is None and app.builder.format == "html":
        shutil.copy(FONT, Path(app.outdir) / "_static")


def setup(app):
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(block, None))
    app.config.html_math_renderer = "mathml"
    app.connect("build-finished", bring_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
