"""Evaluations as frames."""

from __future__ import annotations

import numpy as np
import pytest

from app import session
from app.components import compare_runs


@pytest.fixture
def evaluations(filled_home):
    return session.store().runs.all(kind="evaluate")


def test_each_evaluation_is_one_row_with_its_numbers_and_costs(evaluations) -> None:
    table = compare_runs.table(evaluations)
    assert table.index.tolist() == [one.id for one in evaluations]
    assert table["label"].is_unique
    for one in evaluations:
        assert table.at[one.id, "wga"] == one.metrics["wga"]
    slim = table[table["label"].str.startswith("slim")].iloc[0]
    n_train = len(session.store().datasets.table(evaluations[0].dataset_id).rows("train"))
    assert slim["answers"] > 0
    assert slim["share"] == pytest.approx(slim["answers"] / n_train)
    assert table[table["label"].str.startswith("erm")].iloc[0]["answers"] == 0


def test_the_change_is_against_the_baseline_and_it_has_none(evaluations) -> None:
    table = compare_runs.table(evaluations)
    baseline, other = table.index[0], table.index[1]
    changed = compare_runs.with_change(table, baseline)
    assert np.isnan(changed.at[baseline, "change"])
    assert changed.at[other, "change"] == pytest.approx(table.at[other, "wga"] - table.at[baseline, "wga"])


def test_every_group_of_every_run_has_its_n_and_interval(evaluations) -> None:
    table = compare_runs.table(evaluations)
    groups = compare_runs.groups(evaluations, table["label"])
    assert len(groups) == 4 * len(evaluations)
    known = groups[groups["n"] > 0]
    assert (known["low"] <= known["accuracy"] + 1e-9).all()
    assert (known["accuracy"] <= known["high"] + 1e-9).all()


def test_a_measure_that_no_run_has_is_left_out(evaluations) -> None:
    table = compare_runs.table(evaluations).assign(aiou=np.nan)
    assert set(compare_runs.long(table, compare_runs.ATTENTION)["measure"]) == {"attention precision"}
