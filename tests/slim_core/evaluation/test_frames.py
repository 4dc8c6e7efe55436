"""Evaluations as frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from slim_core.evaluation import comparison
from slim_core.evaluation.charts.results import long
from slim_core.evaluation.comparison import given_name, names_among, rows
from slim_core.store import Run


@pytest.fixture
def evaluations(looped):
    return looped.at.store.runs.all(kind="evaluate", status="done")


def test_each_evaluation_is_one_row_with_its_numbers_and_costs(looped, evaluations) -> None:
    table = comparison.table(looped.at.store, evaluations)
    assert table.index.tolist() == [one.id for one in evaluations]
    assert table["label"].is_unique
    for one in evaluations:
        assert table.at[one.id, "wga"] == one.metrics["wga"]
        assert table.at[one.id, "wga_low"] <= table.at[one.id, "wga"] <= table.at[one.id, "wga_high"]
    slim, erm = (table.loc[looped.outcomes[method].evaluation.id] for method in ("slim", "erm"))
    n_train = len(looped.loop.table.rows("train"))
    assert slim["answers"] > 0 and slim["share"] == pytest.approx(slim["answers"] / n_train)
    assert slim["answered_by"] == "simulated annotator" and np.isnan(slim["minutes"]), "no person has worked"
    assert slim["lineage_seconds"] == pytest.approx(looped.loop.outcome("slim").seconds, abs=0.01)
    assert pd.isna(erm["answered_by"]) and erm["minutes"] == 0
    assert (erm["answers"], erm["labels_used"], slim["labels_used"]) == (0, "none", "answers")
    outcomes = looped.outcomes
    by_environments = {**outcomes["erm"].evaluation.spec, "environments": outcomes["slim"].model.spec["subset"]}
    (row,) = rows(looped.at.store, [replace(outcomes["erm"].evaluation, spec=by_environments)])
    assert row["spent"] == "no answers", "those by which its groups are estimated did not make it"


AFR = "last layer by afr on held-out"


@pytest.mark.parametrize(
    ("runs", "labels"),
    [
        ([("erm", 0, "test", ""), ("erm", 0, "test", ""), ("slim", 0, "test", "")],
         ["erm (aaaa)", "erm (bbbb)", "slim"]),
        ([("erm", 0, "test", ""), ("erm", 0, "val", "")], ["erm, test", "erm, val"]),
        ([("erm", 0, "test", ""), ("erm", 1, "test", ""), ("slim", 0, "test", "")],
         ["erm, seed 0", "erm, seed 1", "slim"]),
        ([("trained elsewhere", 0, "test", "theirs"), ("slim", 0, "test", "")],
         ["theirs · trained elsewhere", "slim"]),
        ([("erm", 0, "test", "Äpfel"), ("erm", 0, "test", "")], ["Äpfel · erm", "erm"]),
        ([(AFR, 0, "test", AFR.capitalize()), (AFR, 1, "test", "Last layer")],
         [AFR, f"Last layer · {AFR}"]),  # a name does not say again what the method says
    ],
)  # fmt: skip
def test_a_run_is_called_by_its_given_name_its_method_and_what_tells_it_from_the_others(runs, labels) -> None:
    names = ["r-aaaa", "r-bbbb", "r-cccc"][: len(runs)]
    assert comparison.labels(pd.DataFrame(runs, names, ["method", "seed", "split", "name"])) == labels


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("Referenz für Äpfel", "Referenz für Äpfel"),
        ("short, seed 3", "short"),
        ("Retrained from Candidates 3.0 %", ""),
        ("Retrained on slim (from scratch)", ""),
        ("Retrained on slim (from scratch), seed 1", ""),
        ("Last layer by jtt", ""),
        ("Last layer by dfr, seed 1", ""),
        ("Last layer by dfr on val by environments", "Last layer by dfr on val by environments"),
        ("Training on digits: small-resnet, seed 3", ""),
        ("Training on weekends", "Training on weekends"),
        ("small-resnet on digits, seed 3", ""),
        ("small-resnet on digits", ""),
        ("small-resnet on digits without glare", "small-resnet on digits without glare"),
        ("a" * 60, "a" * 39 + "…"),
    ],
)
def test_only_a_name_that_somebody_gave_counts(looped, name, given) -> None:
    model = looped.at.store.runs.all(kind="train")[0]
    small = replace(model, name=name, spec=model.spec | {"model": "small-resnet"})
    assert given_name(small, "digits") == given
    assert given_name(None, "digits") == ""


def test_models_that_nobody_named_are_called_by_their_networks_where_these_differ(looped) -> None:
    run = looped.at.store.runs.all(kind="train")[0]

    def model(network: str, name: str = "") -> Run:
        return replace(run, name=name or f"{network} on digits", spec=run.spec | {"model": network})

    small, large, own = model("small-resnet"), model("resnet50"), model("my.nets:tiny", "my first")
    assert names_among([small, None, small], "digits") == ["", "", ""]
    assert names_among([small, None, large, own], "digits") == ["small-resnet", "", "resnet50", "my first"]


def judged(**columns: list) -> pd.DataFrame:
    """Three evaluations of one split and its true groups, as far as nothing else is given."""
    about = {"wga": [0.6, 0.9, 0.7], "grouping": "attributes", "split": "test", "worst_group": "0, a"}
    return pd.DataFrame(about | columns, ["a", "b", "c"])


def test_the_change_is_against_the_baseline_and_it_has_none() -> None:
    change = comparison.with_change(judged(), "a")["change"]
    assert np.isnan(change["a"]) and change["b"] == pytest.approx(0.3)
    assert comparison.with_change(judged(), "filtered away")["change"].isna().all()


@pytest.mark.parametrize(
    ("other", "worst"),
    [
        ({"grouping": ["space s", "space t", "space s"], "worst_group": ["0, a", "0, a", None]},
         ["0, a", "0, a (other groups)", "none"]),
        ({"split": ["test", "val", "test"]}, ["0, a"] * 3),
    ],
)  # fmt: skip
def test_there_is_no_change_across_other_groups_or_splits(other, worst) -> None:
    found = judged(**other)
    assert comparison.with_change(found, "a")["change"].isna().tolist() == [True, True, False]
    assert comparison.worst_groups(found, "a").fillna("none").tolist() == worst


def test_every_group_of_every_run_has_its_n_its_interval_and_its_key(looped, evaluations) -> None:
    table = comparison.table(looped.at.store, evaluations)
    groups = comparison.groups(evaluations, table["label"])
    assert len(groups[groups["key"].str.startswith(f"{evaluations[-1].id}.")]) == 4, "the oldest one: the reference's"
    assert len(groups) == sum(len(one.metrics["groups"]) for one in evaluations)
    known = groups[groups["n"] > 0]
    assert ((known["low"] <= known["accuracy"] + 1e-9) & (known["accuracy"] <= known["high"] + 1e-9)).all()
    assert groups["key"].is_unique and groups["key"].iloc[1] == f"{evaluations[0].id}.group.1"
    order = table["label"].tolist()[::-1]
    assert comparison.select_runs(groups, order)["run"].drop_duplicates().tolist() == order


def test_seeds_in_a_row_are_told_by_their_ends() -> None:
    assert comparison.seeds_text([3, 0, 1, 2, 7]) == "0 to 3, 7"
    assert comparison.seeds_text([0, 1, 2]) == "0, 1, 2"


def test_a_measure_that_no_run_has_is_left_out() -> None:
    found = pd.DataFrame({"label": ["erm"], "aiou": [np.nan], "attention_precision": [0.5]})
    assert long(found, comparison.ATTENTION)["measure"].tolist() == ["attention precision"]
