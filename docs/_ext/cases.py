# SPDX-License-Identifier: BSD-3-Clause
"""A plugin of pytest, for `held`: writes into the file FASTRNN_CASES how many cases each collected test has."""

import json
import os
from pathlib import Path

import hypothesis

ROOT = Path(__file__).parents[2]


def drawn(function):
    """The number of examples that hypothesis draws for each case; 0 for another test."""
    if not hypothesis.is_hypothesis_test(function):
        return 0
    return getattr(function, "_hypothesis_internal_use_settings", hypothesis.settings.default).max_examples


def pytest_collection_finish(session):
    cases = {}
    for item in session.items:
        test = cases.setdefault(f"{item.path.relative_to(ROOT)}::{item.originalname}", {"cases": 0})
        test["cases"] += 1
        test["drawn"] = drawn(item.obj)
    Path(os.environ["FASTRNN_CASES"]).write_text(json.dumps(cases))
