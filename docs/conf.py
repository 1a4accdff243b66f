# SPDX-License-Identifier: BSD-3-Clause
"""Sphinx configuration of this site: `make docs`. Neither building nor reading it needs a network."""

import sys
from pathlib import Path

import fastrnn

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import names  # noqa: E402

project = "fastrnn"
copyright = "The fastrnn authors"
version = release = fastrnn.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",  # testcode and testoutput, which tests/project/test_docs.py runs
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "comment",
    "held",
    "mathml",
    "pages",
]
templates_path = ["_templates"]
exclude_patterns = ["_*"]
nitpicky = True
default_role = "py:obj"

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True  # np.float32, not <class ...>
autodoc_typehints = "none"  # numpydoc states the types, with shapes and dtypes
numpydoc_show_class_members = False  # the class template lists them
numpydoc_xref_param_type = False
autosummary_generate_overwrite = True
autosummary_context = {"aliases": names.aliases()}
highlight_language = "none"
copybutton_selector = "div.highlight-python pre"  # code, not what it prints
myst_heading_anchors = 3

html_theme = "pydata_sphinx_theme"
html_title = f"fastrnn {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {page: [] for page in ("index", "start", "peers", "about")}  # pages outside of any section
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": True,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 8,
    "show_nav_level": 2,
    # The other pages have wide tables and listings.
    "secondary_sidebar_items": {page: ["page-toc"] for page in ("*", "guides/*", "generated/api/**")},
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


LIBRARIES = ("aeon.", "sklearn.", "skbase.", "sktime.", "torch.")


def of_another_package(app, what, name, member, skip, options):
    """Whether a member is left out: what other libraries give their subclasses has pages there."""
    member = getattr(member, "fget", member)  # a property has no module
    return True if (getattr(member, "__module__", None) or "").startswith(LIBRARIES) else None


def setup(app):
    app.connect("autodoc-skip-member", of_another_package)
