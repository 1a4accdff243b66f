# SPDX-License-Identifier: BSD-3-Clause
"""A reader that raises something else, believes damage, or takes too much memory or time is found out."""

import json
import time

import numpy as np
import pytest
from fuzz import files, mutations
from fuzz.files import Files
from fuzz.runner import run
from support.child import linux_only, not_sanitized

import fastrnn as fr

REFUSED = ValueError("no")


def refuses(*args, **options):
    raise REFUSED


def raises(error):
    def read(*args, **options):
        raise error

    return read


def test_an_accident_changes_the_bytes(rng):
    content = rng.bytes(1000)
    names = set()
    for _ in range(200):
        changed, name = mutations.accident(rng, content)
        assert changed != content
        names.add(name)
    assert names == {how.__name__ for how in mutations.ACCIDENTS}


def test_a_replacement_changes_one_part_of_a_copy(rng):
    tree = {"a": [1, 2.5, {"b": "text"}], "c": None}
    before = json.dumps(tree)
    others = {mutations.text_of(mutations.replaced(rng, tree)[0]) for _ in range(300)}
    assert json.dumps(tree) == before and len(others) > 50
    assert any("[" * 1000 in other for other in others)


def test_text_of_deep_values_is_json():
    assert mutations.text_of({"a": "deep:3", "b": '"'}) == '{"a": [[[]]], "b": "\\""}'
    inner = mutations.text_of({"a": "deep:2"})
    assert json.loads(json.loads(mutations.text_of({"text": inner}))["text"]) == {"a": [[]]}


def test_trees_are_compared_with_their_types():
    tree = {"a": [1, np.ones(2)]}
    assert files.same_tree(tree, {"a": [1, np.ones(2)]})
    for other in ({"a": [1.0, np.ones(2)]}, {"a": [1, np.ones(2, np.float32)]}, {"a": [1]}, {"b": 1}, []):
        assert not files.same_tree(tree, other)


def other_model(*args, **options):
    return fr.Linear(2, 2, seed=0)


def loads_in_part(path, model, *others, **options):
    """Refuses, but has already written."""
    model.params["0.weight_ih_l0"] += 1
    raise REFUSED


READERS = {
    "KeyError of load": ("load", raises(KeyError("key")), "KeyError: 'key'"),
    "KeyError of load_notes": ("load_notes", raises(KeyError("key")), "KeyError: 'key'"),
    "another model": ("load", other_model, "a damaged model was read as another"),
    "AttributeError of load_checkpoint": ("load_checkpoint", raises(AttributeError("x")), "AttributeError: x"),
    "half a checkpoint": ("load_checkpoint", loads_in_part, "Arrays are not equal"),
    "RecursionError of fit": ("fit", raises(RecursionError("deep")), "RecursionError: deep"),
    "too slow": ("load", lambda path: time.sleep(60), "not finished after 1 s"),
    "too large": ("load", lambda path: np.ones(1 << 28), "Unable to allocate 2.00 GiB"),
}


@linux_only
@not_sanitized
@pytest.mark.parametrize("name", READERS)
def test_a_reader_with_a_fault_is_found(name, monkeypatch, tmp_path, capfd):
    reader, wrong, text = READERS[name]

    class Broken(Files):
        def __init__(self, folder):
            super().__init__(folder)
            monkeypatch.setattr(fr, reader, wrong)  # in the process of the attack

    (fault, *_) = run(Broken, tmp_path, 2, cases=60, most_faults=1, limit=1).faults
    assert text in fault.what
    assert run(Files, tmp_path, 2, first=fault.case, cases=1).faults == []
