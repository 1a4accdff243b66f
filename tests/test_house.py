# SPDX-License-Identifier: BSD-3-Clause
"""The rules of the house: who may know whom, what C must not do, what a build must be.

The first half reads the source tree around this file, the second asks the installed package.
"""

import ast
import graphlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import fastrnn as fr
from fastrnn import _core

ROOT = Path(__file__).resolve().parents[1]
PACKAGE, ENGINE = ROOT / "src" / "fastrnn", ROOT / "csrc" / "engine"
C_FILES = sorted((ROOT / "csrc").rglob("*.[ch]"))
SUFFIXES = {".c", ".h", ".py", ".pyx", ".pxd", ".pxi", ".pyi"}


def sources(*folders):
    """The source files below folders of the tree, as paths relative to it."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    return sorted(str(path.relative_to(ROOT)) for path in found if path.suffix in SUFFIXES)


def code_of(path):
    """C without its comments."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", path.read_text(), flags=re.DOTALL)


# -- Python: imports go downward -------------------------------------------------------------------

# A room is a module, or a package with all that is in it.
ROOMS = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")}
# By the names of their tests: those in a package have its name in front, and the package itself has none.
FILES = {"_".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("*.py")}
FILES = {name for name in FILES if not name.endswith("__init__")}

# What a room may import of the others. `inspect` may import what it likes, but neither _core nor the reference.
MAY_IMPORT = {
    "__init__": ROOMS - {"inspect", "reference"} | {"_core"},
    "architectures": {"attention", "composite", "layers", "recurrent", "reservoir", "seq2seq"},
    "arguments": set(),
    "attention": {"arguments", "functional", "layer", "layers", "scores"},
    "composite": {"layer"},
    "decoding": {"arguments", "functional", "layers", "stream"},
    "files": {"architectures", "arguments"},
    "functional": {"_core", "arguments", "threads"},
    "gradients": {"pointwise"},
    "init": {"arguments", "layers", "recurrent"},
    "layer": {"arguments", "tape"},
    "layers": {"arguments", "composite", "functional", "layer"},
    "losses": {"arguments"},
    "omega": set(),
    "optim": {"arguments", "pointwise"},
    "parameters": {"arguments", "functional", "layer", "remedies"},
    "recompute": {"functional"},
    "recurrent": {"arguments", "functional", "omega", "stack", "stream"},
    "pointwise": {"_core", "arguments", "threads"},
    "reference": set(),
    "remedies": {"arguments", "functional"},
    "reservoir": {"arguments", "functional", "layer", "layers", "recurrent", "stack", "stream"},
    "scores": set(),
    "seq2seq": {"arguments", "attention", "composite", "functional", "layer", "layers", "recurrent", "scores"}
    | {"stack", "stream"},
    "stack": {"arguments", "functional", "layer", "parameters", "recompute", "remedies", "stream"},
    "steps": {"layer", "recompute"},
    "stream": {"arguments", "functional"},
    "tape": set(),
    "threads": {"_core"},
    "training": {"arguments", "composite", "files", "gradients", "layer", "layers", "losses", "optim", "pointwise"},
}


def imported_by(path):
    """Modules of the package, and packages outside it, that a file imports anywhere in it.

    __version__ is not counted: who asks for it when it is needed calls nothing above him.
    """
    home, names = ("fastrnn", *path.relative_to(PACKAGE).parts[:-1]), []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = home[: len(home) + 1 - node.level] if node.level else ()
            base = (*above, *(node.module or "").split(".")) if node.module else above
            names += [".".join((*base, alias.name)) for alias in node.names]
    inside, outside = set(), set()
    for root, _, rest in (name.partition(".") for name in names):
        module = rest.partition(".")[0]
        if root != "fastrnn":
            outside.add(root)
        elif module != "__version__":  # another name that is no module comes from __init__ too
            inside.add(module if module in ROOMS | {"_core"} else "__init__")
    return inside, outside


def import_graph():
    graph = {}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        graph[room] = graph.get(room, set()) | imported_by(path)[0] - {room}
    return graph


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_what_stands_below_it(room):
    """Only functional, pointwise and threads (and __init__) import _core; nothing falls back on NumPy."""
    allowed = MAY_IMPORT[room] if room != "inspect" else ROOMS - {"__init__", "reference"}
    assert import_graph()[room] <= allowed


def test_imports_form_no_circle():
    """There is an order of the rooms in which each imports earlier ones only."""
    order = list(graphlib.TopologicalSorter(import_graph()).static_order())
    assert order.index("_core") < order.index("functional") < order.index("recurrent")


def test_the_reference_stands_on_numpy_alone():
    """The oracle shares no code with what it judges."""
    assert imported_by(PACKAGE / "reference.py") == (set(), {"numpy"})


# -- C ---------------------------------------------------------------------------------------------

FORBIDDEN_IN_C = {  # what: (pattern, the files that may)
    "Python": (r"Python\.h|\bPy[A-Z_]\w+", ()),
    "allocation": (r"\b(?:malloc|calloc|realloc|\w*alloca?|posix_memalign|strdup|free)\s*\(", ()),
    "ending or printing": (r"\b(?:_?exit|abort|\w*printf|f?puts|perror)\s*\(", ()),
    "OpenMP tasks": (r"\bomp\s+task", ()),
    "another OpenMP construct": (r"#\s*pragma\s+omp\b", ("team.h",)),
    "intrinsics": (r"\b_mm|\bvfmaq|\bv(?:ld|st)1q", ("simd.h", "act.h", "team.h")),
    "instruction sets": (r"__(?:AVX|FMA|SSE|ARM_NEON)", ("simd.h", "act.h", "dispatch.c")),
    "a branch on the cell": (r"cell\s*==|case\s+FR_(?:RNN|LSTM|GRU|LINEAR)", ()),
}


@pytest.mark.parametrize("what", FORBIDDEN_IN_C)
def test_c_keeps_away_from(what):
    """The C code of every file but those that exist for it, comments aside."""
    pattern, may = FORBIDDEN_IN_C[what]
    found = [(path.name, re.findall(pattern, code_of(path))) for path in C_FILES]
    assert C_FILES and [(name, hits) for name, hits in found if hits and name not in may] == []


def test_there_is_one_parallel_region():
    """It is in team.h and says how many threads it wants."""
    pattern = r"#\s*pragma\s+omp\s+parallel\b.*"
    regions = [(p.name, line) for p in C_FILES for line in re.findall(pattern, code_of(p))]
    assert [name for name, _ in regions] == ["team.h"]
    assert "num_threads(" in regions[0][1]


def test_an_engine_header_uses_only_what_stands_before_it():
    """C wants a declaration before its use, so it is enough that the includes keep their order."""
    parts = "simd act gemm team cell pack rows plan arena forward_call forward".split()
    parts += "backward_call grads backward update norm probe".split()
    cells = {path.name for path in ENGINE.glob("cell_*.h")}
    wanted = {f"{part}.h": set() for part in parts} | dict.fromkeys(cells, set())
    wanted |= {"simd.h": {"../fastrnn.h"}, "cell.h": cells | {"../cells.h"}}
    includes = {p.name: re.findall(r'#\s*include\s+"(.*)"', code_of(p)) for p in ENGINE.iterdir()}
    assert includes.pop("engine.c") == ["../engine.h", *(f"{part}.h" for part in parts)]
    assert {name: set(found) for name, found in includes.items()} == wanted


def test_the_build_asks_for_no_flag_that_changes_numbers_or_machines():
    """No -march=native, no -ffast-math, and contraction is off."""
    flags = re.sub(r"#.*", "", (ROOT / "CMakeLists.txt").read_text())
    assert not re.search(r"-march|-mtune|fast-math|-Ofast|-funsafe|-ffinite", flags)
    assert "-ffp-contract=off" in flags


# -- the tree --------------------------------------------------------------------------------------

TESTS_OF_NO_MODULE = {
    "benchmarks": "the package benchmarks/, as it is installed",
    "core_stub": "_core.pyi, against the compiled module",
    "docs": "the site",
    "house": "this file",
    "known_results": "results of papers that the package has to reach",
    "properties": "random cases through the whole library",
    "readme": "what the README shows runs",
    "run_examples": "the command behind `make examples`",
    "torch": "PyTorch as a witness",
}
MODULES_WITHOUT_TEST = {
    "inspect___main__": "the command: tested with the page that it writes, in test_inspect_report",
    "architectures": "what files say about models: tested in test_files",
    "composite": "what layers made of others share: tested with each of them, in test_seq2seq_decoder and test_layer",
    "seq2seq_bridge": "from encoder to decoder: tested in test_seq2seq_model",
    "seq2seq_feeding": "the steps of a decoder: tested in test_seq2seq_decoder",
    "losses_counting": "what all losses share: tested with each of them",
    "inspect_subject": "what influence and attribution share: tested with both",
    "parameters": "the ground floor of a stack: tested with it, in test_stack, test_files and test_init",
    "tape": "what every layer's forward leaves: tested with it, in test_layer",
    "training_loop": "the epochs of fit: tested with it, in test_training_fitting",
    "training_rows": "what Batches are made of: tested as batches, in test_training_batches",
}
MAX_LINES = 350


def test_every_test_file_names_something():
    """test_<stem>.py is about the module or the engine header <stem>, or example_<an example>."""
    stems = {path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("test_*.py")}
    examples = {f"example_{path.stem}" for path in (ROOT / "examples").glob("*.py")}
    known = FILES | {path.stem for path in ENGINE.glob("*.h")} | examples
    assert stems - known == TESTS_OF_NO_MODULE.keys()


@pytest.mark.parametrize("module", sorted(FILES - MODULES_WITHOUT_TEST.keys()))
def test_every_module_has_its_test_file(module):
    """The mirror: the same stem in src/fastrnn and in tests."""
    assert (ROOT / "tests" / f"test_{module}.py").is_file()


def test_every_benchmark_names_something():
    """bench_<stem>.py measures the module, the package or the engine header <stem>."""
    stems = {path.stem.removeprefix("bench_") for path in (ROOT / "benchmarks").glob("bench_*.py")}
    assert stems and stems <= FILES | ROOMS | {path.stem for path in ENGINE.glob("*.h")}


@pytest.mark.parametrize("on_demand", ["benchmarks", "inspect"])
def test_nothing_needs_what_is_imported_on_demand(on_demand):
    """It is shipped in the package, and nothing in it knows it."""
    assert on_demand not in set().union(*import_graph().values())


def test_every_file_states_its_licence():
    """The first line is the SPDX line."""
    line = r"(?:/\* |# )SPDX-License-Identifier: BSD-3-Clause\n"
    files = sources("csrc", "src", "tests", "benchmarks")
    assert len(files) > 30
    assert [name for name in files if not re.match(line, (ROOT / name).read_text())] == []


def test_files_are_short():
    """A file of more than 350 lines holds two ideas."""
    lines = {name: (ROOT / name).read_text().count("\n") for name in sources("csrc", "src", "benchmarks")}
    assert {name for name, count in lines.items() if count > MAX_LINES} == set()


# What has no idea of its own to show: how a training is stored and the machine asked. Guides show it.
IN_NO_EXAMPLE = {"Batch", "Checkpoint", "Stream", "isas", "load_checkpoint", "save_checkpoint", "set_num_threads"}
IN_NO_EXAMPLE |= {"show_config"}


def test_every_public_name_is_shown_in_an_example():
    """Each idea of the package in one that runs."""
    text = "\n".join(path.read_text() for path in (ROOT / "examples").glob("*.py"))
    shown = set(re.findall(r"\bfr\.(\w+)", text))
    assert set(fr.__all__) - shown == IN_NO_EXAMPLE


def test_the_readme_lists_every_example():
    """With the part of the package that it shows; the links lead to files."""
    text = (ROOT / "README.md").read_text()
    table = text.partition("## The curriculum")[2].partition("\n## ")[0]
    listed = re.findall(r"\]\(examples/(\w+)\.py\)", table)
    assert sorted(listed) == sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
    links = re.findall(r"\]\(([\w./]+)\)", text)
    assert len(links) > len(listed) and [link for link in links if not (ROOT / link).exists()] == []


def test_nothing_is_left_for_later():
    """No word that marks unfinished work; such things belong into the tracker."""
    words = re.compile(r"\b(?:T[O]DO|F[I]XME|X[X]X|H[A]CK)\b")
    files = sources("csrc", "src", "tests", "benchmarks", "examples")
    files += ["CMakeLists.txt", "Makefile"]
    assert [name for name in files if words.search((ROOT / name).read_text())] == []


# -- the installed package -------------------------------------------------------------------------


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
    nm = shutil.which("nm")
    if nm is None or not sys.platform.startswith("linux"):
        pytest.skip("needs nm and an ELF module")
    command = [nm, "-D", "--defined-only", _core.__file__]
    symbols = subprocess.run(command, capture_output=True, text=True)
    assert symbols.returncode == 0, symbols.stderr
    assert [line.split()[-1] for line in symbols.stdout.splitlines()] == ["PyInit__core"]


def test_an_engine_is_the_one_asked_for(isa, dtype):
    """Its vectors have the width of its name, and it fuses products and sums if its name says so.

    With y one element behind x in the same memory, the first element of the second vector is
    the first to be activated twice.
    """
    buffer = np.ones(40, dtype)
    _core.activation("selu", buffer[:-1], buffer[1:])
    width = int(np.argmax(buffer[1:] != buffer[1])) * dtype.itemsize
    assert width == {"avx512": 64, "avx2": 32, "baseline": 16}[isa]
    eps, c = np.finfo(dtype).eps, np.full((1, 1), -1, dtype)
    _core.gemm(np.full((1, 1), 1 + eps, dtype), np.full((1, 1), 1 - eps, dtype), c)
    fused = isa != "baseline" or platform.machine() == "aarch64"
    assert c[0, 0] == (-eps * eps if fused else 0)


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
