# SPDX-License-Identifier: BSD-3-Clause
"""Sound that passes for speech: vowels, which are sums of harmonics with formants, in syllables, between pauses."""

import numpy as np

FORMANTS = [(730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480)]  # in Hz: a, i, u, e


def vowel(seconds, rate, rng):
    """A syllable that glides from one vowel to another, with a falling pitch."""
    t = np.arange(int(seconds * rate)) / rate
    pitch = rng.uniform(100, 150) * (1 - 0.15 * t / seconds + 0.02 * np.sin(2 * np.pi * 5 * t))
    harmonics = np.arange(1, 30)[:, None]
    begin, end = rng.choice(FORMANTS, 2)
    formants = begin[:, None, None] * (1 - t / seconds) + end[:, None, None] * t / seconds
    strength = 1 / (1 + ((harmonics * pitch - formants) / 80) ** 2)  # of each formant, harmonic and sample
    strength = np.tensordot([1, 0.5, 0.25], strength, 1)
    waves = strength * np.sin(harmonics * 2 * np.pi * np.cumsum(pitch) / rate)
    return waves.sum(axis=0) * np.sqrt(np.sin(np.pi * t / seconds))


def record(seconds, rate, rng):
    """Samples (seconds * rate,), and which of them are speech."""
    sound, speech, at = np.zeros(seconds * rate), np.zeros(seconds * rate, bool), rate // 2
    while at < len(sound) - rate:
        for _ in range(rng.integers(3, 9)):
            syllable = vowel(rng.uniform(0.12, 0.3), rate, rng)[: len(sound) - at]
            sound[at : at + len(syllable)] = syllable
            speech[at : at + len(syllable)] = True
            at += len(syllable) + rng.integers(rate // 20)
        at += rng.integers(rate // 2, 2 * rate)
    noise = rng.normal(0, 0.01, len(sound))
    return (0.3 * (sound / np.abs(sound).max() + noise)).astype(np.float32), speech
