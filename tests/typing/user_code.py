# SPDX-License-Identifier: BSD-3-Clause
"""Code as users write it. `make lint` checks it with pyright and mypy, and `test_user_code.py` runs it.

A line with an ignore comment has to be an error: both checkers report an ignore comment that is not needed.
"""

from pathlib import Path
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import fastrnn as fr
from fastrnn.sklearn import ESNRegressor, RNNClassifier, RNNForecaster

Array = NDArray[Any]
x = np.zeros((5, 2, 3), np.float32)


def layers() -> None:
    """The state has the form of the layer."""
    lstm = fr.LSTM(3, 4, num_layers=2, bidirectional=True, dropout=0.5, zoneout=(0.1, 0.2), dtype=np.float32, seed=0)
    y, (h, c) = lstm(x, lengths=[5, 3])
    y, (h, c), tape = lstm.forward(x, (h, c))
    dx, (dh, dc) = lstm.backward(tape, np.ones_like(y))
    assert_type(lstm.hidden_size, int)
    assert_type(h, Array)
    assert_type(lstm.state_dict(), dict[str, Array])
    fr.init.orthogonal(fr.init.forget_bias(lstm, 1.0), seed=0)

    gru = fr.GRU(3, 4, batch_first=True, reset_after=False, dtype="float64")
    y, h = gru(np.zeros((2, 5, 3)))
    y, h, tape = gru.forward(np.zeros((2, 5, 3)), h)
    stream = gru.stream(batch=2)
    step: Array = stream.step(np.zeros((2, 3)))
    whole: Array = (
        fr.Sequential(gru, fr.Linear(4, 2, dtype="float64")).stream(batch=2).steps(np.zeros((5, 2, 3)), out=None)
    )
    rnn = fr.RNN(3, 4, nonlinearity="relu", leak=0.5)
    unbatched, h = rnn(np.ones((1, 3), np.float32))

    linear = fr.Linear(4, 2, bias=False)
    logits: Array = linear(unbatched)
    logits, tape = linear.forward(unbatched)
    pooled: Array = fr.LastStep(bidirectional=True)(np.zeros((5, 2, 8), np.float32), lengths=[5, 2])
    embedded: Array = fr.Embedding(10, 3, padding_idx=0)(np.array([[3, 1]]))

    residual = fr.Residual(fr.GRU(3, 3))
    y, h = residual(x, lengths=[5, 2])
    shortcut: Array = fr.Residual(fr.Linear(3, 3))(x)
    context, weights = fr.Attention(3, 4)(x, np.zeros((7, 2, 4), np.float32), lengths=[7, 3])
    series = np.sin(np.arange(101, dtype=np.float32))[:, None]
    esn = fr.EchoState(1, 50, washout=10).fit(series[:-1], series[1:])
    future, state = esn.generate(series[:20], 5)
    assert_type(future, Array)
    print(dx, dh, dc, step, whole, logits, pooled, embedded, shortcut, context, weights, state, tape)


def training(path: Path) -> None:
    """A model, an optimizer, epochs and a file."""
    model = fr.Sequential(fr.GRU(3, 8), fr.LastStep(), fr.Linear(8, 2))
    y, state = model(x)
    assert_type(model.layers[0].config(), dict[str, Any])
    adam = fr.Adam(model, lr=1e-3, groups={"*bias*": {"lr": 1e-2}})
    adam.lr = 0.1
    loss, dy = fr.mse_loss(y, np.ones((2, 2)))
    assert_type(loss, fr.losses.Mean)
    norm: float = fr.clip_grad_norm(model, 1.0)
    target = np.zeros((1, 2), np.float32)
    history = fr.fit(model, fr.mse_loss, [x[:, 0]], target, optimizer=adam, schedule=fr.StepLR(adam, 10), epochs=2)
    losses: list[float] = history["loss"]
    both = fr.SGD({"encoder": fr.GRU(3, 8), "decoder": fr.GRU(8, 3)}, lr=0.1)
    both.model.zero_grad()
    total: float = fr.clip_grad_norm([fr.Linear(3, 4), fr.Linear(4, 3)], 1.0, norm_type=1.0)
    steps = fr.MultiStepLR(both, [2, 5], per="epoch")
    assert_type(steps.milestones, tuple[int, ...])
    fr.LinearWarmup(both, 4, after=steps, per="epoch")
    fr.OneCycleLR(fr.NAdam(model, betas=(0.8, 0.99), momentum_decay=1e-2), 0.1, 100, pct_start=0.2)
    fr.LambdaLR(fr.Adam(model, amsgrad=True), lambda count: 1 / (1 + count))
    batch: fr.Batch
    for batch in fr.Batches([x[:, 0]], target, batch_size=1):
        print(batch.lengths)
    values: dict[str, float] = fr.evaluate(model, fr.mse_loss, [x[:, 0]], target)
    fr.save(model, path, notes={"trained": True})
    loaded: fr.nn.Layer = fr.load(path)
    with fr.threads(1):
        count: int = fr.get_num_threads()
    print(state, dy, norm, total, losses, values, loaded, count)


def decoding() -> None:
    """A language model that writes."""
    model = fr.Sequential(fr.Embedding(4, 3), fr.LSTM(3, 5), fr.Linear(5, 4))
    decoded = fr.decoding.greedy(model, np.array([[1], [2]]), stop=0, max_length=9)
    tokens: Array = decoded.tokens
    print(tokens)


def estimators() -> None:
    """Methods return the class of the estimator, also those of scikit-learn, which has no annotations."""
    table, labels = np.eye(4), np.array(["a", "b", "a", "b"])
    classifier = RNNClassifier("lstm", hidden_size=4, max_iter=1, n_iter_no_change=None).fit(table, labels)
    assert_type(classifier, RNNClassifier)
    assert_type(classifier.predict_proba(table), Array)
    assert_type(classifier.score(table, labels), float)
    assert_type(classifier.model_, fr.Sequential)
    assert_type(classifier.set_params(verbose=False).partial_fit(table, labels), RNNClassifier)
    assert_type(ESNRegressor(ridge=1.0).fit(table, table).predict(table), Array)
    forecaster = RNNForecaster(window=4, horizon=2, max_iter=1, n_iter_no_change=None, early_stopping=False)
    assert_type(forecaster.fit(np.arange(9.0)).backtest(np.arange(9.0)), tuple[Array, Array])


def panels() -> None:
    """The estimators of sktime have the parameters and the methods of theirs; those of aeon, too."""
    from fastrnn.sktime import ESNClassifier
    from fastrnn.sktime import RNNForecaster as Forecaster

    panel, labels = np.eye(4)[:, None], np.array(["a", "b", "a", "b"])
    classifier = ESNClassifier(20, leak=0.5).fit(panel, labels)
    assert_type(classifier, ESNClassifier)
    assert_type(classifier.score(panel, labels), float)
    assert_type(classifier.hidden_size, int)
    assert_type(Forecaster(12, quantiles=[0.1, 0.9]).set_params(window=24), Forecaster)


def errors() -> None:
    """What a checker has to refuse."""
    fr.LSMT(3, 4)  # type: ignore
    fr.LSTM("3", 4)  # type: ignore
    fr.LSTM(3, 4, bidirection=True)  # type: ignore
    fr.LSTM(3, 4, 1, True)  # type: ignore
    fr.Linear(3)  # type: ignore
    fr.Adam(fr.Linear(3, 4), lr="fast")  # type: ignore
    fr.Adam("model")  # type: ignore
    fr.Adam()  # type: ignore
    fr.MultiStepLR(fr.Adam(fr.Linear(3, 4)))  # type: ignore
    fr.GRU(3, 4)(x, lengths=[5], state=None, masks=None)  # type: ignore
    fr._core.set_isa(3)  # type: ignore
