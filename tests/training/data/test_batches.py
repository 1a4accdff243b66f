# SPDX-License-Identifier: BSD-3-Clause
"""Batches: every row once an epoch, in an order that can be resumed."""

import itertools

import numpy as np
import pytest
from support.batches import rows_of, sequences

import fastrnn as fr


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_every_row_once_an_epoch(shuffle, batch_size):
    x = np.zeros((5, 23, 2), np.float32)
    batches = fr.Batches(x, np.arange(23), batch_size=batch_size, shuffle=shuffle, seed=0)
    for _ in range(3):
        parts = rows_of(batches)
        assert [len(part) for part in parts[:-1]] == [batch_size] * (len(batches) - 1)
        assert sorted(itertools.chain(*parts)) == list(range(23))
    assert shuffle == (rows_of(batches) != rows_of(batches)) or batch_size == 100
    assert batches.epoch == 5 and batches.position == 0


def test_the_seed_makes_the_order():
    make = lambda seed: fr.Batches(np.zeros((2, 50, 1)), np.arange(50), batch_size=8, seed=seed)  # noqa: E731
    assert rows_of(make(1)) == rows_of(make(1)) != rows_of(make(2))


def test_similar_lengths_share_a_batch():
    """Little padding, where batches at random would be a third padding; and yet another order each epoch."""
    x = sequences(4000, longest=30)
    batches = fr.Batches(x, np.arange(4000), batch_size=16, seed=0)
    for _ in range(2):
        padded = sum(batch.x.shape[0] * batch.x.shape[1] for batch in batches)
        assert padded < 1.05 * batches.steps
    first, second = rows_of(batches), rows_of(batches)
    assert {frozenset(part) for part in first}.isdisjoint(frozenset(part) for part in second)
    longest = [max(len(x[n]) for n in part) for part in first]
    assert longest != sorted(longest)  # short batches do not come first


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("stop", [0, 1, 3, 5, 6])
def test_a_state_leads_to_the_same_batches(ragged, stop):
    x = sequences(45) if ragged else np.zeros((2, 45, 1))
    make = lambda seed: fr.Batches(x, np.arange(45), batch_size=8, seed=seed)  # noqa: E731
    batches, other = make(0), make(1)
    rows_of(batches)
    list(itertools.islice(batches, stop))
    other.load_state_dict(batches.state_dict())
    for _ in range(2):
        assert rows_of(other) == rows_of(batches)
    assert other.state_dict() == batches.state_dict()


def test_a_state_of_other_data_is_refused():
    batches = fr.Batches(np.zeros((2, 45, 1)), np.arange(45), batch_size=8, seed=0)
    state = batches.state_dict()
    with pytest.raises(ValueError, match="rows: expected 45, as in the state, got 44"):
        fr.Batches(np.zeros((2, 44, 1)), np.arange(44), batch_size=8).load_state_dict(state)
    with pytest.raises(ValueError, match="batch_size: expected 8, .* got 9"):
        fr.Batches(np.zeros((2, 45, 1)), np.arange(45), batch_size=9).load_state_dict(state)
    with pytest.raises(ValueError, match="state: expected rows"):
        batches.load_state_dict({"epoch": 3})
    assert batches.state_dict() == state


@pytest.mark.parametrize(
    "error, message, x, y, options",
    [
        (TypeError, "y: expected targets, got None", np.zeros((2, 3, 1)), None, {}),
        (ValueError, "x: expected at least one row, got none", np.zeros((2, 0, 1)), np.zeros((2, 0, 1)), {}),
        (ValueError, "x: expected at least one row, got none", [], [], {}),
        (ValueError, r"x: expected an array of rows, got shape \(\)", np.float32(3), 3, {}),
        (ValueError, r"y: expected .* for the 3 rows of x \(2, 3, 1\), got \(5,\)", np.zeros((2, 3, 1)), [0] * 5, {}),
        (ValueError, "y: expected one for each of the 2 sequences of x, got 3", [[1], [2]], [1, 2, 3], {}),
        (ValueError, r"x\[1\]: expected steps of shape \(2,\), got \(\)", [np.ones((4, 2)), np.ones(4)], [1, 2], {}),
        (TypeError, r"x\[1\]: expected int64, as x\[0\], got float64", [np.array([1]), np.array([2.0])], [1, 2], {}),
        (ValueError, r"x\[0\]: expected a sequence, got a single int64", [1, 2], [1, 2], {}),
        (ValueError, "batch_size: expected at least 1, got 0", [[1]], [1], {"batch_size": 0}),
        (TypeError, "batch_size: expected an integer, got 2.5", [[1]], [1], {"batch_size": 2.5}),
        (TypeError, "shuffle: expected True or False", [[1]], [1], {"shuffle": 1}),
        (ValueError, "lengths: expected none for a list", [[1]], [1], {"lengths": [1]}),
        (ValueError, r"lengths: expected \(3,\), .* got \(2,\)", np.zeros((2, 3, 1)), [0] * 3, {"lengths": [1, 2]}),
        (ValueError, "lengths: expected 0..2 .* got 4 for row 1", np.zeros((2, 3, 1)), [0] * 3, {"lengths": [1, 4, 0]}),
        (TypeError, "lengths: expected integers, got float64", np.zeros((2, 3, 1)), [0] * 3, {"lengths": [1.0, 2, 0]}),
        (ValueError, "lengths: expected none for rows without time", np.zeros((3, 2)), [0] * 3, {"lengths": [1, 2, 0]}),
        (TypeError, "collate_fn: expected a function of two lists, got int", [[1]], [1], {"collate_fn": 3}),
        (ValueError, "collate_fn: expected none for an array x", np.zeros((3, 2)), [0] * 3, {"collate_fn": max}),
        (ValueError, "seed: expected an integer of at least 0 or None, got -1", [[1]], [1], {"seed": -1}),
    ],
)  # fmt: skip
def test_bad_input(error, message, x, y, options):
    with pytest.raises(error, match=message):
        fr.Batches(x, y, **options)


@pytest.mark.parametrize("as_list", [False, True])
def test_a_part_of_the_last_rows(as_list):
    x, y, lengths = np.arange(20.0).reshape(2, 10, 1), np.arange(10), np.arange(10) % 3
    rows = [x[: lengths[n], n] for n in range(10)]
    batches = fr.Batches(rows, y, batch_size=4, seed=0) if as_list else fr.Batches(x, y, lengths=lengths, batch_size=4)
    first, last = batches.split(0.3)
    assert sorted(np.concatenate([batch.y for batch in first])) == list(range(7)) and len(first) == 2
    ((x_last, y_last, lengths_last),) = last
    assert y_last.tolist() == last.rows.tolist() == [7, 8, 9] and lengths_last.tolist() == [1, 2, 0]
    assert x_last[0, 1] == 8 and last.row(8).y.tolist() == [8]
    assert first.steps + last.steps == batches.steps == lengths.sum() and not last.shuffle
    state = first.state_dict()
    assert state["rows"] == 7
    next(iter(batches))  # in the middle of an epoch, too, the parts have all rows
    assert [sum(len(batch.y) for batch in part) for part in batches.split(0.3)] == [7, 3]
    for fraction, message in (
        (0.01, "one row in both parts, got 10 and 0"),
        (0.99, "got 0 and 10"),
        (1.0, r"in \(0, 1\)"),
    ):
        with pytest.raises(ValueError, match=message):
            batches.split(fraction)


def test_batches_show_what_they_have_and_where_they_are():
    arrays = fr.Batches(np.zeros((5, 23, 2), np.float32), np.arange(23), batch_size=10, per_step=False)
    assert repr(arrays) == (
        "Batches(23 rows of 5 steps, batch_size=10, batch_first=False, shuffle=True, epoch=0, position=0 of 3)"
    )
    next(iter(arrays))
    assert repr(arrays).endswith("epoch=0, position=1 of 3)")
    lists = fr.Batches([np.zeros((n, 2)) for n in (3, 9, 4)], np.arange(3), batch_first=True, shuffle=False)
    assert repr(lists) == (
        "Batches(3 rows of 3..9 steps, batch_size=32, batch_first=True, shuffle=False, epoch=0, position=0 of 1)"
    )
    rows = fr.Batches(np.zeros((7, 2)), np.arange(7), batch_size=7)
    assert repr(rows) == "Batches(7 rows, batch_size=7, shuffle=True, epoch=0, position=0 of 1)"
    collated = fr.Batches([["a"], ["b", "c"]], [1, 2], collate_fn=lambda x, y: (x, y))
    assert repr(collated).startswith("Batches(2 rows, batch_size=32, shuffle")
    named = fr.Batches({"source": np.zeros((5, 4), int), "target": np.zeros((3, 4), int)}, np.zeros((3, 4), int))
    assert repr(named).startswith("Batches(4 rows")
