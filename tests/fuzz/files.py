# SPDX-License-Identifier: BSD-3-Clause
"""Damaged and forged files: every reader raises ValueError, TypeError or OSError, or returns what is valid.

What an accident did to a file is never read as something else: a reader that accepts it returns the original.
"""

import json
import os
import resource
import warnings

import numpy as np
import safetensors.numpy
from fuzz.arrays import choose
from fuzz.mutations import ARRAYS, accident, replaced, text_of
from fuzz.runner import Attack
from support import checkpoints, training
from support.model_files import MODELS, bits, forge, split

import fastrnn as fr
from fastrnn.io import _container as container
from fastrnn.io._checkpoints import read_checkpoint, write_checkpoint

REFUSALS = (ValueError, TypeError, OSError)
MEMORY = 1 << 29  # bytes beyond what the process has
NOTES = {"vocabulary": ["a", "b"], "trained": {"epochs": 3, "loss": 0.25}}


def limit_memory():
    """Let no reader take much more than a file's size; sanitizers reserve their own memory by terabytes."""
    if "asan" in os.environ.get("LD_PRELOAD", ""):
        return
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def described(model):
    return json.dumps(model.config(), sort_keys=True), bits(model)


def same_tree(a, b):
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same_tree(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same_tree, a, b))
    return type(a) is type(b) and a == b


class Files(Attack):
    """One mutated file, given to all that could read it."""

    limit = 30.0

    def __init__(self, folder):
        super().__init__(folder)
        self.path, self.whole = self.folder / "mutated", self.folder / "whole"
        x = np.random.default_rng(0).standard_normal((training.T, 12, 2)).astype(np.float32)
        self.data = x, x[-1]
        self.checkpoint, self.run = self.folder / "checkpoint", self.folder / "run"
        parts = checkpoints.make()
        checkpoints.learn(*parts)
        fr.save_checkpoint(self.checkpoint, *parts, epoch=3)
        self.fit(self.run, epochs=2)
        limit_memory()

    def fit(self, path, **options):
        model = training.make_model()
        return training.fit(model, self.data, checkpoint=path, **{"epochs": 3, "validation": self.data} | options)

    def case(self, rng):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of options that differ
            choose(rng, self.models, self.models, self.checkpoints, self.runs)(rng)

    # -- models ------------------------------------------------------------------------------------------------------

    def models(self, rng):
        name = choose(rng, *MODELS)
        model = MODELS[name](seed=int(rng.integers(1000)))
        fr.save(model, self.whole, notes=NOTES if rng.random() < 0.5 else None)
        if rng.random() < 0.5:
            content, how = accident(rng, self.whole.read_bytes())
            self.path.write_bytes(content)
            self.note(f"{name}, {how}")
            self.read_models(described(model), fr.load_notes(self.whole))
        else:
            self.note(f"{name}, {self.forge_model(rng)}")
            self.read_models()

    def read_models(self, original=None, notes=None):
        try:
            found = fr.load_notes(self.path)
            assert isinstance(found, dict)
            assert notes is None or found == notes, "damaged notes were read as others"
        except REFUSALS:
            pass
        try:
            model = fr.load(self.path)
        except REFUSALS:
            return
        assert isinstance(model, fr.nn.Layer), f"load returned {type(model)}"
        assert original is None or described(model) == original, "a damaged model was read as another"
        fr.save(model, self.whole)
        assert described(fr.load(self.whole)) == described(model), "what load returns is not what save wrote"

    def forge_model(self, rng):
        """Write a file with other metadata, whose lengths and checksums are right; what was done."""
        header, data = split(self.whole)
        arrays = safetensors.numpy.load(self.whole.read_bytes())
        metadata = header["__metadata__"]
        about, notes = json.loads(metadata["fastrnn"]), json.loads(metadata.get("notes", "null"))
        part = choose(rng, "header", "about", "architecture", "architecture", "notes")
        how = ""
        for _ in range(choose(rng, 1, 1, 2)):
            if part == "header":
                header, how = replaced(rng, header)
            elif part == "architecture":
                about["architecture"], how = replaced(rng, about.get("architecture"))
            elif part == "about":
                about, how = replaced(rng, about)
            else:
                notes, how = replaced(rng, notes)
        if "crc32" in about and part != "about":
            about["crc32"] = container.checksum(about.get("architecture"), arrays)
        if part != "header":
            texts = {} if notes is None else {"notes": text_of(notes)}
            about |= {key: container.text_checksum(text) for key, text in texts.items()}
            header["__metadata__"] = {"fastrnn": text_of(about), **texts}
        forge(self.path, text_of(header).encode(), data)
        return f"{part}: {how}"

    # -- checkpoints -------------------------------------------------------------------------------------------------

    def mutate_checkpoint(self, rng, whole):
        """Write a damaged or forged checkpoint; whether it was an accident."""
        by_accident = bool(rng.random() < 0.4)
        if by_accident:
            content, how = accident(rng, whole.read_bytes())
            self.path.write_bytes(content)
        else:
            tree, how = replaced(rng, read_checkpoint(whole), ARRAYS)
            try:
                write_checkpoint(self.path, tree)
            except (*REFUSALS, RecursionError):  # nothing that can be in a file
                self.path.write_bytes(b"")
        self.note(f"{whole.name}, {how}")
        if by_accident:
            try:
                assert same_tree(read_checkpoint(self.path), read_checkpoint(whole)), (
                    "damage was read as something else"
                )
            except REFUSALS:
                pass

    def checkpoints(self, rng):
        self.mutate_checkpoint(rng, self.checkpoint)
        parts = checkpoints.make(seed=5)
        before = checkpoints.everything(*parts)
        try:
            fr.load_checkpoint(self.path, *parts)
        except REFUSALS:
            checkpoints.assert_same(checkpoints.everything(*parts), before)

    def runs(self, rng):
        """A training that resumes, for one more epoch at most."""
        self.mutate_checkpoint(rng, self.run)
        try:
            self.fit(self.path, resume=True, callbacks=[lambda *_: True])
        except (*REFUSALS, FloatingPointError):  # of a loss that is not finite
            pass
