# SPDX-License-Identifier: BSD-3-Clause
"""What `make examples` reports for examples that pass, fail, crash, hang, or print nothing."""

import re
import sys

import pytest
import run_examples

EXAMPLES = {  # name: (code, whether it passes, result in the table)
    "good": ("print('first')\nprint('It gets 9 of 9.')", True, "It gets 9 of 9."),
    "bad": ("import sys\nprint('It gets 1 of 9.')\nsys.exit('It has not learned.')", False, "It has not learned."),
    "broken": ("1 / 0", False, "ZeroDivisionError: division by zero"),
    "endless": ("while True: pass", False, "not finished after 1.0 s"),
    "silent": ("", False, "no output"),
    "mute": ("raise SystemExit(3)", False, "ended with code 3"),
    "letters": ("print('\\N{EURO SIGN}')", True, "\N{EURO SIGN}"),
}


@pytest.fixture
def folder(tmp_path):
    for name, (code, _, _) in EXAMPLES.items():
        (tmp_path / f"{name}.py").write_text(code)
    return tmp_path


@pytest.mark.parametrize("name", EXAMPLES)
def test_one_example(folder, name):
    _, *expected = EXAMPLES[name]
    *outcome, seconds = run_examples.run(folder / f"{name}.py", time_limit=1.0 if name == "endless" else 60.0)
    assert outcome == expected
    assert 0 < seconds < 60


@pytest.fixture
def run(folder, monkeypatch, capsys):
    """Run the command; returns its output and its exit code or message."""

    def run(*arguments):
        command = ["run_examples.py", "--folder", str(folder), *arguments]
        monkeypatch.setattr(sys, "argv", command)
        code = None
        try:
            run_examples.main()
        except SystemExit as error:
            code = error.code
        return capsys.readouterr(), code

    return run


def test_the_table(run):
    """One row per example, in alphabetical order; the last line counts failures."""
    printed, code = run("--time-limit", "1.0")
    rows = [re.fullmatch(r"(\w+) +\d+\.\d   (pass|FAIL)  (.*)", line) for line in printed.out.splitlines()[1:]]
    expected = [(name, "pass" if passed else "FAIL", result) for name, (_, passed, result) in sorted(EXAMPLES.items())]
    assert [row.groups() for row in rows] == expected
    assert code == "5 of 7 examples failed."


def test_examples_that_pass(run):
    printed, code = run("letters", "good")
    assert code is None
    assert printed.out.splitlines()[-1] == "All 2 examples passed."


def test_an_unknown_name_is_refused(run):
    printed, code = run("good", "best")
    assert code == 2 and not printed.out
    assert "names: expected some of bad, broken, endless, good, letters, mute, silent; got best" in printed.err


def test_no_example_is_a_failure(run, folder):
    for path in folder.iterdir():
        path.unlink()
    assert run()[1] == "0 of 0 examples failed."


def test_the_default_folder_has_the_examples():
    assert (run_examples.EXAMPLES / "steep.py").is_file()
