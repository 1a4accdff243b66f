# SPDX-License-Identifier: BSD-3-Clause
"""The table of cases."""

from fastrnn.benchmarks import Case
from fastrnn.benchmarks._suite.table import dense_of, make_quick_table, make_table


def test_names_are_unique_and_a_quick_case_is_in_the_full_table():
    """So `--check` finds every quick case in the results of a full run."""
    full, quick = make_table([1, 2]), make_quick_table(2)
    names = {case.name for case in full}
    assert len(names) == len(full) > 200
    assert len({case.name for case in quick}) == len(quick) > 20
    assert {case.name for case in quick} <= names
    assert {case.threads for case in quick} == {2} and {case.threads for case in full} == {1, 2}
    assert make_table([1])  # a machine with one core


def test_the_dense_counterpart_of_a_ragged_case_has_as_many_steps():
    """Up to half a step per row."""
    case = Case("ragged", "lstm", 9, 6, 3, 4, ragged=True)
    dense = dense_of(case)
    assert not dense.ragged and abs(dense.T * dense.N - case.lengths.sum()) <= dense.N / 2
