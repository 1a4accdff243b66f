# SPDX-License-Identifier: BSD-3-Clause
"""The container: files of another kind, truncated, or with a damaged header."""

import random
import struct

import pytest
import safetensors
import safetensors.numpy
from support.model_files import MODELS, assert_same, forge, refused

import fastrnn as fr
from fastrnn.io import _container as container


def test_missing_file(path):
    with pytest.raises(FileNotFoundError) as caught:
        fr.load(path)
    assert caught.value.filename == str(path)


NOT_SAFETENSORS = {
    "shorter than the length": b"\x02\0\0",
    "nothing but a length": struct.pack("<Q", 2),
    "text": b"Rien ne va plus. " * 100,
    "zeros": bytes(1000),
    "length of 2**64 - 1": b"\xff" * 8 + b"{}",
    "length of 2**63": struct.pack("<Q", 2**63) + b"{}",
    "length beyond the end": struct.pack("<Q", 3) + b"{}",
}


@pytest.mark.parametrize("name", NOT_SAFETENSORS)
def test_not_a_safetensors_file(name, path):
    path.write_bytes(NOT_SAFETENSORS[name])
    refused(path, "truncated or not a safetensors file")


def test_truncated_anywhere(saved):
    path, _ = saved
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        refused(path, "truncated")


def test_appendix(saved):
    path, _ = saved
    path.write_bytes(path.read_bytes() + b"\0")
    refused(path, "truncated, or with an appendix: expected [0-9]+ bytes of tensors, got [0-9]+")


@pytest.mark.parametrize(
    "header, message",
    [
        (b"no JSON at all..", "header: not JSON"),
        (b'{"a":1', "header: not JSON"),
        (b"\xff\xfe{}", "header: not JSON"),
        ("{}".encode("utf-16"), "header: not JSON"),
        (b"[1, 2]  ", "header: expected an object"),
        (b"null", "header: expected an object"),
        (b'{"a":' + b"9" * 5000 + b"}", "header: not JSON"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
    ids=["text", "cut off", "not UTF-8", "UTF-16", "list", "null", "number of 5000 digits", "deep"],
)
def test_header(header, message, path):
    forge(path, header)
    refused(path, message)


def test_huge_header(path):
    with open(path, "wb") as file:  # sparse
        file.write(struct.pack("<Q", container.LARGEST_HEADER + 1))
        file.truncate(1 << 40)
    refused(path, "expected a header of at most 4194304 bytes, got 4194305")


def damaged(content, rng):
    at = rng.randrange(rng.choice((8, len(content), len(content))) + 1)  # the first eight more often
    before, after = content[:at], content[at:]
    match rng.randrange(6):
        case 0 | 1 if after:
            return before + bytes([after[0] ^ 1 << rng.randrange(8)]) + after[1:]
        case 2:
            return before + rng.randbytes(1) + after[1:]
        case 3:
            return before + bytes([rng.choice(b'0123456789"{}[],:-.eE \\truefalsn')]) + after[1:]
        case 4:
            return before + after[rng.choice((1, 8, len(content))) :]
        case _:
            return before + rng.choice((b"0", b" ", rng.randbytes(3), after[:20])) + after


def test_damage_at_random(tmp_path):
    """Whatever happens to a file: it is refused with a ValueError, or the model is the one that was saved."""
    rng = random.Random(20)
    path = tmp_path / "damaged.safetensors"
    originals = []
    for name in ("gru_options", "sequential", "rnn_relu"):
        model = MODELS[name](seed=0)
        fr.save(model, path)
        originals.append((model, path.read_bytes()))
    loaded = 0
    for case in range(1000):
        model, content = rng.choice(originals)
        for _ in range(rng.choice((1, 1, 1, 2, 5))):
            content = damaged(content, rng)
        path.write_bytes(content)
        try:
            result = fr.load(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: "), case
        else:
            assert_same(result, model)
            safetensors.numpy.load_file(path)  # does not refuse what we accept
            loaded += 1
    assert loaded < 60  # those whose damage is in the version or undid itself
