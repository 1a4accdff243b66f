# SPDX-License-Identifier: BSD-3-Clause
"""Why recurrent networks: "are you good" is a question and "you are good" is not, yet their words are the same.

One network of tanh units reads sentences in two ways: word by word, as a recurrent network, or all words at once,
summed, as a feed-forward network on a bag of words. A question and its declaration have the same sum, so the second way
can only guess. Both ways are first trained on the two sentences above, then on dozens of pairs; half of the subjects
and predicates are held out, and are new to the network when it is tested.

    python examples/order_matters.py
    python examples/order_matters.py "is she happy" "she is happy"
"""

import argparse
import sys

import numpy as np

import fastrnn as fr

SUBJECTS = {  # with the verbs that agree with them
    "i": ("am", "was", "can"),
    "you": ("are", "were", "can"),
    "she": ("is", "was", "can"),
    "he": ("is", "was", "can"),
    "it": ("is", "was", "can"),
    "we": ("are", "were", "can"),
    "they": ("are", "were", "can"),
    "everybody": ("is", "was", "can"),
}
PREDICATES = {  # after a form of "be", and after "can"
    "be": ("good", "happy", "very tired", "very late", "not at home", "not in town", "here", "ready"),
    "can": ("sing", "swim", "help us", "hear us", "sing very well", "swim very fast"),
}
VERBS = {verb for verbs in SUBJECTS.values() for verb in verbs}
WORDS = sorted({*SUBJECTS, *VERBS, *(word for texts in PREDICATES.values() for text in texts for word in text.split())})
UNITS, LEARNING_RATE = 16, 1e-2
WORD_DROPOUT = 0.2  # share of the words removed in training, so that the others have to suffice
DECAY = 1.0  # weight decay of input weights: those of an unseen word fall to 5 % of their initial values


def sentences(subjects, predicates):
    """Pairs of a declaration and its question: [("you are good", "are you good"), ...]."""
    return [
        (f"{subject} {verb} {predicate}", f"{verb} {subject} {predicate}")
        for subject in subjects
        for verb in SUBJECTS[subject]
        for predicate in PREDICATES["can" if verb == "can" else "be"]
        if predicate in predicates
    ]


def split():
    """Pairs of known subjects and predicates, and pairs in which both are held out."""
    subjects, predicates = list(SUBJECTS), [predicate for group in PREDICATES.values() for predicate in group]
    known = sentences(subjects[::2], predicates[::2])
    new = sentences(subjects[1::2], predicates[1::2])
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
    """Read word by word."""
    return x, lengths


def at_once(x, lengths):
    """Read the sum of all words in one step."""
    return x.sum(axis=0, keepdims=True), np.ones_like(lengths)


def make_model(seed):
    """The same network for both ways: one step of tanh units is a feed-forward network."""
    return fr.Sequential(fr.RNN(len(WORDS), UNITS, seed=seed), fr.LastStep(), fr.Linear(UNITS, 1, seed=seed + 1))


def train(model, way, pairs, steps, seed):
    """Train with AdamW on all pairs at once. Returns the loss of the last step, in nats per sentence."""
    x, lengths, is_question = one_hot(pairs)
    decay = {"0.weight_ih_l0": {"weight_decay": DECAY}}  # input weights
    optimizer = fr.AdamW(model, lr=LEARNING_RATE, weight_decay=0, groups=decay)
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        kept_words = rng.random((*x.shape[:2], 1)) >= WORD_DROPOUT
        seen, seen_lengths = way(x * kept_words.astype(np.float32), lengths)
        logits, _, tape = model.forward(seen, lengths=seen_lengths)
        loss, dlogits = fr.binary_cross_entropy_with_logits(logits, is_question)
        model.zero_grad()
        model.backward(tape, dlogits)
        optimizer.step()
    return loss


def accuracy(model, way, pairs):
    """The share of sentences that the model classifies correctly."""
    x, lengths, is_question = one_hot(pairs)
    logits, _ = model(*way(x, lengths)[:1], lengths=way(x, lengths)[1])
    return float(((logits > 0) == is_question).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sentences", nargs="*", help="to classify, in words that the example knows")
    parser.add_argument("--steps", type=int, default=300, help="training steps; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of the initial parameters; default: 0")
    arguments = parser.parse_args()
    for text in arguments.sentences:
        if not text.split() or not set(text.split()) <= set(WORDS):
            parser.error(f"expected words of: {', '.join(WORDS)}; got {text!r}")

    known, new = split()
    print(f"{len(known)} pairs for training, {len(new)} in new words; {len(WORDS)} words in total\n")
    print(f"{'':32}{'word by word':>16}{'all at once':>14}")
    accuracies = {}
    for name, training, test in (
        ("you are good / are you good", [("you are good", "are you good")], [("you are good", "are you good")]),
        ("training pairs", known, known),
        ("pairs in new words", known, new),
    ):
        for way in (in_order, at_once):
            model = make_model(arguments.seed)
            train(model, way, training, arguments.steps, arguments.seed)
            accuracies[name, way] = accuracy(model, way, test)
            if way is in_order:
                reader = model
        print(f"{name:32}{accuracies[name, in_order]:>15.1%} {accuracies[name, at_once]:>13.1%}")

    for text in arguments.sentences:
        x, lengths, _ = one_hot([(text, text)])
        print(f"{text}{'?' if reader(x, lengths=lengths)[0][0, 0] > 0 else '.'}")
    right = min(accuracies[name, way] for name, way in accuracies if way is in_order)
    if right < 0.99 or max(accuracies[name, way] for name, way in accuracies if way is at_once) > 0.51:
        sys.exit("The network has not learned to tell questions from declarations. Try more --steps.")
    print(f"\nBy the order of words at least {right:.1%} are classified correctly; their sum can only guess.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
