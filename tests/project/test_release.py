# SPDX-License-Identifier: BSD-3-Clause
"""One version and one date everywhere, addresses of one repository, and workflows that run what anybody can run."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_the_newest_section_of_the_changelog_is_the_version():
    sections = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
    assert sections[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(PROJECT['project']['version'])} \(\d{{4}}-\d\d-\d\d\)", sections[1])


def test_the_citation_names_the_version_and_its_date():
    citation = dict(re.findall(r'^([\w-]+): "?(.*?)"?$', (ROOT / "CITATION.cff").read_text(), re.MULTILINE))
    version, date = re.search(r"^## (\S+) \((.*)\)$", CHANGELOG, re.MULTILINE).groups()
    assert (citation["version"], citation["date-released"]) == (version, date)
    assert citation["license"] == PROJECT["project"]["license"]


def test_every_address_of_the_project_is_of_one_repository():
    home = PROJECT["project"]["urls"]["Repository"]
    files = ["README.md", "SECURITY.md", "RELEASING.md", "CITATION.cff", ".github/ISSUE_TEMPLATE/config.yml"]
    text = "\n".join((ROOT / name).read_text() for name in files) + "\n".join(PROJECT["project"]["urls"].values())
    own = re.findall(r"https://github\.com/[\w.-]+/fastrnn", text)
    assert len(own) > 5 and set(own) == {home}


def test_there_are_workflows():
    assert [path.stem for path in WORKFLOWS] == ["tests", "wheels"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_targets_of_the_makefile(workflow):
    """Besides the installation of what the machine lacks."""
    targets = set(re.findall(r"^([a-z-]+):.*?## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = workflow.read_text()
    commands = re.findall(r"^ +(?:- )?run: (.*)$", text, re.MULTILINE)
    made = [command.removeprefix("make ").split()[0] for command in commands if command.startswith("make ")]
    made += [target for listed in re.findall(r"\{ make: ([a-z -]+),", text) for target in listed.split()]
    assert made and set(made) - {"$MAKE_TARGETS"} <= targets
    assert all(re.match(r"make |sudo apt-get |brew ", command) for command in commands)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_to_commits(workflow):
    """With the version beside the commit, as dependabot writes it."""
    used = re.findall(r"uses: (.*)$", workflow.read_text(), re.MULTILINE)
    assert used and all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action) for action in used)


def test_only_the_job_that_publishes_may_sign():
    """The others read the repository; nothing has more, and no secret is used."""
    text = "\n".join(path.read_text() for path in WORKFLOWS)
    assert text.count("id-token: write") == 1 and "id-token: write" in text.partition("\n  publish:")[2]
    permissions = set(re.findall(r"^ +([\w-]+): (write|read)\b", text, re.MULTILINE))
    assert permissions == {("contents", "read"), ("id-token", "write")}
    assert "secrets." not in text


def test_types_of_all_public_names_are_a_gate():
    """pyright fails below 100%, and `make lint` runs it on the installed package."""
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert "--verifytypes fastrnn\n" in lint
    assert "make: lint" in (ROOT / ".github" / "workflows" / "tests.yml").read_text()


def test_windows_is_refused_before_anything_is_looked_for():
    text = (ROOT / "CMakeLists.txt").read_text()
    assert text.index("if(CMAKE_HOST_WIN32)") < text.index("project(fastrnn")
    assert "Windows" in (ROOT / "README.md").read_text()
