# SPDX-License-Identifier: BSD-3-Clause
"""Garden paths: the likeliest letter at each step does not make the likeliest word; what a beam finds, and what chance.

A language of eight letters, drawn at random: what comes next depends on the two letters before. After some pairs one
letter is nearly sure, as u is after q, after others almost any may come. A GRU reads texts of it until it knows the
probabilities. Then it is asked to go on with each of the 64 pairs, for five letters more. Who takes the likeliest
letter at each step (greedy search) is led up garden paths: to pairs after which nothing is likely any more. A beam
keeps several beginnings side by side, and drops one only when better ones have overtaken it. There are 8^5 ways to go
on, few enough to try them all in the language itself: so it is known which one is truly the likeliest.

The likeliest is not the usual, though: even it comes seldom, and it may be a dull loop, such as ggggg. To hear the
language as it is, letters are drawn at random with the model's probabilities. A temperature of 0.5 squares these (and
makes them sum to 1 again), and so draws fewer words, which are likelier; top_k=2 draws one of the two likeliest letters
and never another.

    python examples/beam_search.py
    python examples/beam_search.py ba he
"""

import argparse
import sys

import numpy as np

import fastrnn as fr

LETTERS = "abcdefgh"
V, WORD = len(LETTERS), 5  # the letters, and how many to go on with
SURE, OPEN = 0.1, 3.0  # how evenly letters share what comes after a pair: a Dirichlet parameter between these
EVEN = 0.02  # of all that comes after a pair is shared alike: no letter is impossible
EMBEDDING_SIZE, UNITS, LEARNING_RATE, BATCH, T = 16, 64, 1e-2, 256, 2 + WORD
WIDTHS = (1, 2, 4, 8, 64)  # of beams; 1 is greedy
DRAWN = 20_000  # words, to count what is drawn how often


def language(rng):
    """Probabilities (V, V, V): [a, b, c] is that of c after a and b."""
    evenness = np.exp(rng.uniform(np.log(SURE), np.log(OPEN), (V, V, 1)))
    drawn = rng.gamma(np.broadcast_to(evenness, (V, V, V)))
    return (1 - EVEN) * drawn / drawn.sum(axis=-1, keepdims=True) + EVEN / V


def texts(probabilities, count, length, rng):
    """Tokens (length, count) of the language; the first two letters of each text are any."""
    text = rng.integers(V, size=(length, count))
    reached = probabilities.cumsum(axis=-1)
    reached[..., -1] = 1  # in spite of rounding
    for t in range(2, length):
        text[t] = (reached[text[t - 2], text[t - 1]] > rng.random((count, 1))).argmax(axis=-1)
    return text


def all_words(log_probs):
    """The log-probability of every word after every pair, an axis for each letter: 2 + WORD axes of V."""
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
    """Adam on ever new texts, with a learning rate that falls to 0."""
    optimizer, rng = fr.Adam(model, lr=LEARNING_RATE), np.random.default_rng(seed)
    for k in range(steps):
        optimizer.lr = LEARNING_RATE * (1 - k / steps)
        text = texts(probabilities, BATCH, T + 1, rng)
        logits, _, tape = model.forward(text[:-1])
        _, dlogits = fr.cross_entropy(logits, text[1:])
        model.zero_grad()
        model.backward(tape, dlogits)
        optimizer.step()


def ignorance(model, probabilities, seed):
    """What the model has still to learn and what nobody can foretell, in nats per letter, on texts that are new."""
    text = texts(probabilities, 500, T + 1, np.random.default_rng(seed))
    logits, _ = model(text[:-1])
    loss, _ = fr.cross_entropy(logits[1:], text[2:])  # of the second letter of a text nothing can be known
    sure = -np.log(probabilities[text[:-2], text[1:-1], text[2:]]).mean()
    return loss - sure, sure


def go_on(model, pairs, width):
    """The words (WORD, N) that the model goes on with after pairs (2, N): greedily, or with a beam."""
    if width == 1:
        return fr.decoding.greedy(model, pairs, stop=None, max_length=WORD).tokens
    return fr.decoding.beam(model, pairs, stop=None, max_length=WORD, width=width).tokens


def spell(probabilities, pair, word):
    """A word with the probability of each of its letters, and of the whole."""
    letters = [*pair, *word]
    steps = [probabilities[abc] for abc in zip(letters, letters[1:], letters[2:], strict=False)]
    text = "  ".join(f"{LETTERS[c]} {p:4.0%}" for c, p in zip(word, steps, strict=True))
    return f"{text}    in all {np.prod(steps):.2%}"


def draw(model, pair, seed, **how):
    """DRAWN words after a pair: (WORD, DRAWN)."""
    pairs = np.repeat(np.array(pair)[:, None], DRAWN, axis=1)
    return fr.decoding.sample(model, pairs, stop=None, max_length=WORD, seed=seed, **how).tokens


def two_likeliest(probabilities):
    """Where the two largest of the last axis are."""
    return probabilities >= np.sort(probabilities, axis=-1)[..., -2:-1]


def squared(probabilities):
    """What a temperature of 0.5 makes of probabilities."""
    return np.square(probabilities) / np.square(probabilities).sum()


def cut_to_two(probabilities):
    """What top_k=2 makes of them."""
    kept = probabilities * two_likeliest(probabilities)
    return kept / kept.sum()


WAYS = {  # of drawing: (what the first letter's probabilities become, arguments of `sample`)
    "temperature=1": (lambda probabilities: probabilities, {}),
    "temperature=0.5": (squared, {"temperature": 0.5}),
    "top_k=2": (cut_to_two, {"top_k": 2}),
}


def cut_off(probabilities):
    """The share of the words of the language, after each pair, that hold a letter beyond the two likeliest: (V, V)."""
    with np.errstate(divide="ignore"):
        kept = all_words(np.log(probabilities * two_likeliest(probabilities)))
    return 1 - np.exp(kept).reshape(V, V, -1).sum(axis=-1)


def called(width):
    return "greedy" if width == 1 else f"a beam of {width}"


def compare_searches(model, words):
    """A table. Returns the words (WORD, V^2) of each width, and the share of the likeliest ones among them."""
    pairs = np.indices((V, V)).reshape(2, -1)
    best = words.reshape(V * V, -1).max(axis=-1)
    print(f"{f'after {V * V} pairs, of {V**WORD:,} words':36}{'the likeliest found':>20}{'short of it, in nats':>24}")
    found, right = {}, {}
    for width in WIDTHS:
        found[width] = go_on(model, pairs, width)
        reached = words[(*pairs, *found[width])]
        right[width] = np.mean(reached == best)
        print(f"{called(width):36}{right[width]:>20.1%}{(best - reached).mean():>24.3f}")
    return found, right


def garden_path(words, greedy):
    """The pair after which greedy words (WORD, V^2) fall shortest of the likeliest."""
    pairs = np.indices((V, V)).reshape(2, -1)
    short = words.reshape(V * V, -1).max(axis=-1) - words[(*pairs, *greedy)]
    return divmod(int(short.argmax()), V)


def compare_words(probabilities, words, found, pair):
    """What was found after a pair, letter by letter, and the likeliest word."""
    a, b = pair
    print(f"\nafter {LETTERS[a]}{LETTERS[b]}, and how likely each letter is in the language:")
    for width in (1, 8):
        print(f"    {called(width):16}{spell(probabilities, pair, found[width][:, V * a + b])}")
    likeliest = np.unravel_index(words[pair].argmax(), words[pair].shape)
    print(f"    {'the likeliest':16}{spell(probabilities, pair, likeliest)}")


def in_columns(shares):
    return "".join(f"{share:6.1%}" for share in shares)


def compare_draws(model, probabilities, words, pair, seed):
    """A table. Returns the largest share of first letters that would have to be others to be as in the language.

    Nats are of the words' probabilities in the language: the more, the less likely they are.
    """
    title = f"{DRAWN:,} words after {LETTERS[pair[0]]}{LETTERS[pair[1]]}, which begin with"
    print(f"\n{title:{20 + 6 * V}}{'nats per word':>15}{'different':>11}")
    print(" " * 20 + "".join(f"{letter:>6}" for letter in LETTERS))
    off = []
    for way, (change, options) in WAYS.items():
        wanted, drawn = change(probabilities[pair]), draw(model, pair, seed, **options)
        found = np.bincount(drawn[0], minlength=V) / DRAWN
        off.append(np.abs(found - wanted).sum() / 2)
        print(f"{way:20}{in_columns(found)}{-words[(*pair, *drawn)].mean():15.2f}{len(np.unique(drawn, axis=1).T):11,}")
        print(f"{'       it should be':20}{in_columns(wanted)}")
    cut = cut_off(probabilities)[pair]
    print(f"Of the language's own words after {LETTERS[pair[0]]}{LETTERS[pair[1]]}, top_k=2 cuts off {cut:.1%}.")
    return max(off)


def two_letters(text):
    """Two letters on the command line."""
    if len(text) != 2 or not set(text) <= set(LETTERS):
        raise argparse.ArgumentTypeError(f"expected two letters of {LETTERS}, got {text!r}")
    return tuple(LETTERS.index(letter) for letter in text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "pairs", nargs="*", type=two_letters, help="of letters, to go on with; default: the worst garden path"
    )
    parser.add_argument("--steps", type=int, default=1500, help="of training; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers; default: 0")
    arguments = parser.parse_args()

    probabilities = language(np.random.default_rng(arguments.seed))
    model = make_model(arguments.seed)
    train(model, probabilities, arguments.steps, arguments.seed)
    unlearned, sure = ignorance(model, probabilities, arguments.seed + 1)
    print(f"The language cannot be foretold better than to {sure:.3f} nats per letter; the GRU: {unlearned:.3f} more\n")

    words = all_words(np.log(probabilities))
    found, right = compare_searches(model, words)
    asked = arguments.pairs or [garden_path(words, found[1])]
    for pair in asked:
        compare_words(probabilities, words, found, pair)
    off = compare_draws(model, probabilities, words, asked[0], arguments.seed)

    if unlearned > 0.02 or off > 0.1 or not right[1] < right[8] - 0.2:
        sys.exit("It has not learned the language well enough to find its likeliest words: more --steps?")
    print(f"\nGreedy search finds the likeliest word after {right[1]:.0%} of the pairs,", end=" ")
    print(f"a beam of 8 after {right[8]:.0%}.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
