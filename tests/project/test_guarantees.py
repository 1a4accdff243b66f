# SPDX-License-Identifier: BSD-3-Clause
"""The page of guarantees: each promise names the tests that hold it, and all of them exist."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "inside" / "contracts.rst").read_text()


@pytest.fixture(scope="module")
def held():
    """The extension, which needs Sphinx for its directive alone."""
    pytest.importorskip("sphinx", reason="needs the docs extra: pip install 'fastrnn[docs]'")
    spec = importlib.util.spec_from_file_location("docs_held", ROOT / "docs" / "_ext" / "held.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_every_section_names_its_tests():
    sections = re.split(r"^.*\n-{3,}\n", PAGE, flags=re.MULTILINE)[1:]
    assert len(sections) >= 8 and all(".. held-by::\n" in section for section in sections)


def test_what_the_page_names_exists(held):
    lines = [line for block in held.blocks(PAGE) for line in block]
    assert len(lines) > 40 and all(held.resolve(line) for line in lines)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tests/project/test_properties.py::test_nothing", "no such test"),
        ("tests/project/test_nothing.py", "no such file"),
        ("tests/support/engines.py", "no such test"),
        ("make nothing", "no such target"),
        ("src/fastrnn/__init__.py", "expected tests/"),
    ],
)
def test_a_name_of_nothing_is_refused(held, line, words):
    with pytest.raises(ValueError, match=words):
        held.resolve(line)


def test_every_test_of_the_page_is_shown_at_its_line(held):
    """A target stands before each test that the page names, and no line of a file is lost."""
    content = dict(held.pages())
    for file, named in held.tests().items():
        page = content[f"{file.removesuffix('.py')}.rst"]
        assert all(f".. _{test.label}:" in page for test in named)
        parts = [(int(first), last and int(last)) for first, last in re.findall(r":lines: (\d+)-(\d*)", page)]
        assert [first for first, _ in parts] == [1, *(last + 1 for _, last in parts[:-1])] and parts[-1][1] == ""


@pytest.mark.timeout(300)
def test_cases_are_those_that_pytest_collects(held, monkeypatch):
    """Of this file, as an example."""
    held.cases.cache_clear()
    monkeypatch.setattr(
        held, "tests", lambda: {"tests/project/test_guarantees.py": set(), "tests/project/test_properties.py": set()}
    )
    cases = held.cases()
    held.cases.cache_clear()
    assert cases["tests/project/test_guarantees.py::test_a_name_of_nothing_is_refused"] == {"cases": 5, "drawn": 0}
    drawn = cases["tests/project/test_properties.py::test_a_row_alone_is_the_row_in_the_batch"]
    assert drawn["cases"] == 1 and drawn["drawn"] >= 100
