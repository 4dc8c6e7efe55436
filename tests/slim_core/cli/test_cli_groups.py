"""The groups of evaluations in the terminal, of data with more of them than fit beside each other."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from slim_core.cli.kit import tables
from slim_core.cli.loop import MOST_COLUMNS, data_of, show_comparison
from slim_core.cli.steps import show_groups, show_way_to_environments
from slim_core.data.groups import UNGROUPED, Grouping
from slim_core.metrics import RATES, classification_metrics

NAMES = [f"class {k} with a long name, attribute" for k in range(MOST_COLUMNS + 1)]


def compared(names: list[str], **known: float) -> pd.DataFrame:
    row: dict[str, object] = {"method": "erm", "model": "r-1", "split": "test", "seed": 0, "labels_used": "none"}
    row |= {"data": "birds", "grouping": "attributes", "images": 64, "answers": 0}
    rates = dict.fromkeys(RATES, 0.5)
    return pd.DataFrame([row | rates | {"seconds": 12.1} | {f"group {name}": known.get(name, 0.25) for name in names}])


def test_many_groups_are_rows_and_those_without_images_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    found = compared(NAMES).assign(**{f"group {NAMES[3]}": float("nan")})
    show_comparison(found)
    lines = capsys.readouterr().out.splitlines()
    assert sum(name in line and "25.0" in line for name in NAMES for line in lines) == MOST_COLUMNS
    assert not any(NAMES[3] in line for line in lines) and "1 more without images." in lines


def test_few_groups_stay_beside_each_other_and_seconds_have_one_decimal(capsys: pytest.CaptureFixture[str]) -> None:
    show_comparison(compared(["landbird, land", "landbird, water"]))
    lines = capsys.readouterr().out.splitlines()
    assert any("landbird, land" in line and "landbird, water" in line for line in lines)
    assert any(" 12.1 " in line for line in lines)


@pytest.mark.parametrize("names", [["cat", "dog"], [f"class {k}" for k in range(MOST_COLUMNS + 1)]])
def test_groups_that_are_only_the_classes_are_called_so(names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    attributes = compared(names)
    classes = attributes.assign(grouping="classes")
    for found, by in ((classes, "class"), (attributes, "group"), (pd.concat([classes, attributes]), "group")):
        show_comparison(found)
        assert f"Accuracy in % per {by}" in capsys.readouterr().out


def test_the_data_set_is_named_and_of_several_each_row_has_its_own(monkeypatch, capsys) -> None:
    monkeypatch.setattr(tables, "console", Console(width=200))
    one = compared(["landbird, land"])
    show_comparison(one)
    printed = capsys.readouterr().out
    assert "Models on test of birds, in %" in printed and "│   birds │" not in printed
    show_comparison(pd.concat([one, one.assign(data="faces")]))
    printed = capsys.readouterr().out
    assert "Models on test of birds and faces, in %" in printed
    assert all(f"│ erm    │ {name} │" in printed for name in ("birds", "faces"))


def test_data_sets_of_one_name_are_told_apart_by_their_ids() -> None:
    ids = ["d-aaaa1111", "d-bbbb2222", "d-cccc3333", "d-aaaa1111"]
    names = {"d-aaaa1111": "birds", "d-bbbb2222": "birds", "d-cccc3333": "faces"}
    store = SimpleNamespace(datasets=SimpleNamespace(fetch=lambda one: SimpleNamespace(name=names[one])))
    assert data_of(store, ids) == ["birds (1111)", "birds (2222)", "faces", "birds (1111)"]


def test_images_of_no_known_group_are_counted_below_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    groups = Grouping(np.array([0, 0, UNGROUPED, UNGROUPED]), ("a, x", "a, y"))
    show_groups(classification_metrics(np.zeros(4, int), np.eye(2)[[0, 1, 0, 0]], groups))
    out = capsys.readouterr().out
    assert "2 of 4 images belong to no" in out
    assert "–-–" not in out


def test_estimated_groups_without_images_have_no_row(capsys: pytest.CaptureFixture[str]) -> None:
    groups = Grouping(np.array([0, 0]), ("0, environment 0", "0, environment 1"), estimated=True)
    show_groups(classification_metrics(np.zeros(2, int), np.eye(2)[[0, 1]], groups))
    out = capsys.readouterr().out
    assert "environment 0" in out and "environment 1" not in out


def test_groups_that_are_only_the_classes_are_not_said_to_be_estimated(capsys: pytest.CaptureFixture[str]) -> None:
    labels, said = np.array([0, 1] * 5), np.tile(np.eye(2), (5, 1))
    by_class = Grouping(labels, ("0", "1"), estimated=True)
    alone = SimpleNamespace(metrics=classification_metrics(labels, said, by_class), spec={"split": "val"})
    show_groups(alone.metrics)
    show_way_to_environments(alone)
    out = capsys.readouterr().out
    assert "Accuracy in % per class" in out and "(estimated" not in out
    assert "slim space --split val, then for each" in out
    alone.metrics = classification_metrics(labels[1:], said[1:], Grouping(labels[1:], ("0", "1"), estimated=True))
    show_way_to_environments(alone)
    assert not capsys.readouterr().out, "nine images have no space"
    clusters = Grouping(labels, ("0, environment 0", "1, environment 0"), estimated=True)
    alone.metrics = classification_metrics(labels, said, clusters)
    show_groups(alone.metrics)
    show_way_to_environments(alone)
    out = " ".join(capsys.readouterr().out.split())
    assert "per group (estimated: class" in out and "slim space" not in out


@pytest.mark.parametrize("names", [NAMES[:2], NAMES])
def test_groups_of_two_spaces_are_not_shown_as_the_same(monkeypatch, capsys, names: list[str]) -> None:
    monkeypatch.setattr(tables, "console", Console(width=200))
    one = compared(names).assign(grouping="space r-7")
    show_comparison(one)
    assert "space r-7" not in capsys.readouterr().out, "there are no others"
    show_comparison(pd.concat([one, one.assign(grouping="space r-8")]))
    models, groups = capsys.readouterr().out.split("Accuracy in % per group")
    for printed in (models, groups):
        assert "space r-7" in printed and "space r-8" in printed
    assert "count other groups" in groups


def test_the_groups_of_a_model_on_two_splits_name_the_split(monkeypatch, capsys) -> None:
    monkeypatch.setattr(tables, "console", Console(width=200))
    one = compared(NAMES[:2])
    show_comparison(pd.concat([one, one.assign(split="val")]))
    _, groups = capsys.readouterr().out.split("Accuracy in % per group")
    assert "│ test  │" in groups and "│ val   │" in groups
