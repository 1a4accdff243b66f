# SPDX-License-Identifier: BSD-3-Clause
"""What with_defaults.py compares with: the same networks in other libraries, and a classifier that is no network."""

import importlib
import os

import numpy as np
from sklearn.preprocessing import LabelEncoder, StandardScaler

BATCH, RATE, NORM, EPOCHS, PATIENCE, FALL = 32, 5e-3, 1.0, 200, 30, 1e-4  # the defaults of fastrnn.sklearn
UNITS, UNITS_OF_FORECASTER, VALIDATION = 64, 32, 0.1


def padded(sequences, value=0.0):
    """(N, T, C) with a value behind each sequence, and the lengths (N,)."""
    lengths = np.array([len(each) for each in sequences])
    x = np.full((len(sequences), lengths.max(), sequences[0].shape[1]), value, np.float32)
    for row, each in zip(x, sequences, strict=True):
        row[: len(each)] = each
    return x, lengths


class Skorch:
    """PyTorch, by way of skorch, which reads no step behind a sequence."""

    PADDING = 0.0

    def __init__(self):
        importlib.import_module("skorch.callbacks")  # before the clock starts
        import torch

        torch.set_num_threads(1)

    def trained(self, network, x, y, loss, validation=None):
        import skorch
        import torch
        from skorch.callbacks import EarlyStopping, GradientNormClipping
        from skorch.helper import predefined_split

        split = None if validation is None else predefined_split(skorch.dataset.Dataset(*validation))
        watched = "train_loss" if split is None else "valid_loss"
        stopping = EarlyStopping(
            watched, patience=PATIENCE, threshold=FALL, threshold_mode="abs", load_best=split is not None
        )
        return skorch.NeuralNet(
            network, loss, optimizer=torch.optim.Adam, lr=RATE, batch_size=BATCH, iterator_train__shuffle=True,
            callbacks=[GradientNormClipping(NORM), stopping], train_split=split, max_epochs=EPOCHS, verbose=0,
        ).fit(x, y)  # fmt: skip

    def classifier(self, x, lengths, y):
        """A function of (x, lengths) that gives scores (N, V)."""
        import torch

        class Network(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.gru = torch.nn.GRU(x.shape[2], UNITS, batch_first=True)
                self.output = torch.nn.Linear(UNITS, int(y.max()) + 1)

            def forward(self, x, lengths):
                packed = torch.nn.utils.rnn.pack_padded_sequence(
                    x, lengths.cpu(), batch_first=True, enforce_sorted=False
                )
                return self.output(self.gru(packed)[1][0])

        torch.manual_seed(0)
        net = self.trained(Network, {"x": x, "lengths": lengths}, y, torch.nn.CrossEntropyLoss)
        return lambda x, lengths: net.forward({"x": x, "lengths": lengths}).numpy()

    def forecaster(self, x, y, validation, seed):
        """A function of x (n, past + horizon, 2) that gives the last steps (n, horizon, 1)."""
        import torch

        class Network(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.gru = torch.nn.GRU(2, UNITS_OF_FORECASTER, batch_first=True)
                self.output = torch.nn.Linear(UNITS_OF_FORECASTER, 1)

            def forward(self, x):
                return self.output(self.gru(x)[0][:, -y.shape[1] :])

        torch.manual_seed(seed)
        net = self.trained(Network, x, y, torch.nn.MSELoss, validation)
        return lambda x: net.forward(x).numpy()


class Keras:
    """TensorFlow, by way of Keras. Steps behind a sequence hold a number that is masked."""

    PADDING = -1e9

    def __init__(self):
        os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
        threads = importlib.import_module("tensorflow").config.threading
        threads.set_intra_op_parallelism_threads(1)
        threads.set_inter_op_parallelism_threads(1)
        importlib.import_module("keras")

    def trained(self, layers, x, y, loss, validation=None):
        import keras

        net = keras.Sequential([keras.Input((None, x.shape[2])), *layers])
        net.compile(optimizer=keras.optimizers.Adam(RATE, global_clipnorm=NORM), loss=loss)
        stopping = keras.callbacks.EarlyStopping(
            "loss" if validation is None else "val_loss", patience=PATIENCE, min_delta=FALL,
            restore_best_weights=validation is not None,
        )  # fmt: skip
        options = {"batch_size": BATCH, "epochs": EPOCHS, "verbose": 0, "callbacks": [stopping]}
        net.fit(x, y, validation_data=validation, **options)
        return net

    def classifier(self, x, lengths, y):
        import keras

        keras.utils.set_random_seed(0)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        mask = [keras.layers.Masking(self.PADDING)] if lengths.min() < lengths.max() else []
        layers = [*mask, keras.layers.GRU(UNITS), keras.layers.Dense(int(y.max()) + 1)]
        net = self.trained(layers, x, y, loss)
        return lambda x, lengths: net.predict(x, verbose=0)

    def forecaster(self, x, y, validation, seed):
        import keras

        keras.utils.set_random_seed(seed)
        horizon = y.shape[1]
        last = keras.layers.Lambda(lambda h: h[:, -horizon:])
        layers = [keras.layers.GRU(UNITS_OF_FORECASTER, return_sequences=True), last, keras.layers.Dense(1)]
        net = self.trained(layers, x, y, keras.losses.MeanSquaredError(), validation)
        return lambda x: net.predict(x, verbose=0)


class Classifier:
    """The network and the training of `RNNClassifier` in another library."""

    def __init__(self, library):
        self.library = library

    def inputs(self, X):
        return padded([self.scaler.transform(each) for each in X], self.library.PADDING)

    def fit(self, X, y):
        self.scaler, self.labels = StandardScaler().fit(np.concatenate(X)), LabelEncoder().fit(y)
        self.scores = self.library.classifier(*self.inputs(X), self.labels.transform(y))
        return self

    def score(self, X, y):
        return np.mean(self.scores(*self.inputs(X)).argmax(axis=1) == self.labels.transform(y))


class Forecaster:
    """Those of `RNNForecaster`: a step is a difference from the last known value, and whether it is to be forecast."""

    def __init__(self, library, window, horizon, seed):
        self.library, self.window, self.horizon, self.seed = library, window, horizon, seed

    def inputs(self, series):
        """x (n, window + horizon, 2), targets (n, horizon, 1) and the last known values (n, 1) of every window."""
        every = np.lib.stride_tricks.sliding_window_view(series, self.window + self.horizon)
        level = every[:, self.window - 1 : self.window]
        x = np.zeros((*every.shape, 2), np.float32)
        x[..., 0] = (every - level) / self.scale
        y = x[:, self.window :, :1].copy()
        x[:, self.window :] = 0, 1
        return x, y, level

    def fit(self, series):
        """Train on all windows but the last, which are for validation, and those that overlap with them."""
        every = np.lib.stride_tricks.sliding_window_view(series, self.window + self.horizon)
        self.scale = np.sqrt(np.mean((every - every[:, self.window - 1 : self.window]) ** 2))
        x, y, _ = self.inputs(series)
        last = round(VALIDATION * len(x))
        first = len(x) - last - (self.horizon - 1)
        self.forecast = self.library.forecaster(x[:first], y[:first], (x[-last:], y[-last:]), self.seed)
        return self

    def backtest(self, series):
        """Forecasts (n, horizon) of the steps of every window."""
        x, _, level = self.inputs(series)
        return self.forecast(x)[..., 0] * self.scale + level


class MiniRocket:
    """aeon's, of padded sequences with channels first. Numba compiles it before the clock starts."""

    def __init__(self, longest):
        self.longest = longest

    def channels_first(self, X):
        x = np.zeros((len(X), X[0].shape[1], self.longest))
        for row, each in zip(x, X, strict=True):
            row[:, : len(each)] = each.T
        return x

    def fit(self, X, y):
        from aeon.classification.convolution_based import MiniRocketClassifier

        self.classifier = MiniRocketClassifier(random_state=0).fit(self.channels_first(X), y)
        return self

    def score(self, X, y):
        return np.mean(self.classifier.predict(self.channels_first(X)) == y)
