# SPDX-License-Identifier: BSD-3-Clause
"""A minute of fuzzing and a minute of soak: what `make fuzz` and `make soak` do for as long as they are told."""

import pytest
from fuzz.attacks import ATTACKS, SHARES
from fuzz.runner import reproduction, run
from support.child import linux_only

SECONDS = {"layers": 25, "models": 10, "parts": 10, "files": 10, "writers": 15, "soak": 60}
CASES = {
    "layers": 100,
    "models": 50,
    "parts": 50,
    "files": 50,
    "writers": 1,
    "soak": 100,
}  # at least, on a slow machine


def test_every_attack_has_its_share():
    assert ATTACKS.keys() == SHARES.keys() == SECONDS.keys() == CASES.keys()


@linux_only
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_is_found(name, tmp_path):
    report = run(ATTACKS[name], tmp_path, 2026, seconds=SECONDS[name])
    lines = [f"{fault.what}\n{reproduction(name, 2026, fault, ATTACKS[name].independent)}" for fault in report.faults]
    assert not report.faults, "\n\n".join(lines)
    assert report.cases >= CASES[name]
