# SPDX-License-Identifier: BSD-3-Clause
"""The benchmarks: the table of cases, the figures, the processes, the reports and the regression guard."""

import copy
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.benchmarks import aims, cases, check, machine, peers, quiet, report, roof, run, worker
from fastrnn.benchmarks.cases import Case
from fastrnn.benchmarks.peers import onnx_model
from fastrnn.benchmarks.peers.fastrnn import Peer as Fastrnn
from fastrnn.benchmarks.peers.numpy import Peer as NumPy

SETTINGS = run.Settings(rounds=3, block=0.001, limit=20)
SMALL = [Case("tiny", "gru", 4, 2, 3, 5), Case("tiny", "lstm", 4, 2, 3, 5, training=True)]
ROOF = {  # invented, round numbers
    "fma_gflops": {"float32": {"1": 100.0, "2": 200.0}, "float64": {"1": 50.0, "2": 100.0}},
    "read_gbs": {
        level: {"1": gbs, "2": 2 * gbs} for level, gbs in {"L1": 200.0, "L2": 100.0, "L3": 50.0, "DRAM": 10.0}.items()
    },
    "barrier_seconds": {"2": 1e-7},
    "cache_bytes": {"L1": 32 << 10, "L2": 1 << 20, "L3": 32 << 20},
}


@pytest.fixture(autouse=True)
def thread_settings():
    """Peers set the number of threads of their process, which is this one here."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    yield
    fr.set_num_threads(None)
    if torch:
        torch.set_num_threads(before)


# -- the table -------------------------------------------------------------------------------------


def test_names_are_unique_and_a_quick_case_is_in_the_full_table():
    """So `--check` finds every quick case in a committed full run."""
    full, quick = cases.table([1, 2]), cases.table([1, 2], quick=True)
    names = {case.name for case in full}
    assert len(names) == len(full) > 200
    assert len({case.name for case in quick}) == len(quick) > 20
    assert {case.name for case in quick} <= names
    assert {case.threads for case in quick} == {2} and {case.threads for case in full} == {1, 2}
    assert cases.table([1])  # a machine with one core


def test_operations_against_a_count_by_hand():
    """2 for each weight, row and step; training is three times that."""
    weights = 3 * 5 * 7 + 3 * 5 * 5  # GRU, H=5, I=7: w_ih and w_hh
    assert Case("x", "gru", 4, 2, 7, 5).flop == 2 * 4 * 2 * weights
    assert Case("x", "gru", 4, 2, 7, 5, training=True).flop == 3 * 2 * 4 * 2 * weights
    upper = 3 * 5 * 10 + 3 * 5 * 5  # the second layer reads both directions
    assert Case("x", "gru", 4, 2, 7, 5, L=2, D=2).flop == 2 * 4 * 2 * 2 * (weights + upper)
    assert Case("x", "rnn_tanh", 1, 1, 1, 1).flop == 4


def test_a_ragged_case_counts_its_lengths():
    """In the operations, in the rows that run, and in the gradient that is given."""
    case = Case("ragged", "lstm", 9, 6, 3, 4, ragged=True)
    total = int(case.lengths.sum())
    assert case.lengths.min() >= 1 and case.lengths.max() <= 9 and total < 9 * 6
    assert case.flop == 2 * total * 4 * 4 * (3 + 4)
    assert case.running.tolist() == [int((case.lengths > t).sum()) for t in range(9)]
    dy = cases.data(case)["dy"]
    assert (dy.any(axis=2) == (np.arange(9)[:, None] < case.lengths)).all()
    dense = cases.dense_of(case)
    assert not dense.ragged and abs(dense.T * dense.N - total) <= dense.N / 2


# -- figures ---------------------------------------------------------------------------------------


def test_figures_of_given_samples():
    """Median and 95th percentile of all samples; the ratio is the median of the rounds that both had."""
    samples = {0: [float(k) for k in range(1, 11)], 1: [float(k) for k in range(11, 21)]}
    found = run.summary(samples)
    assert (found["median_seconds"], found["p95_seconds"], found["best_seconds"]) == (10.5, 19.0, 1.0)
    assert (found["samples"], found["rounds"]) == (20, 2)
    ours = {0: [1.0, 1.0, 9.0], 1: [2.0], 2: [1.0], 3: [1.0]}
    theirs = {0: [2.0], 1: [2.0], 2: [5.0]}
    assert run.ratio(theirs, ours) == 2.0
    assert [run.percentile([3.0, 1.0, 2.0], percent) for percent in (1, 50, 95, 100)] == [1, 2, 3, 3]


def test_short_calls_are_timed_several_at_once():
    """A sample is the time of one call in both cases."""
    calls = []
    samples = worker.time_block(lambda: calls.append(0), 0.002, 1e-6)
    assert len(calls) == 100 * len(samples) and 0 < min(samples) < 1e-4
    del calls[:]
    assert len(worker.time_block(lambda: calls.append(0), 0, 1)) == len(calls) == 1


def test_a_block_begins_when_a_call_takes_what_it_usually_does():
    """Slow first calls do not count; a peer that stays slow is timed all the same."""
    calls = []

    def call():
        calls.append(0)
        time.sleep(0.005 if len(calls) <= 2 else 0)

    worker.warm_up(call, usual=0.002)
    assert len(calls) == 3
    del calls[:]
    worker.warm_up(lambda: calls.append(time.sleep(0.005)), usual=0.001)
    assert 1 < len(calls) <= worker.LONGEST_WARM_UP / 0.005 + 1


def test_the_bound_is_what_its_docstring_says():
    """Weights that fit a cache, two plans for two threads, and training."""
    case = Case("x", "lstm", 10, 1, 64, 64)
    weights, projection = 4 * 64 * 64, 2 * 10 * 4 * 64 * 64 / 100e9
    step = weights * 4 / 100e9  # 64 KiB, from L2
    assert roof.bound(case, ROOF) == pytest.approx(projection + 10 * step)
    train = Case("x", "lstm", 10, 1, 64, 64, training=True)
    assert roof.bound(train, ROOF) == pytest.approx(3 * projection + projection + 2 * 10 * step)
    two = Case("x", "lstm", 10, 1, 64, 64, threads=2)
    assert roof.bound(two, ROOF) == pytest.approx(projection / 2 + 10 * (weights * 2 / 200e9 + 1e-7))
    many = Case("x", "lstm", 10, 64, 64, 64, threads=2)
    assert roof.bound(many, ROOF) == pytest.approx(many.flop / 200e9)


def test_the_roof_of_this_machine():
    """The engine's own probes: nothing reads faster from far than from near."""
    fma = roof.rate("fma", 0, 4096, 1)
    assert 1e9 < fma < 1e13
    sizes = roof.working_sets(1)
    assert sizes["L1"] < sizes["L2"] < sizes["L3"]
    assert 1e8 < roof.rate("read", 0, sizes["L1"], 1) < 1e13


# -- processes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case", [*SMALL, Case("streaming", "lstm", 1, 1, 3, 5), Case("x", "gru", 4, 2, 3, 5, 2, 2, True)]
)
def test_numpy_agrees_with_fastrnn(case):
    """Every array that the check compares."""
    data = cases.data(case)
    ours, theirs = (kind(1).prepare(case, data)[1]() for kind in (Fastrnn, NumPy))
    assert worker.disagreement(case, theirs, ours) is None
    assert {"y", "dx", "weight_ih_l0"} <= ours.keys() if case.training else ours.keys() == {"y"}


def test_torch_agrees_with_fastrnn():
    """Ragged training, two layers and directions: every gradient."""
    torch = pytest.importorskip("torch")
    case = Case("x", "lstm", 6, 4, 3, 5, 2, 2, True, ragged=True)
    data, peer = cases.data(case), peers.load("torch", torch.get_num_threads())
    ours, theirs = Fastrnn(1).prepare(case, data)[1](), peer.prepare(case, data)[1]()
    assert worker.disagreement(case, theirs, ours) is None
    assert peer.supports(Case("x", "gru_reset_before", 1, 1, 1, 1)) == "PyTorch's GRU has only reset_after=True"


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    """Two small cases with fastrnn and NumPy, as a document."""
    folder = tmp_path_factory.mktemp("run")
    results, versions = run.measure_all(SMALL, ["numpy"], SETTINGS, folder)
    results = [(case, found, 0.0) for case, found, _ in results]  # whatever the machine does during the tests
    return report.document(results, ROOF, machine.describe([1], versions, ["--quick"]), {})


def test_a_run_has_every_figure(small_run):
    """In the order of the cases, numbers with their unit in the name, and as JSON."""
    assert [row["name"] for row in small_run["results"]] == [case.name for case in SMALL]
    for row in small_run["results"]:
        ours, theirs = row["peers"]["fastrnn"], row["peers"]["numpy"]
        for found in (ours, theirs):
            assert 0 < found["best_seconds"] <= found["median_seconds"] <= found["p95_seconds"]
            assert found["gflops"] == pytest.approx(row["flop"] / found["median_seconds"] * 1e-9)
            assert found["rounds"] in (run.SLOW_ROUNDS, 3)
        assert ours["roof_fraction"] == pytest.approx(row["bound_seconds"] / ours["median_seconds"])
        assert theirs["ratio"] > 1
    assert small_run["machine"]["versions"]["numpy"]["numpy"] == np.__version__
    assert {"cpu", "cores", "isa", "date", "command", "load_average"} <= small_run["machine"].keys()
    assert json.loads(json.dumps(small_run)) == small_run


def test_a_run_is_written(small_run, tmp_path):
    """Both files; a ratio below 1 is bold and listed."""
    found = copy.deepcopy(small_run)
    found["results"][0]["peers"]["numpy"]["ratio"] = 0.4
    found["results"][1]["peers"]["other"] = {"skipped": "inference only"}
    report.write(found, tmp_path)
    text = (tmp_path / "RESULTS.md").read_text()
    assert json.loads((tmp_path / "RESULTS.json").read_text()) == found
    assert "**0.40**" in text and f"| {SMALL[0].name} | numpy | 0.40 |" in text
    assert "* other: skipped: inference only" in text
    assert "| tiny, gru, inference | **0.40** | **0.40** | 2 | 0 of 1 |" in text


def test_a_run_is_drawn(small_run, tmp_path):
    """Each picture for which there is data, as PNG and SVG."""
    pytest.importorskip("matplotlib")
    from fastrnn.benchmarks import plots

    assert plots.write(small_run, tmp_path) == ["roof", "peers"]
    assert {path.name for path in tmp_path.iterdir()} == {"roof.png", "roof.svg", "peers.png", "peers.svg"}
    assert (tmp_path / "roof.png").read_bytes()[:4] == b"\x89PNG"


def test_others_are_noticed():
    """A busy process that is not ours counts; one that is ours does not."""
    if quiet.machine_ticks() is None:
        pytest.skip("needs /proc/stat")
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        ours, others = quiet.Watch(lambda: [os.getpid(), busy.pid]), quiet.Watch(lambda: [os.getpid()])
        time.sleep(0.5)
        found, known = others.cores(), ours.cores()
    finally:
        busy.kill()
        busy.wait()
    assert found > quiet.NOISE and known < found


def test_what_was_disturbed_is_said(small_run):
    """In the report, and by the guard where it fails."""
    found = copy.deepcopy(small_run)
    found["results"][0] |= {"elsewhere_cores": 1.0}
    assert report.disturbed(found["results"]) == [SMALL[0].name]
    assert f"## Measured while others used the machine\n\n* {SMALL[0].name}\n" in report.markdown(found)
    found["results"][0]["peers"]["numpy"]["ratio"] *= 0.1
    assert "Others used the machine during 1 of these cases" in check.verdict(small_run, found)[1]


@pytest.fixture
def misbehaving(monkeypatch):
    """Names of the peers in bench_peers.py; a worker finds them."""
    here = str(Path(__file__).parents[1] / "support")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")])))
    return lambda *names: [f"bench_peers:{name}" for name in names]


def test_a_peer_that_disagrees_or_dies_is_reported(misbehaving, tmp_path):
    """With its reason; the others, also one that prints, are measured."""
    names = misbehaving("Wrong", "Chatty", "Dies")
    (_, first, _), (_, second, _) = run.measure_all([SMALL[0]] * 2, names, SETTINGS, tmp_path)[0]
    for found in (first, second):
        wrong, chatty, dies = (found[name] for name in names)
        assert wrong["error"].startswith("y: differs from fastrnn's by 1.0e-03 of the largest magnitude")
        assert "ratio" in chatty and "median_seconds" in found["fastrnn"]
        assert dies == {"error": "the process ended with code 7: last words"}


def test_a_peer_that_hangs_is_given_up_and_started_again(misbehaving, tmp_path):
    """For the case in which it hangs; it is measured in the next one."""
    (name,) = misbehaving("Hangs")
    settings = run.Settings(rounds=1, block=0.001, limit=3)
    table = [SMALL[0], Case("tiny", "rnn_tanh", 4, 2, 3, 5)]
    (_, first, _), (_, second, _) = run.measure_all(table, [name], settings, tmp_path)[0]
    assert first[name] == {"error": "no answer within 3 s"} and "median_seconds" in first["fastrnn"]
    assert "ratio" in second[name]


# -- the regression guard --------------------------------------------------------------------------


def test_the_check_accepts_what_is_as_fast(small_run):
    """The same run, and one that is slower by less than the constant allows."""
    assert check.verdict(small_run, small_run)[0] == 0
    slower = copy.deepcopy(small_run)
    for row in slower["results"]:
        row["peers"]["numpy"]["ratio"] *= 0.7
    assert check.verdict(small_run, slower)[0] == 0


@pytest.mark.parametrize("peer, figure", [("numpy", "ratio"), ("fastrnn", "roof_fraction")])
def test_the_check_names_what_is_slower(small_run, peer, figure):
    """Either quantity; also one that cannot be measured any more."""
    slower = copy.deepcopy(small_run)
    slower["results"][1]["peers"][peer][figure] *= 0.5
    code, words = check.verdict(small_run, slower)
    assert code == 1 and words.startswith("1 of 4 figures below 0.6") and SMALL[1].name in words
    slower["results"][1]["peers"][peer] = {"error": "the process ended with code -11"}
    code, words = check.verdict(small_run, slower)
    assert code == 1 and "not measured" in words


def test_the_check_refuses_what_it_cannot_compare(small_run):
    """Another engine, another number of threads, another file, no case in common."""
    check.comparable(small_run, small_run["machine"]["isa"], 1)
    with pytest.raises(ValueError, match="results of the engine in use, other, got those of"):
        check.comparable(small_run, "other", 1)
    with pytest.raises(ValueError, match="with 3 threads, got those with 1"):
        check.comparable(small_run, small_run["machine"]["isa"], 3)
    with pytest.raises(ValueError, match="expected a RESULTS.json of format"):
        check.comparable([], "avx2", 1)
    assert check.verdict(small_run | {"results": []}, small_run)[0] == 1


# -- aims, models, the command line ----------------------------------------------------------------


def test_numpy_counts_as_a_peer_only_where_it_is_alone():
    """It is the yardstick."""
    row = {"peers": {"fastrnn": {}, "numpy": {"ratio": 2.0}, "jax": {"error": "no"}}}
    assert aims.best_peer(row) == ("numpy", 2.0)
    row["peers"] |= {"torch": {"ratio": 4.0}, "openvino": {"ratio": 3.0}}
    assert aims.best_peer(row) == ("openvino", 3.0)
    assert aims.best_peer({"peers": {"fastrnn": {}}}) is None


@pytest.mark.parametrize("operator, letters, onnx", [("LSTM", "ifgo", "iofg"), ("GRU", "rzn", "zrn")])
def test_gates_are_in_the_order_of_onnx(operator, letters, onnx):
    """LSTM i o f c (PyTorch calls c g), GRU z r h (PyTorch calls h n)."""
    rows = np.repeat(np.array([[ord(letter)] for letter in letters]), 3, axis=0)
    assert onnx_model.reorder(operator, rows).ravel()[::3].tolist() == [ord(letter) for letter in onnx]


KINDS = [{}, {"D": 2}, {"L": 2}, {"ragged": True}, {"group": "streaming", "T": 1, "N": 1}]


@pytest.mark.parametrize("peer", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(
    "options", [{}, {"D": 2}, {"L": 2}, {"ragged": True}, {"group": "streaming", "T": 1, "N": 1}], ids=str
)
@pytest.mark.parametrize("cell", ["lstm", "gru", "gru_reset_before", "rnn_tanh"])
def test_an_onnx_model_computes_the_same(cell, options, peer):
    """Each kind of model, by what runs it, against PyTorch where it can, else against fastrnn."""
    if peers.missing(peer):
        pytest.skip(f"{peer} is not installed")
    case = Case(**{"group": "x", "cell": cell, "T": 5, "N": 3, "I": 4, "H": 16} | options)
    data = cases.data(case)
    _, theirs = peers.load(peer, 1).prepare(case, data)
    live = not peers.missing("torch") and cell != "gru_reset_before"
    other = peers.load("torch", importlib.import_module("torch").get_num_threads()) if live else Fastrnn(1)
    with other.timing(case):
        expected = other.prepare(case, data)[1]()
    assert worker.disagreement(case, theirs(), expected) is None


def command(*arguments, code="from fastrnn.benchmarks.__main__ import main; main()"):
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)


def test_a_missing_requirement_names_the_extra():
    """tqdm and matplotlib come with fastrnn[bench]."""
    blocked = "import sys; sys.modules['matplotlib'] = sys.modules['tqdm'] = None; import fastrnn.benchmarks.__main__"
    message = command(code=blocked).stderr.strip().splitlines()[-1]
    assert message == 'ImportError: The benchmarks need tqdm: pip install "fastrnn[bench]"'


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--threads", "0"], "expected numbers of threads like 1,2, got '0'"),
        (["--peers", "tensorflow"], "--peers: expected names of numpy, torch"),
        (["--only", "no such case"], "--only: no case has a name like 'no such case'"),
        (["--only", "("], "expected a regular expression, got '('"),
        (["--check", "no-such-file.json"], "No such file or directory: 'no-such-file.json'"),
    ],
)
def test_the_command_line_is_checked(arguments, words):
    """Before anything is measured."""
    pytest.importorskip("matplotlib")
    process = command(*arguments)
    assert process.returncode != 0 and words in process.stderr
