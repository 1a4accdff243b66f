# SPDX-License-Identifier: BSD-3-Clause
"""The command that writes a page."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from support.inspection import TEXT, VOCABULARY, meta_of, tagger, text_model

import fastrnn as fr
from fastrnn.inspect import __main__ as command
from fastrnn.inspect.__main__ import main
from fastrnn.io import _files as files

NAMED = "steps", "window", "vocab", "features", "units"  # options that a test changes


@pytest.fixture
def saved(tmp_path):
    """A model with its vocabulary, and a text."""
    fr.save(text_model(), tmp_path / "model.safetensors", notes={"vocabulary": VOCABULARY})
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path


def test_the_command_writes_a_page(saved, capsys):
    main([str(saved / "model.safetensors"), "--text", str(saved / "text.txt"), "--steps", "20", "--window", "7"])
    page = (saved / "model.html").read_text(encoding="utf-8")
    assert meta_of(page)["labels"] == list(TEXT[:20]) and meta_of(page)["window"] == 7
    assert "<title>model.safetensors reads text.txt</title>" in page
    assert "model.html: 0." in capsys.readouterr().out


def test_the_command_from_a_shell(saved):
    command = [sys.executable, "-m", "fastrnn.inspect", "model.safetensors", "--text", "text.txt", "--out", "a.html"]
    subprocess.run(command, cwd=saved, check=True, timeout=60)
    assert meta_of((saved / "a.html").read_text(encoding="utf-8"))["labels"] == list(TEXT)


def test_the_command_reads_arrays_and_vocabularies(saved):
    fr.save(tagger(), saved / "tagger.safetensors")
    np.save(saved / "x.npy", np.random.default_rng(0).standard_normal((9, 2)))
    main([str(saved / "tagger.safetensors"), "--array", str(saved / "x.npy")])
    assert meta_of((saved / "tagger.html").read_text(encoding="utf-8"))["steps"] == 9
    fr.save(text_model(), saved / "plain.safetensors")
    (saved / "vocabulary.json").write_text(json.dumps(VOCABULARY))
    arguments = [str(saved / "plain.safetensors"), "--text", str(saved / "text.txt")]
    main([*arguments, "--vocab", str(saved / "vocabulary.json")])
    with pytest.raises(SystemExit, match=r"plain.safetensors: expected a vocabulary in its notes, .* or --vocab"):
        main(arguments)


def test_the_page_is_written_completely_or_not_at_all(saved, monkeypatch):
    """If the disk is full, the earlier page stays, and no temporary file is left."""
    command = [str(saved / "model.safetensors"), "--text", str(saved / "text.txt")]
    main(command)
    before, names = (saved / "model.html").read_bytes(), sorted(saved.iterdir())

    def fsync(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fsync)
    with pytest.raises(SystemExit, match="No space left"):
        main([*command, "--steps", "3"])
    assert (saved / "model.html").read_bytes() == before and sorted(saved.iterdir()) == names


@pytest.mark.parametrize("knows", [True, False])
def test_line_ends_are_read_as_in_the_vocabulary(knows, saved):
    """CR LF are two tokens if the vocabulary has CR, else one line end."""
    vocabulary = ["a", "b", "\n"] + ["\r"] * knows
    model = fr.Sequential(fr.Embedding(len(vocabulary), 4, seed=0), fr.GRU(4, 8, seed=1))
    fr.save(model, saved / "lines.safetensors", notes={"vocabulary": vocabulary})
    (saved / "lines.txt").write_bytes(b"a\r\nb\r\n")
    main([str(saved / "lines.safetensors"), "--text", str(saved / "lines.txt")])
    page = (saved / "lines.html").read_text(encoding="utf-8")
    assert meta_of(page)["labels"] == (["a", "\r", "\n", "b", "\r", "\n"] if knows else ["a", "\n", "b", "\n"])
    assert 'replaceAll("\\r", "\\u240d")' in page  # it has a sign of its own


def test_errors_name_files_of_the_wrong_kind(saved):
    fr.save(tagger(), saved / "tagger.safetensors")
    np.savez(saved / "x.npz", x=np.zeros((9, 2)))
    np.save(saved / "0.npy", 3.0)
    for name in "x.npz", "0.npy":
        with pytest.raises(SystemExit, match=f"{name}: expected one array of several steps"):
            main([str(saved / "tagger.safetensors"), "--array", str(saved / name)])
    np.save(saved / "x.npy", np.zeros((9, 2)))
    whole = (saved / "x.npy").read_bytes()
    for name, content in ("0.npy", b""), ("1.npy", whole[:-1]), ("2.npy", b"9 numbers"), ("3.npz", b"PK\3"):
        (saved / name).write_bytes(content)
        with pytest.raises(SystemExit, match=f"{name}: truncated or not an array of numbers") as caught:
            main([str(saved / "tagger.safetensors"), "--array", str(saved / name)])
        assert "pickle" not in str(caught.value)
    (saved / "latin").write_bytes("\u00e9t\u00e9".encode("latin-1"))
    with pytest.raises(SystemExit, match="latin: not UTF-8"):
        main([str(saved / "model.safetensors"), "--text", str(saved / "latin")])


def test_names_and_units_of_features(saved, capsys):
    """From the options, or from the first row of a table; names in the options count more."""
    fr.save(tagger(), saved / "tagger.safetensors")
    np.save(saved / "x.npy", np.ones((9, 2)))
    (saved / "x.csv").write_text("speed,load\n1,2\n3,4\n5,6\n")
    given = "--features", "voltage, current", "--units", "V,A"
    for name, options, expected in (
        ("x.npy", (), (["x0", "x1"], ["", ""])),
        ("x.npy", given, (["voltage", "current"], ["V", "A"])),
        ("x.csv", (), (["speed", "load"], ["", ""])),
        ("x.csv", given, (["voltage", "current"], ["V", "A"])),
    ):
        main([str(saved / "tagger.safetensors"), "--array", str(saved / name), *options, "--steps", "2"])
        signals = meta_of((saved / "tagger.html").read_text(encoding="utf-8"))["signals"]
        assert (signals["features"], signals["units"]) == expected
    assert "x.csv: the first 2 of 3 steps; --steps sets how many" in capsys.readouterr().out


def test_errors_of_arrays(saved):
    """They say which number or name is wrong."""
    fr.save(tagger(), saved / "tagger.safetensors")
    arrays = {
        "nan": (np.array([[0, 1], [2, np.nan]]), "expected finite numbers, got nan in feature b at step 1"),
        "three": (np.zeros((4, 3)), r"array: expected numbers \(T, 2\), got float64 of shape \(4, 3\)"),
        "none": (np.zeros((0, 2)), "array: expected at least one step, got shape"),
        "complex": (np.zeros((4, 2), complex), r"array: expected numbers \(T, 2\), got complex128"),
    }
    for name, (array, message) in arrays.items():
        np.save(saved / f"{name}.npy", array)
        with pytest.raises(SystemExit, match=message):
            main([str(saved / "tagger.safetensors"), "--array", str(saved / f"{name}.npy"), "--features", "a,b"])
    assert not [*saved.glob("*.html")]


def test_the_command_replaces_no_file_of_others(saved):
    """A page of its own it does, and anything if told to."""
    command = [str(saved / "model.safetensors"), "--text", str(saved / "text.txt"), "--steps", "3"]
    main(command)
    main(command)
    (saved / "model.html").write_text("my own page")
    with pytest.raises(SystemExit, match="model.html is no page of this command; --overwrite replaces it"):
        main(command)
    assert (saved / "model.html").read_text() == "my own page"
    main([*command, "--overwrite"])
    assert meta_of((saved / "model.html").read_text(encoding="utf-8"))["steps"] == 3


def test_a_name_that_is_no_text(saved):
    """Bytes that are not UTF-8, as Linux allows."""
    text = os.path.join(os.fsencode(saved), b"\xff.txt")
    os.rename(saved / "text.txt", text)
    main([str(saved / "model.safetensors"), "--text", os.fsdecode(text), "--steps", "3"])
    assert "<title>model.safetensors reads \ufffd.txt</title>" in (saved / "model.html").read_text(encoding="utf-8")


def test_the_command_never_replaces_what_it_reads(saved, monkeypatch):
    """The default name, too, may be that of an input. It is refused before the model is read."""
    monkeypatch.chdir(saved)
    (saved / "text.txt").rename(saved / "model.html")
    before = {path: path.read_bytes() for path in saved.iterdir()}
    for options in ([], ["--out", "./model.safetensors"], ["--out", "vocabulary.json", "--vocab", "vocabulary.json"]):
        if "--vocab" in options:
            (saved / "vocabulary.json").write_text(json.dumps(VOCABULARY))
            before[saved / "vocabulary.json"] = (saved / "vocabulary.json").read_bytes()
        with monkeypatch.context() as context:
            context.setattr(fr.io, "load", lambda path: pytest.fail("the model was read"))
            with pytest.raises(SystemExit, match="--out: expected a file other than those that are read, got"):
                main(["model.safetensors", "--text", "model.html", *options])
    assert {path: path.read_bytes() for path in saved.iterdir()} == before


def test_too_little_memory(saved, monkeypatch):
    def report(*_, **__):
        raise MemoryError

    monkeypatch.setattr(command, "report", report)
    with pytest.raises(SystemExit, match="not enough memory for 5000 steps; try fewer with --steps"):
        main([str(saved / "model.safetensors"), "--text", str(saved / "text.txt")])


@pytest.mark.parametrize(
    "change, message",
    [
        ({"text": ""}, "text: expected at least one token, got none"),
        ({"text": "A\u20ac"}, r"text: expected only the \d+ tokens of the vocabulary, got '\u20ac' at 1"),
        ({"steps": "0"}, "--steps: expected at least 1, got 0"),
        ({"window": "0"}, "window: expected at least 1, got 0"),
        ({"vocab": "text.txt"}, "text.txt: not JSON"),
        ({"features": "a,b"}, "--features: expected only with --array"),
        ({"units": ""}, "--units: expected only with --array"),
        ({"model": "text.txt"}, "text.txt: truncated or not a safetensors file"),
        ({"model": "none"}, "No such file"),
        ({"model": os.devnull}, "null: expected a file with a model .* got a device"),
    ],
)
def test_errors_of_the_command(change, message, saved, monkeypatch):
    """One line, and nothing is written."""
    monkeypatch.chdir(saved)
    if "text" in change:
        (saved / "text.txt").write_text(change["text"], encoding="utf-8")
    options = [part for name in NAMED if name in change for part in (f"--{name}", change[name])]
    with pytest.raises(SystemExit, match=message) as caught:
        main([change.get("model", "model.safetensors"), "--text", "text.txt", *options])
    assert "\n" not in str(caught.value)
    assert not [*saved.glob("*.html")]
