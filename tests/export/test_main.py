# SPDX-License-Identifier: BSD-3-Clause
"""python -m fastrnn.export."""

import os
import subprocess
import sys

import pytest

import fastrnn as fr
from fastrnn.export.__main__ import main


def test_it_writes_the_files_of_the_model(tmp_path, capsys):
    """With the name of the model file, or that given; as `export_c` writes them."""
    model = fr.Sequential(fr.GRU(2, 3, seed=0), fr.Linear(3, 1, seed=1))
    fr.save(model, tmp_path / "wind-speed.safetensors")
    main([str(tmp_path / "wind-speed.safetensors"), "-o", str(tmp_path / "src")])
    main([str(tmp_path / "wind-speed.safetensors"), "--out", str(tmp_path / "src"), "--name", "wind"])
    assert sorted(os.listdir(tmp_path / "src")) == ["wind.c", "wind.h", "wind_speed.c", "wind_speed.h"]
    fr.export.export_c(model, tmp_path, "wind")
    assert (tmp_path / "wind.c").read_bytes() == (tmp_path / "src" / "wind.c").read_bytes()
    assert f"{tmp_path / 'src' / 'wind.c'}: 0.0 MB" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        (lambda: fr.Sequential(embed=fr.Embedding(3, 2)), [], "layer embed: expected RNN"),
        (lambda: fr.GRU(2, 3), ["--name", "2nd"], "name: expected letters"),
        (lambda: fr.GRU(2, 3), ["--out", "/dev/null/src"], "/dev/null"),
    ],
)
def test_errors_are_messages(model, arguments, message, tmp_path):
    path = tmp_path / "model.safetensors"
    fr.save(model(), path)
    with pytest.raises(SystemExit, match=f"^python -m fastrnn.export: .*{message}"):
        main([str(path), "-o", str(tmp_path), *arguments])
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_it_runs_as_a_module(tmp_path):
    (tmp_path / "text.safetensors").write_text("no model")
    command = [sys.executable, "-m", "fastrnn.export", str(tmp_path / "text.safetensors"), "-o", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (
        done.returncode == 1 and done.stderr.startswith("python -m fastrnn.export: ") and "Traceback" not in done.stderr
    )
