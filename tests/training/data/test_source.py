# SPDX-License-Identifier: BSD-3-Clause
"""Epochs of any data source, and the way back to a position in one."""

import itertools

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.training._data.draw import Draw
from fastrnn.training._data.reading import Reading
from fastrnn.training._data.source import EpochReader, as_source


class Again:
    """An iterable that can be iterated over again, without a state."""

    def __init__(self, count):
        self.count = count

    def __iter__(self):
        return iter([(k, -k) for k in range(self.count)])


class Items:
    """What PyTorch calls a map-style dataset, without a way to iterate."""

    def __getitem__(self, n):
        return n, n


def numbers(batches):
    return [batch.x for batch in batches]


def test_an_epoch_ends_when_the_source_does():
    reader = EpochReader(Again(3))
    assert [numbers(reader.epoch()) for _ in range(2)] == [[0, 1, 2]] * 2


class Doubled(fr.Batches):
    """Batches of other values than their rows have."""

    def __iter__(self):
        return (batch._replace(x=2 * batch.x) for batch in super().__iter__())


def test_rows_of_batches_are_drawn_before_they_are_read():
    """Not those of a class that changes its batches, nor of any other iterable."""
    x, y = np.arange(6.0).reshape(1, 6, 1), np.arange(6)
    batches = fr.Batches(x, y, batch_size=4, per_step=False, seed=0)
    reader = EpochReader(batches)
    draw = next(draws := reader.draws())
    assert isinstance(draw, Draw) and list(draw.rows) == list(batches.rows) and batches.position == 1
    assert list(draw.batch().y) == list(draw.rows) and list(draw.part(np.array([2])).y) == [draw.rows[2]]
    assert len([*draws]) == 1 and batches.epoch == 1
    (first, last) = EpochReader(Doubled(x, y, batch_size=4, per_step=False, shuffle=False)).draws()
    assert list(first.x.ravel()) == [0, 2, 4, 6] and list(last.x.ravel()) == [8, 10]
    assert numbers(EpochReader(Again(2)).draws()) == [0, 1]


def test_an_epoch_ends_after_so_many_batches():
    reader = EpochReader(Again(3), steps_per_epoch=2)
    assert [numbers(reader.epoch()) for _ in range(4)] == [[0, 1], [2, 0], [1, 2], [0, 1]]
    reader = EpochReader(zip(itertools.count(), itertools.count()), steps_per_epoch=3)
    assert [numbers(reader.epoch()) for _ in range(2)] == [[0, 1, 2], [3, 4, 5]]


def test_an_iterator_that_has_ended_gives_nothing_more():
    """It is known as soon as an epoch is not whole."""
    for steps, epochs, known in (None, [[0, 1, 2], [], []], 1), (2, [[0, 1], [2], []], 1), (3, [[0, 1, 2], [], []], 1):
        reader = EpochReader(iter(Again(3)), steps)
        for k, expected in enumerate(epochs):
            assert numbers(reader.epoch()) == expected and reader.exhausted == (k >= known)
    assert numbers(EpochReader(Again(0), 2).epoch()) == []


def test_a_function_makes_the_batches_of_each_epoch():
    calls = []

    def make():
        calls.append(None)
        return iter(Again(3))

    for steps, epochs in (None, [[0, 1, 2]] * 3), (2, [[0, 1], [2, 0], [1, 2]]):
        reader = EpochReader(as_source(make, None, Reading()), steps)
        assert [numbers(reader.epoch()) for _ in range(3)] == epochs and not reader.exhausted
    assert len(calls) == 3 + 2
    with pytest.raises(TypeError, match="x: expected a function that returns batches, got one that returns int"):
        list(EpochReader(as_source(lambda: 3, None, Reading())).epoch())


SOURCES = {
    "function": lambda: as_source(lambda: iter(Again(7)), None, Reading()),
    "again": lambda: Again(7),
    "iterator": lambda: iter(Again(100)),
    "batches": lambda: fr.Batches(np.arange(7.0), np.arange(7), batch_size=1, seed=0),
}


@pytest.mark.parametrize("steps", [None, 3])
@pytest.mark.parametrize("taken", [0, 1, 3, 5, 7, 8, 15])
@pytest.mark.parametrize("kind", SOURCES)
def test_an_epoch_resumes_at_any_batch(kind, taken, steps):
    """At any batch of any epoch: what comes then is what came there."""
    reader = EpochReader(SOURCES[kind](), steps)
    everything = itertools.chain.from_iterable(reader.epoch() for _ in range(10))
    list(itertools.islice(everything, taken))
    state = reader.state_dict()
    expected = numbers(itertools.islice(everything, 6))
    other = EpochReader(SOURCES[kind](), steps)
    other.load_state_dict(state)
    assert numbers(itertools.islice((b for _ in range(10) for b in other.epoch()), 6)) == expected
    assert len(expected) == 6


def test_a_source_with_fewer_batches_is_refused():
    state = {"taken": 5, "drawn": 5}
    with pytest.raises(ValueError, match="x: expected at least 5 batches, as before, got 3"):
        EpochReader(Again(3)).load_state_dict(state)
    with pytest.raises(ValueError, match="x: expected the data source of the state, got Batches"):
        EpochReader(SOURCES["batches"]()).load_state_dict(state)


def test_data_and_iterables_of_batches():
    assert type(as_source([[1], [2]], [1, 2], Reading())) is fr.Batches
    assert type(as_source(np.ones(3), np.ones(3), Reading(True))) is fr.Batches
    source = Again(3)
    assert as_source(source, None, Reading()) is source
    with pytest.raises(ValueError, match="y: expected none, since Again gives batches of x, y and lengths"):
        as_source(source, [1, 2, 3], Reading())
    batches = fr.Batches([[1], [2]], [1, 2])
    with pytest.raises(ValueError, match="x: expected Batches with batch_first=True, as the model, got False"):
        as_source(batches, None, Reading(True))
    rows = fr.Batches(np.ones(3), np.ones(3))  # without time, it makes no difference
    assert as_source(rows, None, Reading(True)) is as_source(rows, None, Reading()) is rows
    listed = [(np.ones((2, 1, 3)), [1]), (np.ones((4, 1, 3)), [0])]
    assert as_source(listed, None, Reading()) is listed
    for sequences in [], [np.ones((2, 3))], [[[1.0], [2.0]]]:
        with pytest.raises(TypeError, match="y: expected targets, got None"):
            as_source(sequences, None, Reading())
    with pytest.raises(TypeError, match="got Items, which has __getitem__ alone; give a function that yields batches"):
        as_source(Items(), None, Reading())
    for wrong in [(1,)], [3], ["ab"], [(1, 2, 3, 4)]:
        with pytest.raises(TypeError, match=r"x: expected batches \(x, y\) or \(x, y, lengths\)"):
            list(EpochReader(iter(wrong)).epoch())


def test_steps_of_an_epoch():
    assert EpochReader(SOURCES["batches"]()).steps == 7
    assert EpochReader(SOURCES["batches"](), 3).steps is None and EpochReader(Again(3)).steps is None
