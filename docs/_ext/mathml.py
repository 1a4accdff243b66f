# SPDX-License-Identifier: BSD-3-Clause
"""Formulas as MathML, which browsers render without a script.

docutils converts LaTeX to MathML. Good rendering needs a math font, which few systems have, so the site includes STIX
Two Math (SIL Open Font License) from the package ziamath.
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


def copy_font(app, error):
    if error is None and app.builder.format == "html":
        shutil.copy(FONT, Path(app.outdir) / "_static")


def setup(app):
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(block, None))
    app.config.html_math_renderer = "mathml"
    app.connect("build-finished", copy_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
