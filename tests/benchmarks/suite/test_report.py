# SPDX-License-Identifier: BSD-3-Clause
"""The results of a run, as a document and as files."""

import copy
import json
from dataclasses import asdict

import numpy as np
import pytest
from support.bench_data import SMALL

from fastrnn.benchmarks._suite import report, run
from fastrnn.benchmarks._suite.markdown import concurrent_table, disturbed_cases, markdown
from fastrnn.benchmarks._suite.steps.cases import STEPS


def test_a_document_has_every_figure(small_run):
    """In the order of the cases; numbers have their unit in the name; it can be stored as JSON."""
    assert [row["name"] for row in small_run["results"]] == [case.name for case in SMALL]
    for row in small_run["results"]:
        ours, theirs = row["peers"]["fastrnn"], row["peers"]["numpy"]
        for figures in (ours, theirs):
            assert 0 < figures["best_seconds"] <= figures["median_seconds"] <= figures["p95_seconds"]
            assert figures["gflops"] == pytest.approx(row["flop"] / figures["median_seconds"] * 1e-9)
            assert figures["rounds"] in (run.SLOW_ROUNDS, 3)
        assert ours["roof_fraction"] == pytest.approx(row["bound_seconds"] / ours["median_seconds"])
        assert theirs["ratio"] > 1
    assert small_run["machine"]["versions"]["numpy"]["numpy"] == np.__version__
    assert {"cpu", "cores", "isa", "date", "command", "load_average"} <= small_run["machine"].keys()
    assert json.loads(json.dumps(small_run)) == small_run


def test_a_document_is_written(small_run, tmp_path):
    """To both files; a ratio below 1 is bold and listed."""
    document = copy.deepcopy(small_run)
    document["results"][0]["peers"]["numpy"]["ratio"] = 0.4
    document["results"][1]["peers"]["other"] = {"skipped": "inference only"}
    report.write(document, tmp_path)
    text = (tmp_path / "RESULTS.md").read_text()
    assert json.loads((tmp_path / "RESULTS.json").read_text()) == document
    assert "**0.40**" in text and f"| {SMALL[0].name} | numpy | 0.40 |" in text
    assert "* other: skipped: inference only" in text
    assert "| tiny, gru, inference | **0.40** | **0.40** | 2 | 0 of 1 |" in text


def test_whole_steps_and_modules_have_sections(small_run):
    """And their aims, who was faster, and the cases that others disturbed are among those of the layers."""
    ours = {"median_seconds": 1e-3, "p95_seconds": 2e-3, "parts": {"loss": 3e-4, "rest": 7e-4, "whole": 1e-3}}
    step = asdict(STEPS[0]) | {"name": "steps-language/x", "group": "steps-language", "shape": "x"}
    peers = {"fastrnn": ours, "torch": {"ratio": 0.8}}
    document = small_run | {
        "steps": [step | {"elsewhere_cores": 1.0, "peers": peers}],
        "accelerated": [{"name": "module", "seconds": [4e-3, 2e-3, 3e-3, 6e-3]}],
    }
    text = markdown(document)
    assert "| whole step, language | **0.80** | **0.80** | 1.3 | 0 of 1 | – |" in text
    assert "| steps-language/x | torch | 0.80 |" in text and "\n* steps-language/x\n" in text
    assert "| x | 1 | 1 ms | 2 ms | **0.80** |" in text
    assert "| steps-language/x | fastrnn | rest 70, loss 30 |" in text
    assert "| module | 4 ms | 2 ms | 2.00 | 3 ms | 6 ms | **0.50** |" in text


def test_a_roof_that_moved_marks_the_run(small_run):
    """It is measured at the start and at the end; an older run has it at the start only."""
    assert "no rate differs by more than 10 %" in markdown(small_run | {"roof_after": small_run["roof"]})
    after = copy.deepcopy(small_run["roof"])
    after["fma_gflops"]["float32"]["2"] *= 0.7
    text = markdown(small_run | {"roof_after": after})
    assert "**The roof moved during this run**" in text
    assert "* multiply-adds, float32, 2 threads: 0.70 times that of the start" in text
    assert "at the start of the run only" in markdown(small_run)


def test_concurrent_streams_have_a_table_of_rates_and_latencies(small_run):
    """By cell, threads and number of streams: steps of all streams per second, and the slowest of a hundred calls."""
    figures = {"median_seconds": 4e-5, "p95_seconds": 5e-5, "p99_seconds": 6e-5, "gflops": 1.0, "roof_fraction": 0.5}
    rows = []
    for group, scale in (("streams-pooled", 1), ("streams-each", 10)):
        row = copy.deepcopy(small_run["results"][0]) | {"group": group, "cell": "gru", "N": 8}
        ours = {name: value * scale for name, value in figures.items()}
        rows.append(row | {"peers": {"fastrnn": ours, "onnxruntime": {"error": "died"}}})
    head, _, line, *_ = concurrent_table(rows)
    assert head == "| cell | threads | streams | fastrnn, pooled | fastrnn, each |"
    assert line == "| gru | 1 | 8 | 200 k/s, 60 µs | 20 k/s, 600 µs |"
    text = markdown(small_run | {"results": rows})
    assert line in text and text.count("## Concurrent streams") == 3
    assert concurrent_table(small_run["results"]) == [] and "Concurrent" not in markdown(small_run)


def test_a_disturbed_case_is_named(small_run):
    """One during which other processes used the machine."""
    document = copy.deepcopy(small_run)
    document["results"][0] |= {"elsewhere_cores": 1.0}
    assert disturbed_cases(document["results"]) == [SMALL[0].name]
    title = "## Measured while other processes used the machine"
    assert f"{title}\n\n* {SMALL[0].name}\n" in markdown(document)


NAMES = "RESULTS.json", "RESULTS.md", "roof.png"


def test_results_replace_results_only(small_run, tmp_path):
    """Unless told to. The folder is made, or refused, before anything is measured."""
    report.check_folder(tmp_path / "new" / "folder", NAMES, False)
    report.write(small_run, tmp_path / "new" / "folder")
    report.check_folder(tmp_path / "new" / "folder", NAMES, False)
    for name in NAMES[1:]:
        (tmp_path / name).write_text("mine")
        with pytest.raises(ValueError, match=f"--out: .*/{name} is no result of an earlier run; --overwrite replaces"):
            report.check_folder(tmp_path, NAMES, False)
        report.check_folder(tmp_path, NAMES, True)
        (tmp_path / name).unlink()
    for content in "", "[1]", "[" * 10**5, '{"format": 1}', "\0":
        (tmp_path / "RESULTS.json").write_text(content)
        with pytest.raises(ValueError, match="RESULTS.json is no result"):
            report.check_folder(tmp_path, NAMES, False)
    with pytest.raises(FileExistsError, match="RESULTS.json"):
        report.check_folder(tmp_path / "RESULTS.json", NAMES, False)


def test_a_link_among_the_results_is_not_followed(small_run, tmp_path):
    report.write(small_run, tmp_path)
    (tmp_path / "roof.png").symlink_to("other")
    with pytest.raises(ValueError, match="--out: .* is no result of an earlier run"):
        report.check_folder(tmp_path, NAMES, False)
