# SPDX-License-Identifier: BSD-3-Clause
"""The regression check."""

import copy

import pytest
from support.bench_data import SMALL

from fastrnn.benchmarks._suite import check


def test_equal_and_slightly_slower_results_pass(small_run):
    """The same run, and one whose ratios fell by less than the tolerance."""
    assert check.compare(small_run, small_run)[0] == 0
    slower = copy.deepcopy(small_run)
    for row in slower["results"]:
        row["peers"]["numpy"]["ratio"] *= 0.7
    assert check.compare(small_run, slower)[0] == 0


@pytest.mark.parametrize("peer, figure", [("numpy", "ratio"), ("fastrnn", "roof_fraction")])
def test_a_slower_case_is_named(small_run, peer, figure):
    """By either quantity, and also if it can no longer be measured."""
    slower = copy.deepcopy(small_run)
    slower["results"][1]["peers"][peer][figure] *= 0.5
    code, text = check.compare(small_run, slower)
    assert code == 1 and text.startswith("1 of 4 figures below 0.6") and SMALL[1].name in text
    slower["results"][1]["peers"][peer] = {"error": "the process ended with code -11"}
    code, text = check.compare(small_run, slower)
    assert code == 1 and "not measured" in text


def test_a_slower_case_that_was_disturbed_is_pointed_out(small_run):
    """It may be slower only because other processes used the machine."""
    slower = copy.deepcopy(small_run)
    slower["results"][0] |= {"elsewhere_cores": 1.0}
    slower["results"][0]["peers"]["numpy"]["ratio"] *= 0.1
    assert "Other processes used the machine during 1 of these cases" in check.compare(small_run, slower)[1]


def test_a_roof_that_moved_meanwhile_is_pointed_out(small_run):
    """Shares of it may be lower for that reason."""
    slower = copy.deepcopy(small_run) | {"roof_after": copy.deepcopy(small_run["roof"])}
    slower["results"][0]["peers"]["numpy"]["ratio"] *= 0.1
    assert "moved" not in check.compare(small_run, slower)[1]
    slower["roof_after"]["read_gbs"]["L1"]["1"] *= 0.5
    text = check.compare(small_run, slower)[1]
    assert "The roof of the machine moved meanwhile (reading L1, 1 thread): repeat the check later." in text


def test_results_that_cannot_be_compared_are_refused(small_run):
    """Another engine, another number of threads, another file, no case in common."""
    check.require_comparable(small_run, small_run["machine"]["isa"], 1)
    with pytest.raises(ValueError, match="results of the engine in use, other, got those of"):
        check.require_comparable(small_run, "other", 1)
    with pytest.raises(ValueError, match="with 3 threads, got those with 1"):
        check.require_comparable(small_run, small_run["machine"]["isa"], 3)
    with pytest.raises(ValueError, match="expected a RESULTS.json of format"):
        check.require_comparable([], "avx2", 1)
    assert check.compare(small_run | {"results": []}, small_run)[0] == 1


@pytest.mark.parametrize("change", [{"machine": 1}, {"machine": {}}, {"results": None}, {"results": [{"name": "a"}]}])
def test_documents_with_parts_of_another_kind(small_run, change):
    with pytest.raises(ValueError, match="--check: expected a RESULTS.json of format 1, got another file"):
        check.require_comparable(small_run | change, "avx2", 1)
