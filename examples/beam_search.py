# SPDX-License-Identifier: BSD-3-Clause
"""Beam search and sampling: the likeliest letter at each step does not make the likeliest word.

A language of eight letters is drawn at random, in which the next letter depends on the two letters before. After some
pairs one letter is nearly certain, as u is after q; after others almost any letter may follow. A GRU reads texts of the
language until it knows the probabilities, and then continues each of the 64 pairs by five letters. Taking the likeliest
letter at each step (greedy search) leads down garden paths: to pairs after which no letter is likely any more. A beam
keeps several partial words and drops one only when better ones have overtaken it. There are 8^5 continuations of a
pair, few enough to try all of them in the language itself, so the likeliest one is known exactly.

The likeliest word is not a typical one, though. Even it is rare, and it may be a dull loop such as ggggg. To sample the
language, letters are drawn at random with the model's probabilities. A temperature of 0.5 squares the probabilities
(and normalizes them again), and so draws fewer different words, which are likelier; top_k=2 draws only from the two
likeliest letters.

    python examples/beam_search.py
    python examples/beam_search.py ba he
"""

import argparse
import sys

import numpy as np

import fastrnn as fr

LETTERS = "abcdefgh"
V, WORD = len(LETTERS), 5  # the number of letters, and the length of a continuation
SURE, OPEN = 0.1, 3.0  # range of the Dirichlet parameter: how evenly probability is shared after a pair
EVEN = 0.02  # share of the probability that is spread evenly, so that no letter is impossible
EMBEDDING_SIZE, UNITS, LEARNING_RATE, BATCH, T = 16, 64, 1e-2, 256, 2 + WORD
WIDTHS = (1, 2, 4, 8, 64)  # of beams; 1 is greedy
DRAWN = 20_000  # sampled words


def language(rng):
    """Probabilities (V, V, V): [a, b, c] is that of c after a and b."""
    evenness = np.exp(rng.uniform(np.log(SURE), np.log(OPEN), (V, V, 1)))
    drawn = rng.gamma(np.broadcast_to(evenness, (V, V, V)))
    return (1 - EVEN) * drawn / drawn.sum(axis=-1, keepdims=True) + EVEN / V


def texts(probabilities, count, length, rng):
    """Tokens (length, count) of the language; the first two letters of each text are uniform."""
    text = rng.integers(V, size=(length, count))
    reached = probabilities.cumsum(axis=-1)
    reached[..., -1] = 1  # despite rounding
    for t in range(2, length):
        text[t] = (reached[text[t - 2], text[t - 1]] > rng.random((count, 1))).argmax(axis=-1)
    return text


def all_words(log_probs):
    """The log-probability of every word after every pair: 2 + WORD axes of size V, one for each letter."""
    total = log_probs
    for _ in range(WORD - 1):
        total = total[..., None] + log_probs  # its last two axes are the pair for the next letter
    return total


def make_model(seed):
    return fr.Sequential(
        fr.Embedding(V, EMBEDDING_SIZE, seed=seed),
        fr.GRU(EMBEDDING_SIZE, UNITS, seed=seed + 1),
        fr.Linear(UNITS, V, seed=seed + 2),
    )


def train(model, probabilities, steps, seed):
    """Adam on new texts at every step, with a learning rate that decays to 0."""
    optimizer, rng = fr.Adam(model, lr=LEARNING_RATE), np.random.default_rng(seed)
    for k in range(steps):
        optimizer.lr = LEARNING_RATE * (1 - k / steps)
        text = texts(probabilities, BATCH, T + 1, rng)
        logits, _, tape = model.forward(text[:-1])
        _, dlogits = fr.cross_entropy(logits, text[1:])
        model.zero_grad()
        model.backward(tape, dlogits)
        optimizer.step()


def model_error(model, probabilities, seed):
    """The excess loss of the model, and the entropy of the language, in nats per letter, on new texts."""
    text = texts(probabilities, 500, T + 1, np.random.default_rng(seed))
    logits, _ = model(text[:-1])
    loss, _ = fr.cross_entropy(logits[1:], text[2:])  # the second letter of a text cannot be predicted
    entropy = -np.log(probabilities[text[:-2], text[1:-1], text[2:]]).mean()
    return loss - entropy, entropy


def continue_pairs(model, pairs, width):
    """The model's continuations (WORD, N) of pairs (2, N): greedy, or with a beam."""
    if width == 1:
        return fr.decoding.greedy(model, pairs, stop=None, max_length=WORD).tokens
    return fr.decoding.beam(model, pairs, stop=None, max_length=WORD, width=width).tokens


def spell(probabilities, pair, word):
    """A word with the probability of each of its letters, and of the word."""
    letters = [*pair, *word]
    steps = [probabilities[abc] for abc in zip(letters, letters[1:], letters[2:], strict=False)]
    text = "  ".join(f"{LETTERS[c]} {p:4.0%}" for c, p in zip(word, steps, strict=True))
    return f"{text}    in total {np.prod(steps):.2%}"


def draw(model, pair, seed, **options):
    """Sample words after a pair: (WORD, DRAWN)."""
    pairs = np.repeat(np.array(pair)[:, None], DRAWN, axis=1)
    return fr.decoding.sample(model, pairs, stop=None, max_length=WORD, seed=seed, **options).tokens


def two_likeliest(probabilities):
    """Whether each value is one of the two largest along the last axis."""
    return probabilities >= np.sort(probabilities, axis=-1)[..., -2:-1]


def squared(probabilities):
    """Probabilities at a temperature of 0.5."""
    return np.square(probabilities) / np.square(probabilities).sum()


def cut_to_two(probabilities):
    """Probabilities with top_k=2."""
    top = probabilities * two_likeliest(probabilities)
    return top / top.sum()


METHODS = {  # (how they change the probabilities of the first letter, arguments of `sample`)
    "temperature=1": (lambda probabilities: probabilities, {}),
    "temperature=0.5": (squared, {"temperature": 0.5}),
    "top_k=2": (cut_to_two, {"top_k": 2}),
}


def cut_off(probabilities):
    """The share of the words of the language, after each pair, that top_k=2 can never draw, (V, V)."""
    with np.errstate(divide="ignore"):
        top = all_words(np.log(probabilities * two_likeliest(probabilities)))
    return 1 - np.exp(top).reshape(V, V, -1).sum(axis=-1)


def called(width):
    return "greedy" if width == 1 else f"a beam of {width}"


def compare_searches(model, words):
    """Print a table. Returns the words (WORD, V^2) of each width, and the share of them that are likeliest."""
    pairs = np.indices((V, V)).reshape(2, -1)
    best = words.reshape(V * V, -1).max(axis=-1)
    print(f"{f'{V * V} pairs, {V**WORD:,} words each':36}{'likeliest found':>20}{'mean loss in nats':>24}")
    results, right = {}, {}
    for width in WIDTHS:
        results[width] = continue_pairs(model, pairs, width)
        reached = words[(*pairs, *results[width])]
        right[width] = np.mean(reached == best)
        print(f"{called(width):36}{right[width]:>20.1%}{(best - reached).mean():>24.3f}")
    return results, right


def garden_path(words, greedy):
    """The pair after which the greedy word, of (WORD, V^2), is worst compared with the likeliest."""
    pairs = np.indices((V, V)).reshape(2, -1)
    short = words.reshape(V * V, -1).max(axis=-1) - words[(*pairs, *greedy)]
    return divmod(int(short.argmax()), V)


def compare_words(probabilities, words, results, pair):
    """Print the words found after a pair, letter by letter, and the likeliest word."""
    a, b = pair
    print(f"\nAfter {LETTERS[a]}{LETTERS[b]}, with the probability of each letter in the language:")
    for width in (1, 8):
        print(f"    {called(width):16}{spell(probabilities, pair, results[width][:, V * a + b])}")
    likeliest = np.unravel_index(words[pair].argmax(), words[pair].shape)
    print(f"    {'the likeliest':16}{spell(probabilities, pair, likeliest)}")


def in_columns(shares):
    return "".join(f"{share:6.1%}" for share in shares)


def compare_draws(model, probabilities, words, pair, seed):
    """Print a table. Returns the largest total variation distance from the expected first letters.

    "nats per word" is the mean of -log p in the language: the higher, the less likely the words.
    """
    title = f"{DRAWN:,} words after {LETTERS[pair[0]]}{LETTERS[pair[1]]}, by first letter:"
    print(f"\n{title:{20 + 6 * V}}{'nats per word':>15}{'different':>11}")
    print(" " * 20 + "".join(f"{letter:>6}" for letter in LETTERS))
    off = []
    for name, (change, options) in METHODS.items():
        expected, drawn = change(probabilities[pair]), draw(model, pair, seed, **options)
        drawn_shares = np.bincount(drawn[0], minlength=V) / DRAWN
        off.append(np.abs(drawn_shares - expected).sum() / 2)
        nats, different = -words[(*pair, *drawn)].mean(), len(np.unique(drawn, axis=1).T)
        print(f"{name:20}{in_columns(drawn_shares)}{nats:15.2f}{different:11,}")
        print(f"{'    expected':20}{in_columns(expected)}")
    cut = cut_off(probabilities)[pair]
    print(f"Of the language's own words after {LETTERS[pair[0]]}{LETTERS[pair[1]]}, top_k=2 excludes {cut:.1%}.")
    return max(off)


def two_letters(text):
    """Parse two letters of the command line."""
    if len(text) != 2 or not set(text) <= set(LETTERS):
        raise argparse.ArgumentTypeError(f"expected two letters of {LETTERS}, got {text!r}")
    return tuple(LETTERS.index(letter) for letter in text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "pairs", nargs="*", type=two_letters, help="pairs of letters to continue; default: the worst garden path"
    )
    parser.add_argument("--steps", type=int, default=1500, help="training steps; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    arguments = parser.parse_args()

    probabilities = language(np.random.default_rng(arguments.seed))
    model = make_model(arguments.seed)
    train(model, probabilities, arguments.steps, arguments.seed)
    excess, entropy = model_error(model, probabilities, arguments.seed + 1)
    print(f"The entropy of the language is {entropy:.3f} nats per letter; the loss of the GRU {excess:.3f} more.\n")

    words = all_words(np.log(probabilities))
    results, right = compare_searches(model, words)
    pairs = arguments.pairs or [garden_path(words, results[1])]
    for pair in pairs:
        compare_words(probabilities, words, results, pair)
    off = compare_draws(model, probabilities, words, pairs[0], arguments.seed)

    if excess > 0.02 or off > 0.1 or not right[1] < right[8] - 0.2:
        sys.exit("The network has not learned the language well enough to find its likeliest words. Try more --steps.")
    print(f"\nGreedy search finds the likeliest word after {right[1]:.0%} of the pairs,", end=" ")
    print(f"a beam of 8 after {right[8]:.0%}.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
