# SPDX-License-Identifier: BSD-3-Clause
"""What documents show of the results that are kept, and rewriting it."""

import copy
import json
from pathlib import Path

import pytest

from fastrnn.benchmarks._suite import published
from fastrnn.benchmarks._suite.markdown import markdown

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "benchmarks" / "results"
KINDS = sorted(path.parent.name for path in FOLDER.glob("*/RESULTS.json"))

pytestmark = pytest.mark.skipif(not KINDS, reason="results are only in the repository")
pytest.importorskip("matplotlib")


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_is_made_from_the_results_beside_it(kind):
    """Both files are written by the same run, and a change of the report's words is applied to old figures."""
    document = json.loads((FOLDER / kind / "RESULTS.json").read_text())
    assert markdown(document) == (FOLDER / kind / "RESULTS.md").read_text()
    assert document["machine"]["kind"] == kind
    assert {f"{name}.png" for name in ("roof", "peers", "scaling")} <= {p.name for p in (FOLDER / kind).iterdir()}


@pytest.mark.parametrize(
    "name, rewrite",
    [
        ("README.md", published.readme),
        ("benchmarks/LIMITS.md", published.limits),
        *((name, published.plotted) for name in published.PLOTTED),
    ],
)
def test_documents_show_the_figures_of_the_results(name, rewrite):
    """Every number between the marks, and the plot of the newest results, which is there."""
    text = (ROOT / name).read_text()
    assert rewrite(text, published.kept(FOLDER)) == text


@pytest.fixture
def documents(small_run):
    """Results of two kinds of CPU, the newer one first; in one of them a peer is ahead."""
    behind = copy.deepcopy(small_run)
    behind["results"][0]["peers"]["numpy"]["ratio"] = 0.5
    return {"b": small_run | {"machine": small_run["machine"] | {"kind": "b"}}, "a": behind}


TEXT = f"before\n{published.BEGIN}\n{{}}{published.END}\nafter benchmarks/results/a/peers.png\n"


def test_a_reason_stays_with_its_case(documents):
    """A case that is new has none, and one that is gone is dropped."""
    once = published.limits(TEXT.format(""), documents)
    (line,) = [line for line in once.splitlines() if line.startswith("* ")]
    assert line.endswith(f"numpy 0.50: {published.UNKNOWN}") and "Nowhere." in once
    known = once.replace(published.UNKNOWN, "because: of that")
    assert published.limits(known, documents) == known
    assert "because" not in published.limits(known, {"b": documents["b"]})
    assert "* " not in published.limits(known, {"b": documents["b"]})


def test_readme_has_a_table_for_each_cpu(documents):
    text = published.readme(TEXT.format("old\n"), documents)
    assert text.count("| tiny: N ≤ 4, H ≤ 64 |") == 2 and "old" not in text
    assert "A peer is more than 3 % faster in 1 of 2 cases." in text
    assert "after benchmarks/results/b/peers.png" in text


def test_a_document_without_marks_is_refused(documents):
    """Also one in which they are twice."""
    for text in "none", TEXT + TEXT:
        with pytest.raises(ValueError, match="--render: expected one passage between"):
            published.readme(text, documents)


def test_a_folder_is_rendered(small_run, tmp_path):
    """As in the repository: reports, plots, and the documents above them."""
    folder = tmp_path / "benchmarks" / "results"
    with pytest.raises(ValueError, match="--render: expected folders with a RESULTS.json in .*, got none"):
        published.render(folder)
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "RESULTS.json").write_text(json.dumps(small_run))
    for name in "README.md", "benchmarks/LIMITS.md", *published.PLOTTED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(TEXT.format(""))
    assert published.render(folder) == ["b"]
    assert (folder / "b" / "RESULTS.md").read_text() == markdown(small_run)
    assert (folder / "b" / "roof.png").exists()
    assert "| tiny: N ≤ 4, H ≤ 64 |" in (tmp_path / "README.md").read_text()
    (folder / "b" / "RESULTS.json").write_text("{}")
    with pytest.raises(ValueError, match="--render: expected a RESULTS.json of format 1 in .*b"):
        published.render(folder)
