# SPDX-License-Identifier: BSD-3-Clause
"""The layers of a Sequential by number and by name, and the state_dict of a PyTorch module."""

import copy
import pickle

import numpy as np
import pytest
from support.layers import refused

import fastrnn as fr


def named():
    return fr.Sequential(
        embed=fr.Embedding(9, 4, seed=0), lstm=fr.LSTM(4, 5, num_layers=2, seed=1), out=fr.Linear(5, 3, seed=2)
    )


def test_layers_by_number_and_name():
    model, layers = named(), named().layers
    assert len(model) == 3 and [*model] == [*model.layers] and model.names == ("embed", "lstm", "out")
    assert model[1] is model["lstm"] is model[-2] is model.layers[1] and model.children()["out"] is model[2]
    assert model[:2].names == ("embed", "lstm") and model[:2]["lstm"] is model["lstm"]
    unnamed = fr.Sequential(*layers)
    assert unnamed["1"] is unnamed[1] and unnamed[1:].layers == layers[1:] and unnamed.names is None
    with pytest.raises(KeyError, match="no layer 'gru'; the names are embed, lstm, out"):
        model["gru"]
    with pytest.raises(IndexError):
        model[3]
    with refused(ValueError, "layers: expected at least one layer, got none"):
        model[3:]


def test_names_are_those_of_the_parameters_and_stay_in_copies():
    model, tokens = named(), np.array([[1, 2], [3, 4]])
    assert {name.split(".")[0] for name in model.params} == {"embed", "lstm", "out"}
    assert repr(model).startswith("Sequential(embed=Embedding(") and model.config()["names"] == ["embed", "lstm", "out"]
    for other in copy.deepcopy(model), pickle.loads(pickle.dumps(model)), model.inference_copy():
        assert other.names == model.names and (other(tokens)[0] == model(tokens)[0]).all()
        assert other["lstm"] is not model["lstm"]
    y, _, tape = model.forward(tokens)
    assert [name for name, _, _ in model.child_tapes(tape)] == ["embed", "lstm", "out"]
    with pytest.raises(ValueError, match="tokens: expected integers in 0..8") as caught:
        model(np.array([[9]]))
    assert "in layer embed of Sequential" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("error", "message", "make"),
    [
        (TypeError, "expected all with a name or all without, got 1 without and ['b']",
            lambda: fr.Sequential(fr.GRU(3, 4), b=fr.Linear(4, 2))),
        (TypeError, "layers: expected layers, got int as b", lambda: fr.Sequential(a=fr.GRU(3, 4), b=3)),
        (ValueError, "names: expected different names without a dot, got 'a.b'",
            lambda: fr.Sequential(**{"a.b": fr.GRU(3, 4)})),
        (ValueError, "layers[1]: expected 4 features in", lambda: fr.Sequential(a=fr.GRU(3, 4), b=fr.Linear(5, 2))),
    ],
)  # fmt: skip
def test_names_that_are_refused(error, message, make):
    with refused(error, message):
        make()


def test_the_state_dict_of_a_pytorch_module_loads_as_it_is():
    torch = pytest.importorskip("torch")

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = torch.nn.Embedding(9, 4)
            self.lstm = torch.nn.LSTM(4, 5, num_layers=2)
            self.out = torch.nn.Linear(5, 3)

    module, model = Module(), named()
    model.load_state_dict(module.state_dict())
    tokens = np.array([[1, 2], [3, 4], [5, 8]])
    with torch.no_grad():
        expected = module.out(module.lstm(module.embed(torch.tensor(tokens)))[0]).numpy()
    np.testing.assert_allclose(model(tokens)[0], expected, rtol=1e-4, atol=1e-6)
    unnamed = fr.Sequential(*named().layers)
    unnamed.load_state_dict(module.state_dict(), rename={"embed": "0", "lstm": "1", "out": "2"})
    assert (unnamed(tokens)[0] == model(tokens)[0]).all()
    before = unnamed.state_dict()
    with refused(ValueError, "state_dict: expected the names of Sequential.state_dict(), got missing 2.weight"):
        unnamed.load_state_dict(module.state_dict(), rename={"embed": "0", "lstm": "1"})
    assert all((before[name] == p).all() for name, p in unnamed.params.items())


def test_inspection_uses_the_names(rng):
    from fastrnn.inspect import gradient_flow, influence, trace

    model, tokens = named(), rng.integers(0, 9, (6, 2))
    assert trace(model, tokens)["lstm.h"].shape == (2, 6, 2, 5)
    assert [flow.name for flow in gradient_flow(model, tokens)] == ["lstm.l0", "lstm.l1"]
    unnamed = fr.Sequential(*named().layers)
    np.testing.assert_array_equal(influence(model, tokens, output=1), influence(unnamed, tokens, output=1))
