# SPDX-License-Identifier: BSD-3-Clause
"""Why recurrent networks: "are you good" is a question, "you are good" is not, and their words are the same.

One network of tanh units reads sentences in two ways: word after word, as a recurrent network does, or all words at
once, summed, as a feed-forward network on a bag of words does. The sums of a question and of its declaration are equal,
so the second way can only guess. Both learn first the two sentences above, then hundreds; half of the subjects and of
the things said about them are kept back, and are new to the network when it is asked.

    python examples/order_matters.py
    python examples/order_matters.py "is she happy" "she is happy"
"""

import argparse
import sys

import numpy as np

import fastrnn as fr

SUBJECTS = {  # and the verbs that they agree with
    "i": ("am", "was", "can"),
    "you": ("are", "were", "can"),
    "she": ("is", "was", "can"),
    "he": ("is", "was", "can"),
    "it": ("is", "was", "can"),
    "we": ("are", "were", "can"),
    "they": ("are", "were", "can"),
    "everybody": ("is", "was", "can"),
}
SAID = {  # after a form of "be", and after "can"
    "be": ("good", "happy", "very tired", "very late", "not at home", "not in town", "here", "ready"),
    "can": ("sing", "swim", "help us", "hear us", "sing very well", "swim very fast"),
}
WORDS = sorted(
    {w for s, verbs in SUBJECTS.items() for w in (s, *verbs)} | {w for g in SAID.values() for t in g for w in t.split()}
)
UNITS, LEARNING_RATE = 16, 1e-2
STRUCK_OUT = 0.2  # of the words in training: then each of the others has to be enough
DECAY = 1.0  # of a word's weights: those of a word that is never met fall to 5 % of their first, random values


def sentences(subjects, said):
    """Pairs of a declaration and its question: [("you are good", "are you good"), ...]."""
    return [
        (f"{subject} {verb} {what}", f"{verb} {subject} {what}")
        for subject in subjects
        for verb in SUBJECTS[subject]
        for what in SAID["can" if verb == "can" else "be"]
        if what in said
    ]


def split():
    """All pairs without the words that are kept back, and all pairs with such words only."""
    subjects, said = list(SUBJECTS), [what for group in SAID.values() for what in group]
    known = sentences(subjects[::2], said[::2])
    new = sentences(subjects[1::2], said[1::2])
    return known, new


def one_hot(pairs):
    """Words as vectors x (T, N, V), the lengths (N,), and whether each sentence is a question (N, 1)."""
    texts = [text.split() for pair in pairs for text in pair]
    x = np.zeros((max(map(len, texts)), len(texts), len(WORDS)), np.float32)
    for n, words in enumerate(texts):
        for t, word in enumerate(words):
            x[t, n, WORDS.index(word)] = 1
    return x, np.array([len(words) for words in texts]), np.tile([[False], [True]], (len(pairs), 1))


def in_order(x, lengths):
    """Word after word."""
    return x, lengths


def at_once(x, lengths):
    """All words summed, in one step."""
    return x.sum(axis=0, keepdims=True), np.ones_like(lengths)


def make_model(seed):
    """The same network for both ways: one step of tanh units is a feed-forward network."""
    return fr.Sequential(fr.RNN(len(WORDS), UNITS, seed=seed), fr.LastStep(), fr.Linear(UNITS, 1, seed=seed + 1))


def train(model, way, pairs, steps, seed):
    """AdamW on all pairs at once. Returns the loss of the last step, in nats per sentence."""
    x, lengths, is_question = one_hot(pairs)
    decay = {"0.weight_ih_l0": {"weight_decay": DECAY}}  # of the weights of words
    optimizer = fr.AdamW(model, lr=LEARNING_RATE, weight_decay=0, groups=decay)
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        legible = rng.random((*x.shape[:2], 1)) >= STRUCK_OUT
        seen, seen_lengths = way(x * legible.astype(np.float32), lengths)
        logits, _, tape = model.forward(seen, lengths=seen_lengths)
        loss, dlogits = fr.binary_cross_entropy_with_logits(logits, is_question)
        model.zero_grad()
        model.backward(tape, dlogits)
        optimizer.step()
    return loss


def accuracy(model, way, pairs):
    """Share of the sentences that the model takes for what they are."""
    x, lengths, is_question = one_hot(pairs)
    logits, _ = model(*way(x, lengths)[:1], lengths=way(x, lengths)[1])
    return float(((logits > 0) == is_question).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sentences", nargs="*", help="to judge, in words that the example knows")
    parser.add_argument("--steps", type=int, default=300, help="of training; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of the first parameters; default: 0")
    arguments = parser.parse_args()
    for text in arguments.sentences:
        if not text.split() or not set(text.split()) <= set(WORDS):
            parser.error(f"expected words of: {', '.join(WORDS)}; got {text!r}")

    known, new = split()
    print(f"{len(known)} pairs to learn from, {len(new)} with words that are new, {len(WORDS)} words in all\n")
    print(f"{'':32}{'word after word':>16}{'all at once':>14}")
    found = {}
    for name, learnt, asked in (
        ("you are good / are you good", [("you are good", "are you good")], [("you are good", "are you good")]),
        ("pairs it has learnt", known, known),
        ("pairs in new words", known, new),
    ):
        for way in (in_order, at_once):
            model = make_model(arguments.seed)
            train(model, way, learnt, arguments.steps, arguments.seed)
            found[name, way] = accuracy(model, way, asked)
            if way is in_order:
                reader = model
        print(f"{name:32}{found[name, in_order]:>15.1%} {found[name, at_once]:>13.1%}")

    for text in arguments.sentences:
        x, lengths, _ = one_hot([(text, text)])
        print(f"{text}{'?' if reader(x, lengths=lengths)[0][0, 0] > 0 else '.'}")
    right = min(found[name, way] for name, way in found if way is in_order)
    if right < 0.99 or max(found[name, way] for name, way in found if way is at_once) > 0.51:
        sys.exit("It has not learned to tell questions from declarations: more --steps?")
    print(f"\nThe order tells them apart: {right:.1%} at the least, where the sum of the words can only guess.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
