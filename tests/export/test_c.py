# SPDX-License-Identifier: BSD-3-Clause
"""A model that is written as C computes what its stream computes, and needs nothing but the library."""

import functools
import re

import numpy as np
import pytest
from support.c_library import CSRC, CXX, C, compiler, rows_of, run, symbols, text_of
from support.c_programs import DRIVER, DTYPES, every_model, python_rows

import fastrnn as fr
from fastrnn import _core
from fastrnn.export import export_c


def own(dtype):
    """What changes a state beyond the cell, and a state to begin with; containers in containers."""
    gru = fr.GRU(5, 7, 2, learn_initial_state=True, zoneout=0.25, dtype=dtype, seed=0)
    lstm = fr.LSTM(7, 6, zoneout=(0.0, 0.5), learn_initial_state=True, dtype=dtype, seed=1)
    rnn = fr.RNN(6, 3, leak=0.5, nonlinearity="relu", dtype=dtype, seed=2)
    for layer in (gru, lstm):
        for name in layer.params.keys() & {"h0", "c0"}:
            layer.params[name][...] = np.random.default_rng(3).standard_normal(layer.params[name].shape)
    return fr.Sequential(gru, fr.Sequential(lstm, fr.Dropout(0.5, dtype=dtype)), rnn)


MODELS = every_model() | {f"options-{dtype.__name__}": functools.partial(own, np.dtype(dtype)) for dtype in DTYPES}


@pytest.fixture(autouse=True)
def baseline():
    """Python on the engine of the library."""
    before = _core.get_isa()
    _core.set_isa("baseline")
    yield
    _core.set_isa(before)


def build(model, baseline_library, folder, kind="C"):
    """The model as C in a program; the program."""
    _, source = export_c(model, folder)
    include = f"-I{CSRC}", f"-I{folder}"
    run(compiler(), *C, "-O1", *include, "-c", source, "-o", folder / "model.o")
    language = ("-x", "c++", *CXX) if kind == "CXX" else ("-x", "c", *C)
    run(compiler(kind), *language, *include, "-c", DRIVER, "-o", folder / "main.o")
    run(compiler(kind), folder / "main.o", folder / "model.o", baseline_library, "-lm", "-o", folder / "program")
    return folder / "program"


@pytest.mark.parametrize("name", MODELS)
def test_its_bits_are_those_of_the_stream(name, baseline_library, tmp_path, rng):
    """For one sequence and for three at a time; again after a reset; outside of its memory nothing is written."""
    model = MODELS[name]()
    program = build(model, baseline_library, tmp_path)
    for N in (1, 3):
        x = rng.standard_normal((9, N, 5)).astype(model.dtype)
        done = run(program, 0, N, len(x), input=text_of(x.reshape(len(x), -1)))
        expected = np.stack([python_rows(model, x[:, n]) for n in range(N)], axis=1).reshape(len(x), -1)
        np.testing.assert_array_equal(rows_of(done.stdout), np.concatenate([expected, expected]), strict=True)


def test_a_program_in_c_plus_plus_uses_it(baseline_library, tmp_path, rng):
    """On the best engine, asked for by -1."""
    model = fr.LSTM(5, 4, seed=0)
    x = rng.standard_normal((3, 5)).astype(np.float32)
    done = run(build(model, baseline_library, tmp_path, "CXX"), -1, 1, len(x), input=text_of(x))
    np.testing.assert_array_equal(rows_of(done.stdout)[:3], python_rows(model, x))


def test_it_needs_the_library_and_copies_of_memory_alone(baseline_library, tmp_path):
    """No function that allocates, prints or ends the process; and defines the functions of its header alone."""
    build(fr.GRU(5, 4), baseline_library, tmp_path)
    defined = {name.lstrip("_") for _, name in symbols(tmp_path / "model.o", "--defined-only", "--extern-only")}
    needed = {name.lstrip("_") for _, name in symbols(tmp_path / "model.o", "--undefined-only")}
    assert defined == {"model_bytes", "model_init", "model_step", "model_reset"}
    others = {name for name in needed if not name.startswith("fr_")}
    assert others <= {"memcpy", "memset", "GLOBAL_OFFSET_TABLE_", "stack_chk_fail", "memset_chk", "memcpy_chk"}


@pytest.mark.parametrize("arguments", [(7, 1), (0, 0), (0, 2**60), (0, -1)], ids=str)
def test_what_cannot_be_has_no_bytes(arguments, baseline_library, tmp_path):
    """An engine that is not there, a number of sequences that is none or that memory has no room for."""
    source = tmp_path / "main.c"
    export_c(fr.GRU(5, 4), tmp_path)
    isa, N = arguments
    source.write_text(
        f'#include "model.h"\nint main(void) {{ static char m[4096]; return model_bytes({isa}, {N}) || '
        f"model_init(m, {isa}, {N}) >= 0; }}\n"
    )
    files = source, tmp_path / "model.c", baseline_library
    run(compiler(), *C, f"-I{CSRC}", f"-I{tmp_path}", *files, "-lm", "-o", tmp_path / "program")
    run(tmp_path / "program")


# -- files and arguments ---------------------------------------------------------------------------------------------


def test_files_have_the_name_and_the_folder_is_made(tmp_path):
    paths = export_c(fr.Linear(2, 3), tmp_path / "new" / "src", "my_net")
    assert paths == [str(tmp_path / "new" / "src" / f"my_net.{suffix}") for suffix in "hc"]
    header = (tmp_path / "new" / "src" / "my_net.h").read_text()
    assert re.findall(r"\b(my_net_\w+)\(", header) == ["my_net_bytes", "my_net_init", "my_net_step", "my_net_reset"]


def test_only_files_that_it_wrote_are_replaced(tmp_path):
    model, path = fr.Linear(2, 3), tmp_path / "model.c"
    export_c(model, tmp_path)
    first = path.read_text()
    export_c(fr.Linear(2, 4), tmp_path)
    assert path.read_text() != first
    path.write_text("int mine;\n")
    with pytest.raises(FileExistsError, match=r"model\.c: expected a file that fastrnn\.export wrote"):
        export_c(model, tmp_path)
    assert path.read_text() == "int mine;\n" and "2, 4" not in (tmp_path / "model.h").read_text().partition("out")[0]


@pytest.mark.parametrize("name", ["", "2nd", "my-net", "fr", "FR", "a b", "é", None])
def test_a_name_is_an_identifier(name, tmp_path):
    with pytest.raises(ValueError, match=r"^name: expected letters, digits and _"):
        export_c(fr.Linear(2, 3), tmp_path, name)
    assert not [*tmp_path.iterdir()]


def test_a_model_is_a_layer(tmp_path):
    with pytest.raises(TypeError, match="^model: expected a layer, got dict"):
        export_c({}, tmp_path)
    with pytest.raises(TypeError, match="^folder"):
        export_c(fr.Linear(2, 3), 3)
