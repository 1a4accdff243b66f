# SPDX-License-Identifier: BSD-3-Clause
"""What the installed package promises: its symbols, engines, imports and metadata."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from support.engines import FUSED, VECTOR_BYTES

import fastrnn as fr
from fastrnn import _core

ROOT = Path(__file__).resolve().parents[2]


def python(code, isa=None):
    """Run code in a process of its own, on the default engine unless told."""
    env = {name: value for name, value in os.environ.items() if name != "FASTRNN_ISA"}
    env |= {} if isa is None else {"FASTRNN_ISA": isa}
    command = [sys.executable, "-P", "-c", code]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


def answer(code, isa=None):
    process = python(code, isa)
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


def skip_if_sanitized():
    if "san" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("a sanitizer adds symbols and time of its own")


def test_only_the_init_function_is_exported():
    """No symbol of ours can meet one of another library in the process."""
    skip_if_sanitized()
    assert symbols("--defined-only") == ["PyInit__core"]


def test_an_openmp_runtime_of_years_ago_will_do():
    """If another package has brought it and was imported first, the loader takes it for ours, and asks for versions."""
    skip_if_sanitized()
    versions = {name.rpartition("@")[2] for name in symbols("--undefined-only") if name.startswith(("omp_", "GOMP_"))}
    assert versions <= {"OMP_1.0", "OMP_2.0", "OMP_3.0", "OMP_4.0", "GOMP_1.0", "GOMP_2.0", "GOMP_4.0"}
    assert "OMP_1.0" in versions or not _core.openmp()


def symbols(*options):
    """The dynamic symbols of the module that nm lists."""
    nm = shutil.which("nm")
    if nm is None or not sys.platform.startswith("linux"):
        pytest.skip("needs nm and an ELF module")
    result = subprocess.run([nm, "-D", *options, _core.__file__], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return [line.split()[-1] for line in result.stdout.splitlines()]


def test_the_module_names_no_path_of_the_machine_that_built_it():
    """Tracebacks name the files of the bindings as fastrnn/_binding/*.pxi, wherever it was built."""
    names = set(re.findall(rb"[^\0\n]*_binding/\w+\.pxi", Path(_core.__file__).read_bytes()))
    assert len(names) > 5 and all(re.fullmatch(rb"fastrnn/_binding/\w+\.pxi", name) for name in names)


def test_an_engine_is_the_one_asked_for(isa, dtype):
    """Its vectors have the width of its name, and it fuses products and sums if its name says so.

    With y one element behind x in the same memory, the first element of the second vector is
    the first to be activated twice.
    """
    buffer = np.ones(40, dtype)
    _core.activation("selu", buffer[:-1], buffer[1:])
    width = int(np.argmax(buffer[1:] != buffer[1])) * dtype.itemsize
    assert width == VECTOR_BYTES[isa]
    eps, c = np.finfo(dtype).eps, np.full((1, 1), -1, dtype)
    _core.gemm(np.full((1, 1), 1 + eps, dtype), np.full((1, 1), 1 - eps, dtype), c)
    assert c[0, 0] == (-eps * eps if isa in FUSED else 0)


def test_an_unknown_engine_is_refused(isa):
    """set_isa names the choices and changes nothing."""
    with pytest.raises(ValueError, match=", ".join(fr.isas())):
        _core.set_isa("sse9")
    assert _core.get_isa() == isa


@pytest.mark.parametrize("isa_name", ["", *_core.ISAS])
def test_the_environment_chooses_the_engine(isa_name):
    """FASTRNN_ISA is honoured; empty or missing means the best."""
    code = "import fastrnn; from fastrnn import _core; print(_core.get_isa())"
    assert answer(code, isa_name) == (isa_name or fr.isas()[0])
    assert answer(code) == fr.isas()[0]


def test_the_environment_cannot_choose_what_does_not_exist():
    """Never silently another engine: an ImportError that names the variable and the choices."""
    process = python("import fastrnn", "sse9")
    message = process.stderr.strip().splitlines()[-1]
    assert process.returncode == 1
    assert re.match(f"ImportError: FASTRNN_ISA: .*{', '.join(fr.isas())}.*'sse9'", message)


def test_import_looks_for_nothing_but_the_dependencies():
    """import fastrnn asks for no package outside Python, NumPy and safetensors, even if absent."""
    code = """
import sys, numpy
class Recorder:
    asked = set()
    def find_spec(self, name, path=None, target=None):
        self.asked.add(name)
sys.meta_path.insert(0, Recorder())
import fastrnn
print(*Recorder.asked)"""
    asked = set(answer(code).split())
    assert "fastrnn._core" in asked and "safetensors.torch" not in asked
    roots = {name.partition(".")[0] for name in asked} - sys.stdlib_module_names
    assert roots <= {"fastrnn", "numpy", "safetensors"}


def test_looking_inside_draws_only_when_asked():
    """import fastrnn.inspect needs no more than fastrnn."""
    code = "import sys, fastrnn.inspect; print(*{'matplotlib', 'pandas', 'scipy'} & set(sys.modules))"
    assert answer(code) == ""


def test_import_is_cheap():
    """At most 60 ms above import numpy, in the best of several processes; of the processor, which others may share."""
    skip_if_sanitized()
    clock = "import time; start = time.thread_time(); import fastrnn"
    code, seconds = f"import numpy; {clock}; print(time.thread_time() - start)", []
    while len(seconds) < 20 and min(seconds, default=1) > 0.06:
        seconds.append(float(answer(code)))
    assert min(seconds) <= 0.06


def test_what_is_loaded_when_it_is_asked_for():
    """Training is no part of import fastrnn, and each public name is there all the same, like any other."""
    code = """
import sys, fastrnn
early = "fastrnn.training" in sys.modules
listed = set(fastrnn.__all__) <= set(dir(fastrnn))
from fastrnn import *
print(early, listed, set(fastrnn.__all__) <= set(globals()), fit is fastrnn.training.fit, hasattr(fastrnn, "fitt"))"""
    assert answer(code) == "False True True True False"


def test_metadata_says_what_the_project_says():
    """One version everywhere, and two dependencies."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    versions = {fr.__version__, _core.__version__, importlib.metadata.version("fastrnn")}
    assert versions == {project["version"]}
    needed = [line for line in importlib.metadata.requires("fastrnn") if "extra ==" not in line]
    assert {re.match(r"[\w-]+", line).group() for line in needed} == {"numpy", "safetensors"}
