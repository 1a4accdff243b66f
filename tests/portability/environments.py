# SPDX-License-Identifier: BSD-3-Clause
"""The wheel, environments that it is installed in, and a quick set of tests there."""

import functools
import re
import shutil
import sys
import tomllib
from pathlib import Path

from portability.shell import BUILD, ROOT, Failed, last_line, run

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TEST_TOOLS = ("pytest", "pytest-timeout", "hypothesis", "joblib", "threadpoolctl")
QUICK = """csrc/test_gemm.py csrc/test_act.py csrc/test_update.py csrc/test_norm.py engine/test_passes.py
    engine/test_arguments.py engine/test_arrays.py engine/test_ragged.py io/test_models.py io/test_container.py
    optim/test_adam.py losses/test_ctc.py training/state""".split()


def requirement(name):
    """What the tests require of a package: "pytest>=8.3"."""
    return next(line for line in PROJECT["optional-dependencies"]["test"] if re.match(rf"{name}(?![\w-])", line))


def oldest():
    """The oldest dependencies that the project allows: "numpy==1.26"."""
    return [line.replace(">=", "==") for line in PROJECT["dependencies"]]


def build_wheel(name, python=sys.executable, *options, **environment):
    """Build the wheel in isolation, as a user's pip does; returns its path."""
    folder = BUILD / "wheels" / name
    shutil.rmtree(folder, ignore_errors=True)
    run(f"{name} wheel", python, "-m", "pip", "wheel", "--no-deps", *options, "-w", folder, ROOT, **environment)
    (wheel,) = folder.iterdir()
    return wheel


@functools.cache
def shared_wheel():
    return build_wheel("abi3")


def install(name, python, *packages):
    """A new environment with packages; returns its interpreter."""
    folder = BUILD / "environments" / name
    run(f"{name} environment", python, "-m", "venv", "--clear", folder)
    run(f"{name} install", folder / "bin" / "pip", "install", "-q", *packages)
    return folder / "bin" / "python"


def run_tests(name, python):
    """Run the quick set of tests with an interpreter; returns their number, in words."""
    paths = [Path("tests") / test for test in QUICK]
    printed = run(f"{name} tests", python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths)
    summary = re.search(r"(\d+) passed.* in ", last_line(printed))
    if summary is None:
        raise Failed(f"{name}: no test has run")
    return f"{summary[1]} tests"


def quick_tests(name, python, wheel, *packages):
    """Install a wheel and run the quick set of tests with it."""
    tools = map(requirement, TEST_TOOLS)
    python = install(name, python, wheel, *packages, *tools)
    code = "import platform, numpy, safetensors; print(platform.python_version(), 'NumPy', numpy.__version__, "
    code += "'safetensors', safetensors.__version__)"
    return run_tests(name, python), last_line(run(f"{name} versions", python, "-c", code))
