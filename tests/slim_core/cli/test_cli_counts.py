"""Counts of thousands read alike in every line and table of the command line."""

from __future__ import annotations

import math
from types import SimpleNamespace

from slim_core.cli.answers import _show_progress
from slim_core.cli.data_sets import show_report
from slim_core.cli.loop import costs
from slim_core.cli.steps import show_groups
from slim_core.data.report import ImportReport


def test_an_import_says_its_counts_in_one_form(capsys):
    groups = ({"split": "train", "group": 0, "name": "landbird, land", "n": 3498},)
    show_report(ImportReport("waterbirds", "birds", "/data/birds", (), 11_788, {"train": 4795}, groups, 11_788))
    said = capsys.readouterr().out
    assert "11,788 images, 11,788 with a" in said
    assert "3,498" in said and "1,297" in said, "and the images of no group"


def test_an_evaluation_and_a_comparison_have_it_too(capsys):
    row = {"n": 9767, "accuracy": 0.5, "low": 0.49, "high": 0.51}
    show_groups({"groups": [{"group": 0, "name": "not blond hair, female", **row}]})
    assert "9,767" in capsys.readouterr().out
    assert costs({"images": 162_770, "answers": 4883, "seconds": 107.5}) == ["162,770", "4,883", "107.5"]
    assert costs({"images": math.nan, "answers": 0, "seconds": None}) == [None, "0", None]


def test_the_progress_of_a_campaign_too(capsys):
    state = {"answered": 4883, "total": 4883, "share": 0.03, "right": 2438, "wrong": 1225, "unsure": 1220}
    store = SimpleNamespace(campaigns=SimpleNamespace(progress=lambda _: state | {"partly": 0, "empty": 0}))
    _show_progress(store, SimpleNamespace(id="c-1", split="train", overlap=1))
    assert "4,883 of 4,883 answered" in capsys.readouterr().out
