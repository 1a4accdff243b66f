# SPDX-License-Identifier: BSD-3-Clause
"""The command line: ``python -m fastrnn.benchmarks``."""

import subprocess
import sys

import pytest

from fastrnn.benchmarks._suite import cpus

MAIN = "import sys; from fastrnn.benchmarks._suite.cli import main, run"
SHORT = "run.ATTEMPTS = 1; run.QUICK = run.Settings(rounds=1, block=0.001)"


def run_command(*arguments, code="from fastrnn.benchmarks._suite.cli import main; main()"):
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)


def test_a_missing_requirement_names_the_extra():
    """tqdm and matplotlib come with fastrnn[bench]."""
    blocked = "import sys; sys.modules['matplotlib'] = sys.modules['tqdm'] = None; import fastrnn.benchmarks.__main__"
    message = run_command(code=blocked).stderr.strip().splitlines()[-1]
    assert message == 'ImportError: The benchmarks need tqdm: pip install "fastrnn[bench]"'


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--threads", "0"], "expected numbers of threads like 1,2, got '0'"),
        (["--peers", "tensorflow"], "--peers: expected names of numpy, torch"),
        (["--only", "no such case"], "--only: no case has a name like 'no such case'"),
        (["--only", "("], "expected a regular expression, got '('"),
        (["--check", "no-such-file.json"], "No such file or directory: 'no-such-file.json'"),
        (["--check", "/dev/zero"], "/dev/zero: expected a regular file, got a device"),
        (["--out", __file__], f"File exists: '{__file__}'"),
    ],
)
def test_the_command_line_is_checked(arguments, message):
    """Before anything is measured."""
    pytest.importorskip("matplotlib")
    process = run_command(*arguments)
    assert process.returncode != 0 and message in process.stderr


def test_without_results_of_this_kind_of_cpu_nothing_is_checked(tmp_path):
    """That is no failure, but it is said, with the kinds that there are."""
    pytest.importorskip("matplotlib")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "RESULTS.json").write_text("{}")
    process = run_command("--check", str(tmp_path / "{cpu}" / "RESULTS.json"), code=f"{MAIN}; sys.exit(main())")
    assert process.returncode == 0 and process.stdout.startswith("NOTHING WAS COMPARED: no results of this kind of CPU")
    kind = cpus.kind()
    assert f"Expected {tmp_path / kind / 'RESULTS.json'}; there are results of other." in process.stdout


def test_results_are_compared_with_those_of_this_kind_of_cpu(tmp_path):
    """If there are any."""
    pytest.importorskip("matplotlib")
    (tmp_path / cpus.kind()).mkdir()
    (tmp_path / cpus.kind() / "RESULTS.json").write_text("{}")
    process = run_command("--check", str(tmp_path / "{cpu}" / "RESULTS.json"))
    assert process.returncode != 0 and "--check: expected a RESULTS.json of format" in process.stderr


def test_results_go_into_the_folder_of_this_kind_of_cpu(tmp_path):
    pytest.importorskip("matplotlib")
    pytest.importorskip("torch")
    arguments = "--only", "steps-fit", "--quick", "--threads", "1", "--peers", "torch"
    process = run_command(*arguments, "--out", str(tmp_path / "{cpu}"), code=f"{MAIN}; {SHORT}; sys.exit(main())")
    assert process.returncode == 0, process.stderr
    assert {path.name for path in (tmp_path / cpus.kind()).iterdir()} == {
        "RESULTS.json",
        "RESULTS.md",
        "steps.png",
        "steps.svg",
    }
    assert "| whole step, fit |" in (tmp_path / cpus.kind() / "RESULTS.md").read_text()
