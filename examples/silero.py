# SPDX-License-Identifier: BSD-3-Clause
"""A trained network of others, live: is anyone speaking? The voice-activity detector of Silero.

The network (https://github.com/snakers4/silero-vad, MIT) reads 32 ms of sound at a time and says how likely it holds
speech. Its weights come from the ONNX file of the package silero-vad, so that ONNX Runtime can say what is right:

    chunk       512 samples at 16 kHz, behind the last 64 of the chunk before, and 64 more by reflection at the end
    spectrum    a convolution with the 129 cosines and sines of a Fourier transform, and the magnitude of each pair
    features    four convolutions with ReLU, which leave one step
    memory      an LSTM of 128 units, over the chunks
    speech      ReLU, a linear layer, a sigmoid

Everything before the LSTM is a layer of our own, `Encoder`. It treats all chunks alike (`keeps_axes`), and so does
`Probability` behind it. That makes the whole detector a `Sequential` which has a stream and fits into a `StreamPool`:
the same network listens chunk by chunk, to a hundred callers at once, or to a whole recording, with the same bits.

The sound is made here: vowels, which are sums of harmonics with formants, in syllables, between pauses, in noise.

    python examples/silero.py
    python examples/silero.py --streams 500
"""

import argparse
import importlib.util
import sys
import time
from pathlib import Path

import numpy as np
from _vowels import record

import fastrnn as fr

RATE, CHUNK, CONTEXT = 16000, 512, 64  # samples: per second, of a chunk, and before it
BINS, HOP, FEATURES = 129, 128, 128  # frequencies of the spectrum, samples between its windows, what the LSTM reads
PACKAGES = {"silero_vad": '--no-deps "silero-vad>=6.2.3"', "onnx": "onnx", "onnxruntime": "onnxruntime"}
CLOSE = 1e-4  # difference between two probabilities that counts as none


# -- the network -----------------------------------------------------------------------------------------------------


class Encoder(fr.nn.Container, fr.nn.StatelessLayer):
    """Chunks (..., CONTEXT + CHUNK) to features (..., FEATURES); the spectrum does not learn."""

    spectrum: fr.nn.Sublayer = fr.nn.Sublayer("The real, then the imaginary parts of all frequencies.", fr.Conv1d)
    first: fr.nn.Sublayer = fr.nn.Sublayer("Four windows to four steps.", fr.Conv1d)
    second: fr.nn.Sublayer = fr.nn.Sublayer("Four to two.", fr.Conv1d)
    third: fr.nn.Sublayer = fr.nn.Sublayer("Two to one.", fr.Conv1d)
    fourth: fr.nn.Sublayer = fr.nn.Sublayer("One to one.", fr.Conv1d)

    keeps_axes = True

    def features_after(self, features):
        return FEATURES

    def _forward(self, x, training):
        rows = x.reshape(-1, x.shape[-1])
        mirrored = rows[:, -2 : -2 - CONTEXT : -1]
        parts = self.spectrum(np.concatenate([rows, mirrored], axis=1)[..., None])
        parts *= parts
        y, tapes = np.sqrt(parts[..., :BINS] + parts[..., BINS:]), []
        for convolution in (self.first, self.second, self.third, self.fourth):
            y, _, tape = convolution.apply(y, None, None, training)
            y = np.maximum(y, 0)
            tapes.append((convolution, tape, y))
        return y.reshape(*x.shape[:-1], FEATURES), tapes

    def _backward(self, tapes, dy):
        for convolution, tape, y in reversed(tapes):
            dy = convolution.backward(tape, dy.reshape(y.shape) * (y > 0))


class Probability(fr.nn.Container, fr.nn.StatelessLayer):
    """Features (..., FEATURES) to the probability of speech (..., 1)."""

    linear: fr.nn.Sublayer = fr.nn.Sublayer("The logit.", fr.Linear)

    keeps_axes = True

    def features_after(self, features):
        return 1

    def _forward(self, x, training):
        logits, _, tape = self.linear.apply(np.maximum(x, 0), None, None, training)
        y = fr.sigmoid(logits)
        return y, (tape, x > 0, y)

    def _backward(self, saved, dy):
        tape, positive, y = saved
        return self.linear.backward(tape, dy * y * (1 - y)) * positive


def find_models():
    """The folder of the ONNX files; exits unless all that this example needs is installed."""
    missing = [command for name, command in PACKAGES.items() if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit("This example needs more packages:" + "".join(f"\n    pip install {command}" for command in missing))
    return Path(importlib.util.find_spec("silero_vad").origin).parent / "data"  # not imported: that would import torch


def read_weights(path):
    """The arrays in an ONNX file, by name."""
    import onnx

    return {array.name: onnx.numpy_helper.to_array(array) for array in onnx.load(path).graph.initializer}


def make_model(weights):
    """The detector: chunks (T, N, CONTEXT + CHUNK) to probabilities (T, N, 1)."""

    def convolution(name, **options):
        bias = weights.get(f"{name}.bias")  # the transform has none
        arrays = {"weight": weights[name]} if bias is None else {"weight": weights[f"{name}.weight"], "bias": bias}
        O, I, k = arrays["weight"].shape
        layer = fr.Conv1d(I, O, k, **options, bias=bias is not None, batch_first=True)
        layer.load_state_dict(arrays)
        return layer

    encoder = Encoder(
        spectrum=convolution("model.stft.forward_basis_buffer", stride=HOP),
        **{
            name: convolution(f"model.encoder.{k}.reparam_conv", stride=stride, padding=1)
            for k, (name, stride) in enumerate({"first": 1, "second": 2, "third": 2, "fourth": 1}.items())
        },
    )
    lstm, linear = fr.LSTM(FEATURES, FEATURES), fr.Linear(FEATURES, 1)
    lstm.load_state_dict({name: weights[f"model.decoder.rnn.{name.removesuffix('_l0')}"] for name in lstm.params})
    weight, bias = (weights[f"model.decoder.decoder.2.{name}"] for name in ("weight", "bias"))
    linear.load_state_dict({"weight": weight[..., 0], "bias": bias})  # a convolution over one step
    return fr.Sequential(encoder=encoder, lstm=lstm, speech=Probability(linear=linear))


def cut(sound):
    """The chunks of a recording, (T, 1, CONTEXT + CHUNK), each with the end of the one before."""
    padded = np.concatenate([np.zeros(CONTEXT, np.float32), sound])
    windows = np.lib.stride_tricks.sliding_window_view(padded, CONTEXT + CHUNK)
    return windows[::CHUNK, None].copy()


# -- ONNX Runtime ----------------------------------------------------------------------------------------------------


def open_session(path):
    """A session of ONNX Runtime on one thread, as silero-vad makes it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def listen_onnx(session, x):
    """The probabilities (T, N, 1) of chunks (T, N, ...), one after another."""
    state, rate, probabilities = np.zeros((2, x.shape[1], FEATURES), np.float32), np.array(RATE), []
    for chunk in x:
        y, state = session.run(None, {"input": chunk, "state": state, "sr": rate})
        probabilities.append(y)
    return np.stack(probabilities)


def read_onnx(session, x):
    """The same of one recording in a single run, by the model of silero-vad for that."""
    zero = np.zeros((1, 1, FEATURES), np.float32)
    return session.run(None, {"input": x[:, 0], "h": zero, "c": zero})[0][:, None, None]


# -- the comparison --------------------------------------------------------------------------------------------------


def listen(stream, x):
    """The probabilities (T, N, 1) of chunks (T, N, ...), one after another."""
    return np.stack([stream.step(chunk) for chunk in x])


def listen_pooled(pool, keys, x):
    """The same from N streams of a pool."""
    return np.stack([pool.step_rows(keys, chunk) for chunk in x])


def open_pool(model, count):
    """A pool, and the keys of so many streams."""
    pool = fr.StreamPool(model, count)
    return pool, [pool.open() for _ in range(count)]


def compare(model, session, x, callers):
    """The probabilities (T, 1, 1) of chunks; exits unless they are the same however they come, and ONNX Runtime's."""
    y = listen(model.stream(), x)
    difference = np.abs(y - listen_onnx(session, x)).max()
    if not difference < CLOSE:
        sys.exit(f"The probabilities differ from ONNX Runtime's by {difference:.0e}.")
    alone = [listen(model.stream(), callers[:, n : n + 1]) for n in range(callers.shape[1])]
    together = listen_pooled(*open_pool(model, callers.shape[1]), callers)
    if (model(x)[0] != y).any() or (together != np.concatenate(alone, axis=1)).any():
        sys.exit("A probability depends on how the chunks come.")
    return y, difference


def microseconds(calls, chunks, rounds):
    """The least time of a chunk in each of several calls, which take turns: others may use the cores meanwhile."""
    least = [np.inf] * len(calls)
    for _ in range(rounds):
        for k, call in enumerate(calls):
            start = time.perf_counter()
            call()
            least[k] = min(least[k], time.perf_counter() - start)
    return [seconds / chunks * 1e6 for seconds in least]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=30, help="of the recording; default: %(default)s")
    parser.add_argument("--streams", type=int, default=100, help="callers at once; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=50, help="how often each time is taken; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of the recording; default: 0")
    arguments = parser.parse_args()
    folder = find_models()
    fr.set_num_threads(1)  # as the sessions
    model = make_model(read_weights(folder / "silero_vad_16k_op15.onnx"))
    session, whole = (open_session(folder / f"silero_vad_16k_{name}.onnx") for name in ("op15", "sequence"))
    sound, is_speech = record(arguments.seconds, RATE, np.random.default_rng(arguments.seed))
    x, count = cut(sound), arguments.streams
    callers = np.concatenate([np.roll(x, 7 * n, axis=0)[:20] for n in range(count)], axis=1)
    y, difference = compare(model, session, x, callers)
    share = is_speech[: len(x) * CHUNK].reshape(len(x), CHUNK).mean(axis=1)
    print(f"{len(x)} chunks of 32 ms: probability of speech", end=" ")
    print(f"{y[share == 1].mean():.2f} where there is, {y[share == 0].mean():.2f} where there is none")
    print(f"the same bits chunk by chunk, of the recording at once, and of {count} streams in a pool and alone\n")

    few, once, many, stream, pool = x[:20], x[:80], callers[:2], model.stream(), open_pool(model, count)
    cases = [
        ("one stream", 20, lambda: listen(stream, few), lambda: listen_onnx(session, few)),
        (f"{count} streams", 2 * count, lambda: listen_pooled(*pool, many), lambda: listen_onnx(session, many)),
        ("a recording at once", 80, lambda: model(once), lambda: read_onnx(whole, once)),
    ]
    print(f"{'microseconds per chunk, one thread':36}{'fastrnn':>9}{'ONNX Runtime':>14}{'ratio':>7}")
    for name, chunks, *calls in cases:
        ours, theirs = microseconds(calls, chunks, arguments.rounds)
        print(f"{name:36}{ours:9.1f}{theirs:14.1f}{theirs / ours:7.2f}")
    hour = 3600 * RATE / CHUNK * ours * 1e-6
    print(f"\nThe probabilities are ONNX Runtime's up to {difference:.0e}; an hour of sound takes {hour:.1f} s.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
