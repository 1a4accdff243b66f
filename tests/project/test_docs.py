# SPDX-License-Identifier: BSD-3-Clause
"""The site in docs/: its code prints the output shown, every public name has one page, every link has a target.

Only the last test needs Sphinx.
"""

import doctest
import importlib
import importlib.util
import inspect
import pkgutil
import re
import subprocess
import sys

import pytest
from support.child import in_child
from support.pages import DOCS, NAMES, PAGES, ROOT, code_of, directives, outputs_of

import fastrnn as fr


def extension(name):
    """A module of docs/_ext."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_are_found():
    assert len(PAGES) > 10 and "start" in NAMES


# -- code --------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # of pytest-timeout
@pytest.mark.parametrize("page", NAMES)
def test_the_code_of_a_page_prints_the_output_shown(page, tmp_path, monkeypatch):
    """`...` in the output matches anything."""
    skip_without_its_package(page)
    monkeypatch.chdir(tmp_path)  # some pages save a model
    monkeypatch.setitem(sys.modules, "page", None)
    blocks, shown = code_of(page)
    if any(re.search(r"^import jax$", block, re.MULTILINE) for block in blocks):  # it then warns of each fork
        outputs = in_child(outputs_of, page, blocks, imports="import contextlib, io, sys, types\n")
    else:
        outputs = outputs_of(page, blocks)
    matches, flags = doctest.OutputChecker().check_output, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    for block, expected, printed in zip(blocks, shown, outputs, strict=True):
        assert matches(expected, printed, flags), f"{block}\nshown:\n{expected}\nprinted:\n{printed}"
    assert fr.get_num_threads() >= 1
    fr.set_num_threads(None)


@pytest.mark.parametrize("page", NAMES)
def test_all_python_of_a_page_is_run(page):
    """Python is in testcode blocks; other code blocks name their language."""
    blocks = [(name, argument) for name, argument, _ in directives((DOCS / f"{page}.rst").read_text())]
    assert ("code-block", "python") not in blocks and ("code-block", "") not in blocks
    assert ">>>" not in (DOCS / f"{page}.rst").read_text()


# -- names and links ---------------------------------------------------------------------------------------------------


def public_modules():
    """Public modules of the package; not the benchmarks, a program."""
    names = {module.name for module in pkgutil.iter_modules(fr.__path__) if not module.name.startswith("_")}
    return sorted(name for name in names - {"benchmarks"} if extension("names").is_there(name))


def skip_without_its_package(page):
    """The code and the references of a page need the packages of the modules that it imports or refers to."""
    text = (DOCS / f"{page}.rst").read_text()
    for module, package in extension("names").OPTIONAL.items():
        if re.search(rf"import fastrnn\.{module}\b|:`fastrnn\.{module}\.", text):
            pytest.importorskip(package, reason=f"the page needs {package}: pip install 'fastrnn[{module}]'")
    for package in re.findall(r"^ +(?:import|from) (dask|jax|optuna)\b", text, re.MULTILINE):
        pytest.importorskip(package, reason=f"the page needs {package}: pip install {package}")


def test_every_public_name_is_on_one_page_of_the_reference():
    """By its shortest name: names of a package that `fastrnn` exports are listed as fastrnn.X only."""
    listed = [name for names in extension("names").sections().values() for name in names]
    assert len(set(listed)) == len(listed)
    expected = {f"fastrnn.{name}" for name in fr.__all__ if not inspect.ismodule(getattr(fr, name))}
    for module in public_modules():
        face = importlib.import_module(f"fastrnn.{module}")
        own = {name for name in face.__all__ if name not in fr.__all__ or getattr(fr, name) is not getattr(face, name)}
        expected |= {f"fastrnn.{module}.{name}" for name in own}
    assert set(listed) == expected


def test_no_page_of_the_reference_is_empty():
    assert all(extension("names").sections().values())


@pytest.mark.parametrize("page", NAMES)
def test_names_that_a_page_links_to_exist(page):
    skip_without_its_package(page)
    text = (DOCS / f"{page}.rst").read_text()
    for name in re.findall(r":(?:class|func|meth|mod|attr):`(?:[^`<]*<)?~?([^`>]+)>?`", text):
        assert name.startswith("fastrnn."), f"{name}: expected a full name"
        pkgutil.resolve_name(name)


def targets(page):
    """The documents that a page links to or lists, as paths below docs/ without a suffix."""
    text, folder = (DOCS / f"{page}.rst").read_text(), (DOCS / page).parent
    links = re.findall(r":doc:`(?:[^`<]*<)?([^`>]+)>?`", text)
    links += re.findall(r":link: (\S+)\n +:link-type: doc$", text, re.MULTILINE)  # of cards
    for name, _, content in directives(text):
        if name == "toctree":
            links += re.findall(r"^(?:.*<)?([^<>\n]+)>?$", content, re.MULTILINE)
    for target in links:
        path = DOCS / target.lstrip("/") if target.startswith("/") else folder / target
        yield str(path.resolve().relative_to(DOCS))


def generated():
    """Pages that the build writes and other pages may link to."""
    yield from ("generated/examples/index", "generated/api/index", "generated/CHANGELOG", "generated/CONTRIBUTING")
    yield from (f"generated/benchmarks/{path.stem}" for path in (ROOT / "benchmarks").glob("*.md"))
    yield "generated/benchmarks/results/index"
    yield from (f"generated/examples/{path.stem}" for path in (ROOT / "examples").glob("[!_]*.py"))


@pytest.mark.parametrize("page", NAMES)
def test_pages_that_a_page_links_to_exist(page):
    assert set(targets(page)) <= set(NAMES) | set(generated())


def test_every_page_is_reachable():
    reached, queue = set(), ["index"]
    while queue:
        page = queue.pop()
        if page not in reached:
            reached.add(page)
            queue += targets(page) if page in NAMES else []
    assert reached >= set(NAMES)


def test_files_that_pages_include_exist():
    for path in PAGES:
        for name, argument, _ in directives(path.read_text()):
            if name in {"comment", "literalinclude", "include", "image"} and "generated" not in argument:
                assert (DOCS / argument.lstrip("/") if argument.startswith("/") else path.parent / argument).exists()


# -- examples ----------------------------------------------------------------------------------------------------------


def test_every_example_has_a_page():
    gallery = extension("gallery")
    stems = {path.stem for path in gallery.examples()}
    assert stems and stems == {path.stem for path in (ROOT / "examples").glob("*.py") if path.name[0] != "_"}
    index = gallery.index()
    for path in gallery.examples():
        assert f"literalinclude:: /../examples/{path.name}" in gallery.page(path)
        assert f":link: {path.stem}\n" in index and f":doc:`{path.stem}`" in index


def test_every_recorded_output_belongs_to_an_example():
    gallery = extension("gallery")
    recorded = {path.stem for path in gallery.RECORDED.glob("*")}
    assert recorded <= {path.stem for path in gallery.examples()}


# -- the build ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built without a warning: the text of each page of HTML by its path."""
    pytest.importorskip("sphinx_design", reason="needs the docs extra: pip install 'fastrnn[docs]'")
    pytest.importorskip("torch", reason="needs the torch extra: pip install 'fastrnn[torch]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(DOCS), str(folder)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.html")}


@pytest.mark.slow
@pytest.mark.timeout(600)  # the first of these builds the site
def test_the_site_needs_no_network(site):
    loaded = re.compile(
        r"<(?:script|img|iframe)[^>]*src=\"(?:https?:)?//|<link[^>]*rel=\"stylesheet\"[^>]*href=\"(?:https?:)?//"
    )
    assert len(site) > len(PAGES)
    assert [page for page, html in site.items() if loaded.search(html)] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_site_shows_no_markup(site):
    """A backtick outside of code is a role or a literal that was not understood."""
    for page, html in site.items():
        text = re.sub(r"<(pre|code|script|style)\b.*?</\1>|<[^>]*>", "", html, flags=re.DOTALL)
        assert "`" not in text, f"{page}: {text[max(text.find('`') - 60, 0) :][:120]!r}"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("word", "page"),
    [("predict_proba", "coming_from"), ("export", "coming_from"), ("lengths", "lengths"), ("batch", "same_results")],
)
def test_words_of_other_libraries_are_found_where_they_are_answered(site, word, page):
    """Headings weigh most in the search of the site."""
    headings = re.findall(r"<h[1-4]>(.*?)<", site[f"guides/{page}.html"])
    assert any(word in heading for heading in headings)
