# SPDX-License-Identifier: BSD-3-Clause
"""examples/c: a C program that runs models of Python one step at a time, with their bits, and refuses all others."""

import shutil

import numpy as np
import pytest
from support.c_library import CSRC, EXAMPLE, build_stream, compiler, environment, rows_of, run, text_of, tool
from support.c_programs import check_stream, every_model, python_rows
from support.model_files import about_of, forge, split, with_about, with_architecture

import fastrnn as fr
from fastrnn import _core

slow, compiles = pytest.mark.slow, pytest.mark.timeout(600)  # the first with the installed library compiles it


@pytest.fixture(scope="module")
def stream(baseline_library, tmp_path_factory):
    """The program with the baseline engine."""
    return build_stream(tmp_path_factory.mktemp("stream"), f"-I{CSRC}", baseline_library, "-lm")


@pytest.fixture(scope="module")
def fast_stream(prefix, tmp_path_factory):
    """The program with the installed shared library."""
    flags = prefix.pkg_config("--cflags", "--libs")
    return build_stream(tmp_path_factory.mktemp("stream"), *flags, f"-Wl,-rpath,{prefix.lib}")


@pytest.fixture
def baseline():
    """Python on the baseline engine, too."""
    before = _core.get_isa()
    _core.set_isa("baseline")
    yield "baseline"
    _core.set_isa(before)


@pytest.fixture
def saved(tmp_path):
    """A file, and the model in it."""
    path, model = (
        tmp_path / "model.safetensors",
        fr.Sequential(gru=fr.GRU(2, 3, 2, seed=0), out=fr.Linear(3, 2, seed=1)),
    )
    fr.save(model, path)
    return path, model


# -- what it prints --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", every_model())
def test_it_prints_the_bits_of_python(name, baseline, stream, tmp_path, rng):
    check_stream(stream, every_model()[name](), tmp_path, rng.standard_normal((20, 5)), baseline)


@slow
@compiles
@pytest.mark.parametrize("name", every_model())
def test_it_prints_them_on_every_engine(name, isa, fast_stream, tmp_path, rng):
    check_stream(fast_stream, every_model()[name](), tmp_path, rng.standard_normal((20, 5)), isa)


def test_made_up_numbers_are_the_same_at_every_run(baseline, stream, saved):
    """STEPS rows of a generator that its comment describes."""
    path, model = saved
    seed, numbers = 1, []
    while len(numbers) < 10 * 2:
        seed = (seed * 1664525 + 1013904223) % 2**32
        numbers.append((seed >> 8) / 2**24 - 0.5)
    done = run(stream, path, 10)
    np.testing.assert_array_equal(rows_of(done.stdout), python_rows(model, np.reshape(numbers, (10, 2))))
    assert "10 steps" in done.stderr and done.stderr.rstrip().endswith("a second")


# -- what it refuses -------------------------------------------------------------------------------------------------


def refused(stream, path, message, text="1 2", **options):
    done = run(stream, path, input=text, check=False, **options)
    assert done.returncode == 1 and message in done.stderr, (done.returncode, done.stderr)
    assert done.stderr.startswith("stream: ")
    return done


OTHERS = {
    "option bidirectional": lambda: fr.LSTM(2, 3, bidirectional=True),
    "option leak": lambda: fr.RNN(2, 3, leak=0.5),
    "option zoneout": lambda: fr.LSTM(2, 3, zoneout=(0.0, 0.5)),
    "option learn_initial_state": lambda: fr.GRU(2, 3, learn_initial_state=True),
    "layer embed: this program runs RNN": lambda: fr.Sequential(embed=fr.Embedding(3, 2), gru=fr.GRU(2, 3)),
    "got LayerNorm": lambda: fr.Sequential(fr.GRU(2, 3), fr.LayerNorm(3)),
    "got Sequential": lambda: fr.Sequential(fr.Sequential(fr.GRU(2, 3))),
    "got EchoState": lambda: fr.EchoState(2, 3),
    "at least one layer": lambda: fr.Dropout(0.5),
}


@pytest.mark.parametrize("message", OTHERS)
def test_other_models_are_refused(message, stream, tmp_path):
    fr.save(OTHERS[message](), tmp_path / "model.safetensors")
    refused(stream, tmp_path / "model.safetensors", message)


def test_a_layer_in_two_places_is_refused(stream, tmp_path):
    gru = fr.GRU(2, 2)
    fr.save(fr.Sequential(a=gru, b=gru), tmp_path / "model.safetensors")
    refused(stream, tmp_path / "model.safetensors", "layer b: this program runs RNN")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"peepholes": True}, "layer gru: this program does not know the option peepholes"),
        ({"hidden_size": 4}, "tensor gru.weight_ih_l0: expected F32 of shape (12, 2)"),
        ({"input_size": -1}, "layer gru: expected a whole number above zero for the option input_size"),
        ({"num_layers": 10**9}, "tensor gru.weight_ih_l2: the architecture has it, the file does not"),
        ({"num_layers": 1}, "4 tensors that the architecture does not have"),
        ({"dtype": "float64"}, "tensor gru.weight_ih_l0: expected F64"),
        ({"bias": 1}, "layer gru: expected true or false for the option bias"),
        ({"type": "RNN", "nonlinearity": "sine"}, "no cell rnn_sine"),
    ],
    ids=str,
)
def test_an_architecture_that_the_file_does_not_bear_out_is_refused(change, message, stream, saved):
    path, _ = saved
    architecture = about_of(path)["architecture"]
    with_architecture(
        path, architecture | {"layers": [architecture["layers"][0] | change, *architecture["layers"][1:]]}
    )
    refused(stream, path, message)


def test_files_that_are_no_models_are_refused(stream, saved, tmp_path):
    path, model = saved
    refused(stream, tmp_path, "got no regular file")
    refused(stream, tmp_path / "nothing", "got no regular file")
    fr.save_checkpoint(tmp_path / "run.checkpoint", model)
    refused(stream, tmp_path / "run.checkpoint", "got a checkpoint")
    about = about_of(path)
    with_about(path, {**about, "format": "2"})
    refused(stream, path, 'expected format "1"')
    header, data = split(path)
    forge(path, {name: entry for name, entry in header.items() if name != "__metadata__"}, data)
    refused(stream, path, "of another program")
    forge(path, b"[" * 5000)
    refused(stream, path, "nested too deeply")
    path.write_bytes(b"\xff" * 100)
    refused(stream, path, "not a safetensors file")


def test_a_damaged_file_is_refused(stream, saved, tmp_path):
    """With one bit flipped, or cut off: nothing else is ever computed, and no damage ends in a crash."""
    path, model = saved
    content, damaged = path.read_bytes(), tmp_path / "damaged.safetensors"
    whole = run(stream, path, input="1 2").stdout
    changes = [content[:k] + bytes([content[k] ^ 1 << k % 8]) + content[k + 1 :] for k in range(0, len(content), 5)]
    changes += [content[:k] for k in range(0, len(content), 97)] + [content + b"x"]
    accepted = 0
    for change in changes:
        damaged.write_bytes(change)
        done = run(stream, damaged, input="1 2", check=False, errors="replace")
        assert done.returncode in (0, 1), done
        if done.returncode == 0:  # what says which version wrote it, and the spaces after the header
            assert done.stdout == whole
            accepted += 1
        else:
            assert done.stderr.startswith(f"stream: {damaged}: ")
    assert len(changes) > 200 and accepted < 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2\n3", "row 1: expected 2 numbers, got 1"),
        ("1 two", "row 0: expected 2 numbers, got 1 and no number"),
    ],
)
def test_input_that_is_not_rows_of_numbers_is_refused(text, message, stream, saved):
    refused(stream, saved[0], message, text)


def test_arguments_are_checked(stream, saved):
    path, _ = saved
    for arguments in ([], [path, 0], [path, "many"], [path, 1, 2]):
        done = run(stream, *arguments, check=False)
        assert done.returncode == 1 and "expected the arguments MODEL" in done.stderr
    refused(stream, path, "cannot run sse9", env=environment("sse9"))
    assert run(stream, path, input="").stdout == ""


# -- how it is built -------------------------------------------------------------------------------------------------


@slow
@compiles
def test_the_example_builds_by_make_and_by_cmake(prefix, baseline, tmp_path):
    """As its two files say."""
    shutil.copytree(EXAMPLE, tmp_path / "c")
    run(tool("make"), "-C", tmp_path / "c", f"CC={compiler()}", "CFLAGS=-O2 -Werror", env=prefix.env)
    run(tool("cmake"), "-S", EXAMPLE, "-B", tmp_path / "b", f"-DCMAKE_PREFIX_PATH={prefix.path}")
    run(tool("cmake"), "--build", tmp_path / "b")
    for program in (tmp_path / "c" / "stream", tmp_path / "b" / "stream"):
        check_stream(program, fr.GRU(3, 4, seed=0), tmp_path, np.ones((3, 3)), baseline)


def test_rows_are_read_exactly():
    """`text_of` and `rows_of` lose no bit."""
    rows = np.random.default_rng(0).standard_normal((3, 4))
    np.testing.assert_array_equal(rows_of(text_of(rows)), rows)
