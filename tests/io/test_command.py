# SPDX-License-Identifier: BSD-3-Clause
"""How the commands end: with a code and at most one line, never with a traceback."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import fastrnn as fr

START = "import sys\nfrom fastrnn.io._command import run\n"


def run(code, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "timeout": 60} | options
    return subprocess.run([sys.executable, "-c", START + code], **options)


@pytest.mark.parametrize("code", [0, 3, None])
def test_the_code_is_that_of_the_command(code):
    done = run(f"def main():\n    print('done')\n    return {code}\nrun(main)")
    assert (done.returncode, done.stdout, done.stderr) == (code or 0, "done\n", "")


def test_ctrl_c():
    as_usual = (
        "import signal, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"  # it may be ignored here
    )
    done = run(as_usual + "def main():\n    signal.raise_signal(signal.SIGINT)\n    time.sleep(9)\nrun(main)")
    assert (done.returncode, done.stderr) == (128 + signal.SIGINT, "")


@pytest.mark.parametrize("end", ["", "\n        sys.exit(0)"], ids=["returns", "exits"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_gone(unbuffered, end):
    """As with `| head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    code = f"def main():\n    for k in range(100_000):\n        print(k){end}\nrun(main)"
    done = run(code, stdout=writing, env=os.environ | {"PYTHONUNBUFFERED": unbuffered})
    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


def test_no_stdout():
    assert run("sys.stdout = None\nrun(lambda: print('x'))").returncode == 0
    if os.path.exists("/dev/full"):
        with open("/dev/full", "w") as full:
            done = run("run(lambda: print('x'))", stdout=full)
        assert done.returncode == 1 and done.stderr == "stdout: [Errno 28] No space left on device\n"


def test_a_name_that_is_no_text():
    done = run("run(lambda: print('\\udcff'))")
    assert (done.returncode, done.stdout, done.stderr) == (0, "\\udcff\n", "")


HUGE = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000, 7)}"
CONTENT = {
    "empty": b"",
    "zeros": bytes(5000),
    "binary": bytes(range(256)) * 20,
    "deep": b"[" * 200_000 + b"]" * 200_000,
    "digits": b"1" * 5000,
    "huge.npy": b"\x93NUMPY\x01\x00\x76\x00" + HUGE.ljust(117) + b"\n",
}
REPORTS = """
from fastrnn.inspect.__main__ import main

for arguments in {}:
    try:
        main(arguments)
        print("no error:", arguments)
    except SystemExit as error:
        print(error, file=sys.stderr)
"""


@pytest.mark.timeout(200)
def test_absurd_inputs(tmp_path):
    """Of the report: one line on stderr, exit code 1, nothing written."""
    fr.save(fr.Linear(2, 1), tmp_path / "model")
    np.save(tmp_path / "x.npy", np.ones((3, 2)))
    (tmp_path / "text").write_text("abc")
    (tmp_path / "vocabulary").write_text('["a", "b", "c"]')
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, content in CONTENT.items():
        (tmp_path / name).write_bytes(content)
    good = {"model": "model", "--text": "text", "--vocab": "vocabulary"}
    bad = [*CONTENT, "folder", "pipe", "/dev/zero", "none", "text/none", "/dev/full", "x" * 300]
    cases = [good | {option: name} for option in good for name in bad]
    cases += [{"model": "model", "--array": name} for name in bad]
    cases += [good | {"--out": out} for out in ("folder", "none/page.html", "/dev/zero", "pipe", "x.npy", "x" * 300)]
    before = sorted(os.listdir(tmp_path))
    arguments = [[c["model"], *(part for k in c if k != "model" for part in (k, c[k]))] for c in cases]
    done = run(REPORTS.format(arguments), cwd=tmp_path)
    assert done.returncode == 0 and done.stdout == "", done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == len(cases) and all(line.startswith("python -m fastrnn.inspect: ") for line in lines), lines
    assert sorted(os.listdir(tmp_path)) == before
