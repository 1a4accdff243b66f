# SPDX-License-Identifier: BSD-3-Clause
"""The fuzzer of recurrent layers draws all that they can be, and finds a wrong bit wherever it is."""

import numpy as np
import pytest
from fuzz import layers, problems
from fuzz.layers import Layers
from fuzz.runner import run
from support.child import linux_only, needs_openmp
from support.recurrent import RECURRENT_CELLS, make_layer

import fastrnn as fr
from fastrnn import _core
from fastrnn._engine import recomputation
from fastrnn.nn._recurrent import recurrent, stack
from fastrnn.nn._recurrent.stream import Stream


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """Drawing chooses an engine and the sizes of blocks."""
    isa = _core.get_isa()
    for module, names in ((recomputation, ("BLOCK_ROWS", "BLOCK_STEPS")), (stack, ("BLOCK_ELEMENTS", "BLOCK_STEPS"))):
        for name in names:
            monkeypatch.setattr(module, name, getattr(module, name))
    yield
    _core.set_isa(isa)


@pytest.fixture(scope="module")
def drawn():
    return [problems.draw(np.random.default_rng([0, k])) for k in range(400)]


def test_every_option_has_values_beside_its_default(drawn):
    """batch_first is that of a relation; what is drawn covers all cells, engines and sizes."""
    for kind in fr.RNN, fr.LSTM, fr.GRU:
        configs = [problem.layer.config() for problem in drawn if type(problem.layer) is kind]
        for name in set().union(*configs) - {"batch_first"}:
            assert len({str(config.get(name)) for config in configs}) > 1, (kind, name)
        options = set(kind._options) - {"batch_first", "seed"}
        assert options - set().union(*configs) == set()
    assert {problem.cell for problem in drawn} == set(RECURRENT_CELLS)
    for axis in range(2):
        assert {0, 1, 2} <= {problem.x.shape[axis] for problem in drawn}
    for part in "lengths", "state", "dstate":
        assert 50 < sum(getattr(problem, part) is None for problem in drawn) < 350


def test_many_problems_are_compared_with_the_reference(drawn, monkeypatch):
    """A quarter at least; the others are empty, saturated, or amplify rounding errors."""
    compared = []
    monkeypatch.setattr(layers, "assert_close", lambda *_, what, **__: compared.append(what))
    for problem in drawn[:100]:
        layers.compare_with_reference(problem)
    assert sum(what.startswith("y,") for what in compared) > 25
    assert sum(what.startswith("dx,") for what in compared) > 15


def plain_problem(rng):
    """One to which every relation applies."""
    layer = make_layer("lstm", 3, 5, 2, seed=0)
    return problems.Problem("lstm", layer, *problems.draw_batch(rng, layer, 7, 4))


class Counted:
    """Counts the results that a layer or a stream gives, and changes one bit of number `wrong`."""

    def __init__(self, monkeypatch):
        self.count, self.wrong = 0, None
        for kind, name in (
            (recurrent.RecurrentBase, "__call__"), (recurrent.RecurrentBase, "forward"), (Stream, "step"),
            (Stream, "steps"),
        ):  # fmt: skip
            monkeypatch.setattr(kind, name, self.around(getattr(kind, name)))

    def around(self, call):
        def counted(*args, **options):
            result = call(*args, **options)
            self.count += 1
            if self.count != self.wrong:
                return result
            y, *others = result if isinstance(result, tuple) else (result,)
            data = (y.data if isinstance(y, fr.PackedSequence) else y).copy()
            data.view(np.uint32).flat[np.flatnonzero(data)[0]] ^= 1
            y = y._replace(data=data) if isinstance(y, fr.PackedSequence) else data
            return (y, *others) if others else y

        return counted


@pytest.mark.parametrize("relation", layers.RELATIONS, ids=lambda relation: relation.__name__)
def test_each_relation_sees_one_wrong_bit(relation, monkeypatch):
    problem = plain_problem(np.random.default_rng(0))
    expected = problems.train(problem)
    for seed in range(20):  # some draw a part without results
        counted = Counted(monkeypatch)
        relation(problem, np.random.default_rng(seed), expected)
        assert counted.count
        counted.wrong, counted.count = counted.count, 0
        try:
            relation(problem, np.random.default_rng(seed), expected)
        except (AssertionError, IndexError):
            return
    pytest.fail("a wrong bit of the last result is not seen")


def flipped(array):
    """The largest number becomes the next one."""
    at = np.unravel_index(np.abs(array).argmax(), array.shape)
    array[at] = np.nextafter(array[at], np.inf)


def on_two_threads(monkeypatch):
    """Backward has a wrong bit on more than one thread."""
    original = recurrent.backward

    def backward(stack, trained, dy, dx, *others):
        original(stack, trained, dy, dx, *others)
        if dx.size and fr.get_num_threads() > 1:
            flipped(dx)

    monkeypatch.setattr(recurrent, "backward", backward)


def of_one_row(monkeypatch):
    """Inference of one row has a wrong bit."""
    original = stack.Stack.infer

    def infer(self, x, y, state, final, rows):
        original(self, x, y, state, final, rows)
        if x.shape[1] == 1 and y.size and rows.lengths is None:
            flipped(final[0])

    monkeypatch.setattr(stack.Stack, "infer", infer)


def of_stale_weights(monkeypatch):
    """Packed weights are never packed again."""
    original, packs = stack.Stack.entries, {}

    def entries(self, states, own=None):
        if own is None:
            own = [(packs.setdefault(one, one.pack()), self.update) for one in self.weights]
        return original(self, states, own)

    monkeypatch.setattr(stack.Stack, "entries", entries)


def of_the_mathematics(monkeypatch):
    """A gradient is a ten thousandth too large, always."""
    original = recurrent.backward

    def backward(stack, trained, dy, dx, *others):
        original(stack, trained, dy, dx, *others)
        dx[...] *= 1.0001

    monkeypatch.setattr(recurrent, "backward", backward)


FAULTS = {
    on_two_threads: "numbers of dx differ",
    of_one_row: "numbers of h differ",
    of_stale_weights: "with changed weights: ",
    of_the_mathematics: "dx, compared with the reference: ",
}


@linux_only
@pytest.mark.parametrize(
    "inject",
    [pytest.param(one, marks=needs_openmp) if one is on_two_threads else one for one in FAULTS],
    ids=lambda inject: inject.__name__,
)
def test_a_fault_is_found_and_found_again(inject, monkeypatch, tmp_path):
    """With the layer and the batch of the case; without the fault there is none."""
    with monkeypatch.context() as patched:
        inject(patched)
        (fault, *_) = run(Layers, tmp_path, 3, cases=300, most_faults=1).faults
        assert FAULTS[inject] in fault.what
        assert "hidden_size=" in fault.what and "'x': [(" in fault.what
        (again,) = run(Layers, tmp_path, 3, first=fault.case, cases=1).faults
        assert again == fault
    assert run(Layers, tmp_path, 3, first=fault.case, cases=1).faults == []
