# SPDX-License-Identifier: BSD-3-Clause
"""What ends a case is reported with its number, and the printed line repeats it."""

import os
import re
import shlex
import signal
import sys
import time

import numpy as np
import pytest
from fuzz import attacks, runner
from fuzz.runner import Attack, Fault, reproduction, run
from support.child import linux_only

pytestmark = linux_only


class Drawn(Attack):
    """A case in ten ends in some way."""

    def case(self, rng):
        number = int(rng.integers(10))
        self.note(f"number {number}")
        if number == 0:
            self.end()

    def end(self):
        raise AssertionError("0 was drawn")


class Dies(Drawn):
    def end(self):
        os.kill(os.getpid(), signal.SIGSEGV)


class Exits(Drawn):
    def end(self):
        os._exit(3)


class Interrupted(Drawn):
    def end(self):
        raise KeyboardInterrupt


class Hangs(Drawn):
    limit = 0.8

    def end(self):
        time.sleep(60)


class CannotBegin(Attack):
    def __init__(self, folder):
        raise ValueError("no")


def wrong_cases(seed, count):
    return [k for k in range(count) if np.random.default_rng([seed, k]).integers(10) == 0]


WAYS = {
    Drawn: "AssertionError: 0 was drawn",
    Dies: "died of SIGSEGV",
    Exits: "ended with code 3",
    Interrupted: "KeyboardInterrupt",
    Hangs: "not finished after 0.8 s",
}


@pytest.mark.parametrize("attack", WAYS, ids=lambda attack: attack.__name__)
def test_every_end_of_a_case_is_a_fault_of_this_case(attack, tmp_path, capfd):
    """With what the case was; and the run goes on behind it."""
    report = run(attack, tmp_path, 7, cases=25)
    assert [fault.case for fault in report.faults] == wrong_cases(7, 25)[:5]
    assert len(report.faults) >= 2
    for fault in report.faults:
        assert WAYS[attack] in fault.what and "number 0" in fault.what
        again = run(attack, tmp_path, 7, first=fault.case, cases=1)
        assert [other.case for other in again.faults] == [fault.case]


def test_another_seed_has_other_cases(tmp_path):
    for seed in 1, 2:
        assert [fault.case for fault in run(Drawn, tmp_path, seed, cases=30).faults] == wrong_cases(seed, 30)[:5]
    assert wrong_cases(1, 30) != wrong_cases(2, 30)


def test_it_ends_in_time_and_says_how_many_cases_it_had(tmp_path):
    class Right(Attack):
        def case(self, rng):
            time.sleep(0.01)

    report = run(Right, tmp_path, 0, seconds=1.5)
    assert report.faults == [] and 5 < report.cases < 160 and 1.4 < report.seconds < 6


def test_what_a_case_started_does_not_outlive_it(tmp_path):
    class Starts(Attack):
        def case(self, rng):
            pid = os.fork()
            if pid == 0:
                time.sleep(60)
            (self.folder / "pid").write_text(str(pid))

    run(Starts, tmp_path, 0, cases=1)
    child = int((tmp_path / "pid").read_text())
    for _ in range(100):
        try:
            with open(f"/proc/{child}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return
        except FileNotFoundError:
            return
        time.sleep(0.02)
    pytest.fail("a child of a case is still there")


def test_an_attack_that_cannot_begin_is_an_error(tmp_path, capfd):
    with pytest.raises(RuntimeError, match="CannotBegin cannot begin"):
        run(CannotBegin, tmp_path, 0, cases=1)


def test_the_line_that_reproduces(monkeypatch):
    """It has what the environment decides; where cases depend on those before, all of them."""
    for name in runner.ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "executable", str(runner.ROOT / ".venv-fuzz/bin/python"))
    line = reproduction("layers", 17, Fault(283, ""))
    assert line == ".venv-fuzz/bin/python tests/fuzz layers --seed 17 --case 283"
    monkeypatch.setenv("LD_PRELOAD", "/a/libasan.so /b/libstdc++.so")
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    line = reproduction("soak", 17, Fault(283, ""), independent=False)
    assert line == "LD_PRELOAD='/a/libasan.so /b/libstdc++.so' /usr/bin/python3 tests/fuzz soak --seed 17 --cases 284"


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the command with attacks of this file; returns what it prints, and its exit code or message."""
    import importlib

    monkeypatch.setattr(attacks, "ATTACKS", {"drawn": Drawn, "soak": Dies})
    monkeypatch.setattr(attacks, "SHARES", {"drawn": 1, "soak": 1})
    monkeypatch.delitem(sys.modules, "fuzz.__main__", raising=False)
    main = importlib.import_module("fuzz.__main__").main

    def run(*arguments):
        code = None
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as error:
            code = error.code
        return capsys.readouterr(), code

    return run


def test_the_command_prints_the_seed_and_a_line_for_each_fault(command):
    printed, code = command("--seed", 7, "--cases", 25)
    faults = wrong_cases(7, 25)[:5]
    assert code == f"{len(faults)} faults found."
    assert printed.out.startswith("seed 7\ndrawn ")
    assert "soak" not in printed.out
    lines = re.findall(r"reproduce: (.*)", printed.out)
    assert [int(line.rpartition(" ")[2]) for line in lines] == faults
    arguments = shlex.split(lines[0])
    again, code = command(*arguments[arguments.index("tests/fuzz") + 1 :])
    assert code == "1 faults found." and lines[0] in again.out


def test_the_command_without_faults(command):
    right = next(k for k in range(50) if k not in wrong_cases(7, 50))
    printed, code = command("drawn", "--seed", 7, "--case", right)
    assert code is None and "1 cases" in printed.out and "faults: 0" in printed.out


def test_an_unknown_attack_is_refused(command):
    printed, code = command("drown")
    assert code == 2 and "names: expected some of drawn, soak; got drown" in printed.err


def test_the_seed_is_from_the_clock(command):
    printed, _ = command("--seconds", 0)
    assert abs(int(re.match(r"seed (\d+)", printed.out)[1]) - time.time()) < 60
