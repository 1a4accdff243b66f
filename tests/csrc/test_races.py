# SPDX-License-Identifier: BSD-3-Clause
"""Threads of a call do not race: ThreadSanitizer sees every way of dividing one (find_races.py, races.c)."""

import find_races
import pytest


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs the program with arguments."""
    try:
        clang, archer = find_races.tools()
    except find_races.Missing as missing:
        pytest.skip(str(missing))
    program = find_races.build(clang, tmp_path_factory.mktemp("races"))
    return lambda *arguments: find_races.run(program, archer, *arguments)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_call_has_a_data_race(run):
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    calls, on_both = (int(word) for word in done.stdout.split() if word.isdecimal() and len(word) > 1)
    assert calls > 1500 and on_both > 250


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_race_would_be_seen(run):
    """The engine is compiled so that two calls on the same arrays are reported."""
    done = run("planted")
    assert done.returncode != 0
    assert "data race" in done.stderr and "engine/forward.h" in done.stderr


@pytest.mark.parametrize(
    "clang, text", [("no-such-clang", "no clang"), ("without_archer", "which comes with LLVM's OpenMP runtime")]
)
def test_what_is_missing_is_named(clang, text, monkeypatch, tmp_path):
    stand_in = tmp_path / "without_archer"
    stand_in.write_text(f"#!/bin/sh\necho {tmp_path}/lib/clang/14\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("CLANG", str(stand_in) if clang == stand_in.name else clang)
    with pytest.raises(SystemExit, match=f"^make tsan: .*{text}"):
        find_races.main()
