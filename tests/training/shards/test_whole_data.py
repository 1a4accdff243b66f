# SPDX-License-Identifier: BSD-3-Clause
"""Data in memory of which one bit differs between ranks: an error of each of them before the first step."""

import numpy as np
import pytest
from support import ranks
from support.ranks import in_threads

import fastrnn as fr
from fastrnn.training._data.weights import with_sample_weight
from fastrnn.training._shards import whole_data
from fastrnn.training._shards.same_data import SAMPLE
from fastrnn.training._shards.whole_data import Checksums, Part, checksums_of, difference, is_in_memory

X, Y = ranks.tagged(200)
SEQUENCES, MEANS = ranks.rows(200, longest=3)
WEIGHTS = np.ones(200)
LABELS = [[1, 2], [3], []] * 66 + [[1], [2]]


def flipped(array, *place):
    """A copy with another lowest bit in one element."""
    array = np.array(array)
    array[(*place, ...)].reshape(1).view(np.uint8)[0] ^= 1
    return array


def flipped_row(rows, n):
    """A list with another lowest bit in one row."""
    return [flipped(row, *[0] * row.ndim) if k == n else row for k, row in enumerate(rows)]


def tag(communicator, x=X, y=Y, **options):
    return ranks.train(communicator, ranks.tagger(), fr.cross_entropy, x, y, epochs=1, **options)


def regress(communicator, x=SEQUENCES, y=MEANS, **options):
    return ranks.train(communicator, ranks.model(), fr.mse_loss, x, y, epochs=1, **options)


class Named:
    """A model of inputs by name, which learns nothing."""

    def __init__(self):
        self.params, self.grads = {"p": np.zeros(1)}, {"p": np.zeros(1)}

    def zero_grad(self): ...
    def backward(self, tape, dy): ...
    def __call__(self, a, b):
        return np.zeros(len(a))

    def forward(self, a, b):
        return self(a, b), None


def columns(communicator, a=X[0, :, 0], b=LABELS):
    x = {"a": a, "b": [np.array(row, np.int64) for row in b]}
    return ranks.train(communicator, Named(), fr.mse_loss, x, np.zeros(200), epochs=1)


SAMPLED = np.linspace(0, 199, SAMPLE).round()
ROW = next(n for n in range(100, 200) if len(SEQUENCES[n]) and n not in SAMPLED)
OTHERS = {  # what a rank trains, with other data, and where these are
    "x": (tag, {"x": flipped(X, 4, 75, 1)}, "x: rows 72 to 79"),
    "y": (tag, {"y": flipped(Y, 0, 197)}, "y: rows 192 to 199"),
    "rows first": (regress, {"y": flipped(MEANS, 75, 0)}, "y: row 75"),
    "list": (regress, {"x": flipped_row(SEQUENCES, ROW)}, f"x: row {ROW}"),
    "weight": (tag, {"sample_weight": flipped(WEIGHTS, 75)}, "weights: row 75"),
    "validation x": (tag, {"validation": (flipped(X, 4, 75, 1), Y)}, "validation: x: rows 72 to 79"),
    "validation y": (tag, {"validation": (X, flipped(Y, 1, 75))}, "validation: y: rows 72 to 79"),
    "column": (columns, {"a": flipped(X[0, :, 0], 75)}, "x['a']: row 75"),
    "column of lists": (columns, {"b": [*LABELS[:198], [4], [2]]}, "x['b']: row 198"),
}
SAME = {"weight": {"sample_weight": WEIGHTS}, "validation x": {"validation": (X, Y)}}
SAME["validation y"] = SAME["validation x"]


@pytest.mark.parametrize("name", OTHERS)
def test_one_bit_is_an_error_of_every_rank(name):
    """None of these rows is among those that samples have."""
    assert not np.isin([ROW, 75, 197, 198], SAMPLED).any()
    train, other, where = OTHERS[name]
    part, _, rows = where.rpartition(": ")
    text = f"{part}: expected the bits that rank 0 has, got others in {rows} on rank 1"
    results = in_threads(2, lambda c: train(c, **(other if c.rank else SAME.get(name, {}))))
    assert all(isinstance(result, ValueError) and str(result) == text for result in results), results
    assert not any(getattr(result, "__notes__", None) for result in results), "a step was begun"


def test_one_bit_when_a_training_goes_on(tmp_path):
    path = str(tmp_path / "run")
    regress(None, checkpoint=path)

    def train(communicator):
        other = flipped(MEANS, 75, 1) if communicator.rank == 3 else MEANS
        return regress(communicator, y=other, checkpoint=path, resume=True)

    for result in in_threads(4, train):
        assert isinstance(result, ValueError) and "in row 75 on rank 3" in str(result)


@pytest.mark.parametrize("other", [-0.0, np.array(0x7FC00001, np.uint32).view(np.float32)])
def test_numbers_that_compare_in_odd_ways_are_bits(other):
    """0 and -0, one nan and another."""
    values = np.zeros((3, 2), np.float32)
    if np.isnan(other):
        values[1] = np.nan
    found = Part(values), Part(flipped_to(values, other))
    first, second = (whole_data._checksums(part, 0) for part in found)
    assert second.rows_other_than(first) == "row 1"


def flipped_to(values, other):
    values = values.copy()
    values[1, 1] = other
    return values


def test_what_lies_beyond_the_length_of_a_row_may_differ():
    """Time first and rows first; a bit of a step that counts may not."""
    lengths = np.arange(200) % 6
    beyond = np.arange(5)[:, None] >= lengths
    x, y = X.copy(), Y.copy()
    x[beyond], y[beyond] = 7, 2
    first, second = in_threads(2, lambda c: tag(c, *((x, y) if c.rank else (X, Y)), lengths=lengths))
    assert first == second and not isinstance(first, Exception)
    for axis in 0, 1:
        sums = [whole_data._checksums(Part(a if axis else a.swapaxes(0, 1).copy(), axis, lengths), 0) for a in (X, x)]
        assert sums[0] == sums[1]
        other = flipped(X, 4, 5, 0) if axis else flipped(X, 4, 5, 0).swapaxes(0, 1).copy()
        assert whole_data._checksums(Part(other, axis, lengths), 0) != sums[0]


def test_how_an_array_lies_in_memory_does_not_count(monkeypatch):
    """Also where it is read in small pieces. No copy is larger than a piece."""
    array = np.arange(4 * 6 * 50, dtype=np.int64).reshape(4, 6, 50)
    layouts = [array, np.asfortranarray(array), np.ascontiguousarray(array.swapaxes(0, 2)).swapaxes(0, 2)]
    expected = {(axis, whole_data._checksums(Part(array, axis), 0)) for axis in (0, 1)}
    monkeypatch.setattr(whole_data, "PIECE", 64)
    for layout in layouts:
        assert {(axis, whole_data._checksums(Part(layout, axis), 0)) for axis in (0, 1)} == expected
        pieces = [*whole_data._pieces(layout)]
        assert all(piece.flags.c_contiguous or piece.nbytes <= 64 for piece in pieces)
        assert b"".join(piece.tobytes() for piece in pieces) == array.tobytes()


def test_blocks_of_rows(monkeypatch):
    """So many that they can be sent, and the rows of those that differ in words."""
    monkeypatch.setattr(whole_data, "BLOCKS", 10)
    values = np.zeros((95, 2))
    first = whole_data._checksums(Part(values), 100)
    assert (first.start, first.rows, first.block, len(first.sums)) == (100, 95, 10, 10)
    for rows, text in {
        (94,): "rows 190 to 194", (0, 10, 29): "rows 100 to 129", (0, 20): "rows 100 to 109, 120 to 129",
        (0, 20, 40, 60): "rows 100 to 109, 120 to 129, 140 to 149, ...",
    }.items():  # fmt: skip
        other = values.copy()
        other[list(rows), 1] = 1
        assert whole_data._checksums(Part(other), 100).rows_other_than(first) == text
    assert whole_data._checksums(Part([*range(95)]), 0).block == 10


def test_memory_maps_are_not_read_whole(tmp_path, monkeypatch):
    """Nor views of them, in a list or by another name; a copy of one is in memory."""
    file = np.memmap(tmp_path / "file", np.float32, "w+", shape=(20, 3, 2))
    view = np.asarray(file)[2:18, :, None]
    for array in file, file[3:], view, view.swapaxes(0, 1)[1:], np.frombuffer(memoryview(file[:2]).cast("B")):
        assert not is_in_memory(array) and whole_data._checksums(Part(array), 0) is None
    assert is_in_memory(file.copy()) and is_in_memory(file + 1) and is_in_memory(X[1:])
    assert checksums_of("", fr.Batches([*file], np.zeros(20)))["x"] is None
    assert checksums_of("", fr.Batches([*file], np.zeros(20)))["y"] is not None
    monkeypatch.setattr(whole_data, "_added", None)
    assert checksums_of("validation: ", fr.Batches(file, np.asarray(file)[2:5, 0, 0], per_step=False)) == {
        "validation: x": None, "validation: y": None,
    }  # fmt: skip


def test_a_rank_with_a_memory_map_and_others_with_the_array():
    """Those that have it in memory are compared."""
    a, b = Checksums(0, 2, 1, (1, 2)), Checksums(0, 2, 1, (1, 3))
    assert difference([{"x": None}, {"x": a}, {"x": a}]) is None and difference([{"x": a}, {"x": None}]) is None
    text = difference([{"x": None}, {"x": a}, {"x": b}])
    assert text == "x: expected the bits that rank 1 has, got others in row 1 on rank 2"


def test_what_is_in_a_list():
    """Lengths and shapes count, and numbers in nested lists; what a function of the caller has to read does not."""

    class Lazy:
        def __array__(self, dtype=None, copy=None):
            raise AssertionError("it was read")

    rows = [np.array([1, 2]), np.array([3])]
    lists = [rows, [np.array([1]), np.array([2, 3])], [row.astype(np.int32) for row in rows], [[1, 2], [3]]]
    lists += [[np.array([[1, 2]]), np.array([3])], [[1, 2], [3.0]], [{"a": 1}, (2, [3])], [{"a": 1}, (2, [4])]]
    sums = [whole_data._of_entries(entries, True) for entries in lists]
    assert len(set(sums)) == len(sums) and None not in sums
    assert whole_data._of_entries([(Lazy(), "a name", None, 1)], True) == whole_data._of_entries([(1,)], True)
    with pytest.raises(AssertionError, match="it was read"):
        whole_data._of_entries([Lazy()], False)


def test_parts_by_name():
    batches = fr.Batches(SEQUENCES, MEANS)
    batches._rows = with_sample_weight(batches._rows, WEIGHTS)
    assert [*checksums_of("", batches)] == ["x", "y", "weights"]
    assert checksums_of("", [fr.Batch(X, Y)]) == checksums_of("validation: ", None) == {}
    _, last = fr.Batches(X, Y, per_step=True).split(0.25)
    assert {sums.start for sums in checksums_of("", last).values()} == {150}
    names = np.array(["a", None], object)
    assert whole_data._checksums(Part(names), 0) is None
