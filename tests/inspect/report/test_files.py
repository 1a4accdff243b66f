# SPDX-License-Identifier: BSD-3-Clause
"""Files that the command reads: what they hold, and what is refused before memory is allocated for it."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from support.layers import refused

from fastrnn.inspect._report import files
from fastrnn.inspect._report.files import check_output, read_csv, read_file, read_json, read_npy, read_signal, read_utf8


@pytest.fixture
def file(tmp_path):
    """Write bytes or a text to a file and return its path."""

    def write(content, name="file"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def header(text, data=b""):
    """A .npy file of version 1 with this header."""
    text = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data


def test_texts_keep_their_line_ends(file):
    assert read_utf8(file("a\r\nb\u20ac\n")) == "a\r\nb\u20ac\n"
    with refused(ValueError, "file: not UTF-8"):
        read_utf8(file(b"\xe9t\xe9"))


def test_only_regular_files_are_read(tmp_path):
    """A device has no end, and a pipe would wait for a writer."""
    os.mkfifo(tmp_path / "pipe")
    for read in read_file, read_utf8, read_json, read_signal:
        for path, kind in ("/dev/zero", "a device"), (str(tmp_path / "pipe"), "a pipe"):
            with refused(ValueError, f"{path}: expected a regular file, got {kind}"):
                read(path)
        with refused(IsADirectoryError, "expected a regular file, got a directory", str(tmp_path)):
            read(str(tmp_path))
    with refused(FileNotFoundError, "none"):
        read_file(str(tmp_path / "none"))


def test_files_have_a_largest_size(file, monkeypatch):
    assert read_file(file(b"12345"), 5) == b"12345"
    with refused(ValueError, "file: expected at most 5 bytes, got more"):
        read_file(file(b"123456"), 5)
    monkeypatch.setattr(files, "LARGEST_HEADER", 1000)
    with refused(ValueError, "file: expected at most 1,000 bytes, got more"):
        read_json(file(b" " * 1001))


def test_json(file):
    assert read_json(file('["a", "b"]')) == ["a", "b"]
    with refused(ValueError, "file: not JSON"):
        read_json(file("['a']"))
    with refused(ValueError, "file: not JSON", "digits"):
        read_json(file("1" * 5000))
    with refused(ValueError, "file: nested too deeply"):
        read_json(file("[" * 200_000))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i8", "|u1", "|b1"])
def test_npy(dtype, order, tmp_path):
    array = np.asarray(np.arange(6).reshape(3, 2), dtype, order=order)
    np.save(tmp_path / "x.npy", array)
    read, names = read_signal(str(tmp_path / "x.npy"))
    np.testing.assert_array_equal(read, array)
    assert read.dtype == array.dtype and names is None


def test_npy_that_claim_more_than_they_have(file):
    """Without an attempt to allocate it."""
    for shape in "(1000000000000, 1000)", "(3, 2)", "(-1, 2)":
        content = header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}", bytes(8))
        with refused(ValueError, "file: truncated or not an array of numbers", f"an array of shape {shape}"):
            read_npy(file(content))


@pytest.mark.parametrize("text", ["", "{", "-" * 5000, "{'descr': 'x', 'fortran_order': False, 'shape': (1,)}", "[]"])
def test_npy_with_a_broken_header(text, file):
    with refused(ValueError, "file: truncated or not an array of numbers, as numpy.save writes it"):
        read_npy(file(header(text, bytes(8))))


def test_objects_are_not_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    np.save(tmp_path / "x.npy", np.array([Trap()], object), allow_pickle=True)
    with refused(ValueError, "x.npy: expected numbers, got Python objects, which are not read"):
        read_npy(str(tmp_path / "x.npy"))
    assert not (tmp_path / "ran").exists()


def test_csv(file):
    """With names in the first row or without; empty lines, quotes and a byte order mark are as everywhere."""
    array, names = read_signal(file('\ufeff"speed, mean", load\r\n1,-2e3\r\n\r\n3.5, 4\r\n', "x.CSV"))
    assert names == ["speed, mean", "load"] and array.tolist() == [[1, -2000], [3.5, 4]]
    array, names = read_csv(file("1,2\n3,nan"))
    assert names is None and np.array_equal(array, [[1, 2], [3, np.nan]], equal_nan=True)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "expected at least one row of numbers, got none"),
        ("a,b\n", "expected at least one row of numbers, got none"),
        ("a,b\n1,2\n3\n", "expected 2 numbers that commas separate, got 1 numbers at line 3"),
        ("1,,3\n", "expected 3 numbers that commas separate, got '' at line 1"),
        ("t,v\n\n2020-01-01,3\n", "expected 2 numbers that commas separate, got '2020-01-01' at line 3"),
        ("1;2\n3;4\n", "expected 1 numbers that commas separate, got '3;4' at line 2"),
        ("1," + "9" * 200_000, "not CSV, at line 1 (field larger than field limit"),
    ],
)
def test_csv_that_cannot_be_read(text, message, file):
    with refused(ValueError, f"file: {message}"):
        read_csv(file(text))


def test_the_page_is_no_file_that_is_read(file, tmp_path):
    """By whatever name."""
    model, text, page = file("", "model"), file("", "text.html"), str(tmp_path / "page.html")
    check_output(page, [model, text])
    check_output(file("", "page.html"), [model, text, str(tmp_path / "none")])  # an empty file has nothing to lose
    os.symlink(text, tmp_path / "symbolic")
    os.link(model, tmp_path / "hard")
    for out in model, text:
        with refused(ValueError, f"--out: expected a file other than those that are read, got {out}"):
            check_output(out, [model, text])
    for name, path in ("symbolic", text), ("hard", model):
        with refused(ValueError, "--out: expected a file other than", f"got {tmp_path / name}, which is {path}"):
            check_output(str(tmp_path / name), [model, text])
    with refused(ValueError, "--out: expected a file, got the folder"):
        check_output(str(tmp_path), [model])
    with refused(ValueError, "--out: expected a file in a folder that exists, got"):
        check_output(str(tmp_path / "none" / "page.html"), [model])


def test_the_page_replaces_pages_only(file, tmp_path):
    """Unless told to; whatever the file is called."""
    template = Path(files.__file__).parent / "page" / "page.html"
    page = file(template.read_bytes(), "page.html")
    check_output(page, [])
    os.symlink(page, tmp_path / "symbolic")
    check_output(str(tmp_path / "symbolic"), [])
    for name, content in ("other.html", "<!DOCTYPE html><p>mine"), ("thesis.txt", "x" * 10**6 + str(files.PAGE)):
        path = file(content, name)
        os.symlink(path, tmp_path / f"{name}.link")
        for out in path, str(tmp_path / f"{name}.link"):
            with refused(ValueError, f"--out: {out} is no page of this command; --overwrite replaces it"):
                check_output(out, [])
            check_output(out, [], overwrite=True)
            with refused(ValueError, "--out: expected a file other than"):
                check_output(out, [path], overwrite=True)
