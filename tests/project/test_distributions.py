# SPDX-License-Identifier: BSD-3-Clause
"""What is published: the sdist holds the project and nothing else; a wheel has the same bytes wherever it is built.

Both are built by the build tools of this environment, from copies of the files that git tracks.
"""

import fnmatch
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
NOT_PUBLISHED = [".ci/*", ".gitignore"]
# What lies in a checkout after some work, and what must not be published of it.
LITTER = [
    ".venv/bin/python",
    "build/docs/index.html",
    "csrc/engine/engine.o",
    "dist/fastrnn-0.0.0.tar.gz",
    "docs/generated/CHANGELOG.md",
    "src/fastrnn/_core.abi3.so",
    "src/fastrnn/benchmarks/__init__.py",
    "src/fastrnn/nn/__pycache__/_layer.cpython-311.pyc",
    "tests/golden/__pycache__/make_files.cpython-311.pyc",
    "tests/golden/.hypothesis/examples",
]

pytestmark = pytest.mark.slow


def run(*command, cwd=None, env=None):
    """The standard output of a command that succeeds."""
    process = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert process.returncode == 0, f"{shlex.join(map(str, command))}\n{process.stdout[-3000:]}{process.stderr[-3000:]}"
    return process.stdout


def tracked():
    """The files of the next commit, by their paths from the root."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    return {name for name in listed if name and (ROOT / name).is_file()}


def copy(folder):
    """The project in another directory, as git would check it out."""
    for name in tracked():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    return folder


def build(kind, project, folder):
    """Build the "sdist" or the "wheel" of a project into a folder; returns its path."""
    pytest.importorskip("scikit_build_core", reason="needs the build tools: make venv")
    folder.mkdir(parents=True, exist_ok=True)
    code = "import sys; from scikit_build_core import build; print(getattr(build, sys.argv[1])(sys.argv[2]))"
    bin = os.path.dirname(sys.executable)
    env = os.environ | {"PATH": f"{bin}{os.pathsep}{os.environ['PATH']}"}
    return folder / run(sys.executable, "-c", code, f"build_{kind}", folder, cwd=project, env=env).splitlines()[-1]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """Built in a checkout in which somebody has worked."""
    folder = copy(tmp_path_factory.mktemp("used checkout"))
    for name in LITTER:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("litter")
    return build("sdist", folder, folder / "out")


@pytest.fixture(scope="module")
def unpacked(sdist, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return folder / sdist.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def wheel(unpacked, tmp_path_factory):
    """Built from the sdist."""
    return build("wheel", unpacked, tmp_path_factory.mktemp("wheel"))


def test_the_sdist_holds_what_git_tracks_and_nothing_else(unpacked):
    published = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    expected = {name for name in tracked() if not any(fnmatch.fnmatch(name, pattern) for pattern in NOT_PUBLISHED)}
    assert sorted(published - expected) == ["PKG-INFO"] and sorted(expected - published) == []


def test_an_sdist_has_the_same_bytes_from_any_directory(sdist, tmp_path):
    assert build("sdist", copy(tmp_path / "clean"), tmp_path / "out").read_bytes() == sdist.read_bytes()


@pytest.mark.timeout(1800)  # the first one compiles
def test_a_wheel_has_the_same_bytes_from_any_directory(wheel, tmp_path):
    """That of the sdist, too; in a directory whose name has another length."""
    again = build("wheel", copy(tmp_path / "a directory with a longer name" / "project"), tmp_path / "out")
    assert again.name == wheel.name and again.read_bytes() == wheel.read_bytes()


@pytest.mark.timeout(1800)
def test_a_wheel_is_small(wheel):
    """At most 2 MB."""
    assert wheel.stat().st_size <= 2_000_000


@pytest.mark.timeout(1800)
def test_a_wheel_holds_the_package_and_no_sources_of_the_module(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"fastrnn"}
    suffixes = {Path(name).suffix for name in names if ".dist-info/" not in name}
    assert {".py", ".pyi", ".so", ".typed"} - suffixes <= {".typed"} and not suffixes & {
        ".c",
        ".h",
        ".pyx",
        ".pyc",
        ".o",
    }
    assert "fastrnn/py.typed" in names and any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.timeout(1800)
def test_a_wheel_passes_the_tests_of_its_release(wheel, tmp_path):
    """Those that cibuildwheel runs, with no more files and packages than it provides."""
    release = PROJECT["tool"]["cibuildwheel"]
    venv.create(tmp_path / "venv", with_pip=True)
    bin = tmp_path / "venv" / "bin"
    run(bin / "pip", "install", "-q", wheel, *release["test-requires"])
    folder = tmp_path / "tests"
    for name in tracked():
        if name.split("/")[0] in release["test-sources"]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
        "VIRTUAL_ENV": str(tmp_path / "venv")
    }
    command, *arguments = shlex.split(release["test-command"])
    assert " passed" in run(bin / command, *arguments, cwd=folder, env=env)
