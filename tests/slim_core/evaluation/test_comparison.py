"""Evaluations side by side: costs along the lineage, and repetitions over seeds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from slim_core.curation import LABELS_USED, STRATEGIES
from slim_core.data.groups import used_together
from slim_core.evaluation.comparison import Ancestry, grouping_of, method_of, over_seeds
from slim_core.store import Campaign, Run

AT = datetime(2026, 1, 1, tzinfo=UTC)


def run(name: str, kind: str, seconds: float = 0.0, device: str = "cpu", shard_of: str | None = None, **spec) -> Run:
    return Run(
        name, kind, name, "done", {"kind": kind, "dataset": "d", **spec}, "d", "tests", AT,
        seconds=seconds, device=device, shard_of=shard_of,
    )  # fmt: skip


def chain(seed: int, strategy: str = "slim", campaign: str | None = "c") -> list[Run]:
    """A reference, its attention in two shards, a space, a subset, a retrained model and its evaluation."""
    ids = {kind: f"{kind}-{seed}-{strategy}" for kind in ("ref", "look", "space", "subset", "model", "judged")}
    answered = {"campaign": campaign, "answers_seq": 10 + 10 * seed} if campaign else {"campaign": None}
    return [
        run(ids["ref"], "train", 3600, "cuda:0", seed=seed),
        run(ids["look"], "gradcam", 10, model=ids["ref"], seed=seed),
        run(f"{ids['look']}-a", "gradcam", 1800, "cuda:1", shard_of=ids["look"], model=ids["ref"], seed=seed),
        run(ids["space"], "space", 100, attention=ids["look"], seed=seed),
        run(ids["subset"], "curate", 1, space=ids["space"], strategy=strategy, size=9, seed=seed, **answered),
        run(ids["model"], "train", 400, subset=ids["subset"], reference=ids["ref"], seed=seed),
        run(ids["judged"], "evaluate", 5, model=ids["model"], split="test", seed=seed),
    ]


def campaign(name: str, seed: int) -> Campaign:
    return Campaign(name, f"3.0 %, seed {seed}", "d", None, "train", 100, "", seed, "kmeans", {"0": 3}, 1, {},
                    None, "open", "tests", AT, None)  # fmt: skip


def test_costs_add_up_along_the_lineage_each_run_once_and_its_shards_too() -> None:
    runs = chain(0)
    ancestry = Ancestry(runs)
    model = ancestry.runs["model-0-slim"]
    assert ancestry.seconds(model) == 3600 + 10 + 1800 + 100 + 1 + 400
    assert ancestry.gpu_hours(model) == pytest.approx(1.5)


def test_a_subset_that_no_answer_went_into_does_not_pay_for_the_space() -> None:
    ancestry = Ancestry(chain(0, "random", campaign=None))
    model = ancestry.runs["model-0-random"]
    assert ancestry.seconds(model) == 3600 + 1 + 400
    assert "space-0-random" in {one.id for one in ancestry.lineage(model)}, "its lineage is still told whole"


def test_answers_of_a_campaign_count_once() -> None:
    counts = {"subset-0-slim": {"answers": 24}}
    asked = [replace(one, metrics=counts.get(one.id)) for one in chain(0)]
    another = run("another", "curate", space="space-0-slim", strategy="slim", campaign="c", answers_seq=12)
    ancestry = Ancestry([*asked, replace(another, metrics={"answers": 30})])
    model = ancestry.runs["model-0-slim"]
    assert ancestry.answers_used(model) == 24
    assert ancestry.answers_used(model, ancestry.runs["another"]) == 30, "each campaign counts once"
    assert ancestry.answers_used(ancestry.runs["ref-0-slim"]) == 0


@pytest.mark.parametrize(
    ("strategy", "campaign", "used"),
    [
        ("slim", "c", "answers"),
        ("slim", None, "none"),
        ("random", None, "none"),
        ("oracle", None, "groups in training"),
        ("of a newer version", None, "none"),
    ],
)
def test_a_model_uses_the_labels_of_the_strategy_that_chose_its_subset(strategy, campaign, used) -> None:
    ancestry = Ancestry(chain(0, strategy, campaign))
    assert ancestry.labels_used(ancestry.runs[f"model-0-{strategy}"], has_groups=True) == used
    assert ancestry.labels_used(ancestry.runs[f"ref-0-{strategy}"], has_groups=True) == "none"


def test_labels_that_a_run_it_rests_on_used_count_too() -> None:
    runs = [replace(one, spec=one.spec | {"selection": "worst_group"}) if one.id == "ref-0-slim" else one
            for one in chain(0)]  # fmt: skip
    ancestry = Ancestry(runs)
    model = ancestry.runs["model-0-slim"]
    assert ancestry.labels_used(model, has_groups=True) == used_together(("answers", "groups in validation"))
    assert ancestry.labels_used(model, has_groups=False) == "answers"  # the worst group is the worst class there


def test_objectives_and_samplings_say_which_labels_they_use() -> None:
    first = run("first", "train", objective="erm", selection="worst_group")
    trained = {
        "erm": {"objective": "erm", "selection": "worst_class"},
        "rwy": {"objective": "erm", "sampling": "class-balanced"},
        "rwg": {"objective": "erm", "sampling": "group-balanced"},
        "group-dro": {"objective": "group-dro"},
        "jtt": {"objective": "jtt", "objective_options": {"errors_of": "first"}},
        "old": {},
    }
    ancestry = Ancestry([first, *(run(name, "train", **spec) for name, spec in trained.items())])
    assert {name: ancestry.labels_used(ancestry.runs[name], has_groups=True) for name in trained} == {
        "erm": "none",
        "rwy": "none",
        "rwg": "groups in training",
        "group-dro": "groups in training",
        "jtt": "groups in validation",  # of its first training
        "old": "none",
    }


def test_every_strategy_says_which_labels_it_uses() -> None:
    assert LABELS_USED.keys() == STRATEGIES.keys()


def test_a_method_is_called_by_its_objective_and_its_sampling() -> None:
    subset = run("subset", "curate", strategy="slim", campaign="c", answers_seq=3)
    assert method_of(run("a", "train"), None) == "ERM"
    assert method_of(run("a", "train", objective="group-dro"), None) == "GroupDRO"
    assert method_of(run("a", "train", sampling="class-balanced"), None) == "ERM (class-balanced)"
    retrained = run("a", "train", objective="group-dro", start="reference")
    assert method_of(retrained, subset) == "SLIM, from reference, GroupDRO"


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({}, "SLIM without answers, from scratch"),
        ({"options": {"environments": "both", "presumed": 0.0}}, "all attention"),
        ({"options": {"presumed": 0.0}}, "SLIM without answers, from scratch"),
        ({"campaign": "c", "answers_seq": 3}, "SLIM, from scratch"),
    ],
)
def test_a_subset_says_what_people_were_asked_about(asked, named) -> None:
    assert named in method_of(run("a", "train"), run("subset", "curate", strategy="slim", **asked))


def test_runs_that_differ_by_seeds_alone_are_the_same_method() -> None:
    seeds = chain(0, campaign="c0") + chain(1, campaign="c1")
    ancestry = Ancestry(seeds, [campaign("c0", 0), campaign("c1", 1)])
    first, second = ancestry.runs["judged-0-slim"], ancestry.runs["judged-1-slim"]
    assert ancestry.identity(first) == ancestry.identity(second)


def test_another_size_or_annotator_far_up_the_lineage_is_another_method() -> None:
    runs = chain(0, campaign="c0") + chain(1, campaign="c1")
    ancestry = Ancestry(runs, [campaign("c0", 0), replace(campaign("c1", 1), name="Anna, seed 1")])
    assert ancestry.identity(ancestry.runs["judged-0-slim"]) != ancestry.identity(ancestry.runs["judged-1-slim"])
    changed = [replace(one, spec=one.spec | {"size": 10}) if one.id == "subset-1-slim" else one for one in runs]
    ancestry = Ancestry(changed, [campaign("c0", 0), campaign("c1", 1)])
    assert ancestry.identity(ancestry.runs["judged-0-slim"]) != ancestry.identity(ancestry.runs["judged-1-slim"])


def frame(*rows: tuple[str, int, float]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=["method", "seed", "wga"])
    names = [f"e{i}" for i in range(len(made))]
    same = made.assign(identity=made["method"], name="", grouping="attributes", average=0.9, evaluation=names)
    return same.set_index("evaluation")


def test_differences_are_paired_by_seed_and_carry_a_t_interval() -> None:
    # by hand: differences .20, .30, .10, mean .2, sd .1, t(2, .975) = 4.3027, half width 4.3027 * .1 / sqrt(3) = .2484
    runs = frame(
        ("slim", 2, 0.8), ("slim", 0, 0.8), ("slim", 1, 0.8), ("erm", 0, 0.6), ("erm", 1, 0.5), ("erm", 2, 0.7)
    )
    told = over_seeds(runs, "e3").set_index("method")
    assert told.index[0] == "erm" and told.at["erm", "wga_sd"] == pytest.approx(0.1)
    assert np.isnan(told.at["erm", "change"])
    slim = told.loc["slim"]
    assert (slim["n"], slim["pairs"], slim["wga_mean"]) == (3, 3, pytest.approx(0.8))
    assert slim["change"] == pytest.approx(0.2)
    assert slim["change_low"] == pytest.approx(0.2 - 0.24841, abs=1e-4)
    assert slim["change_high"] == pytest.approx(0.2 + 0.24841, abs=1e-4)


def test_one_seed_or_no_shared_seed_has_no_interval() -> None:
    told = over_seeds(frame(("erm", 0, 0.6), ("slim", 0, 0.8), ("jtt", 7, 0.9)), "e0").set_index("method")
    assert told.at["slim", "change"] == pytest.approx(0.2) and told.at["slim", "pairs"] == 1
    assert np.isnan(told.at["slim", "change_low"]) and np.isnan(told.at["slim", "wga_sd"])
    assert np.isnan(told.at["jtt", "change"]) and told.at["jtt", "pairs"] == 0


def test_a_seed_that_occurs_twice_counts_once_as_its_mean() -> None:
    runs = frame(("erm", 0, 0.6), ("erm", 1, 0.6), ("slim", 0, 0.7), ("slim", 0, 0.9), ("slim", 1, 0.8))
    slim = over_seeds(runs, "e0").set_index("method").loc["slim"]
    assert (slim["n"], slim["pairs"], slim["change"]) == (2, 2, pytest.approx(0.2))


def test_worst_groups_of_other_estimated_groups_are_no_pair() -> None:
    runs = frame(("erm", 0, 0.6), ("erm", 1, 0.6), ("slim", 0, 0.7), ("slim", 1, 0.9))
    runs["grouping"] = ["space a", "space b", "space a", "space c"]
    slim = over_seeds(runs, "e0").set_index("method").loc["slim"]
    assert (slim["n"], slim["pairs"], slim["change"]) == (2, 1, pytest.approx(0.1))
    assert slim["wga_mean"] == pytest.approx(0.8), "of its own groups"


def test_estimated_groups_are_those_of_one_space_or_of_one_subset() -> None:
    def grouping(estimated: bool = True, **spec) -> str:
        return grouping_of(replace(run("e", "evaluate", **spec), metrics={"estimated_groups": estimated}))

    assert grouping(estimated=False) == grouping(estimated=False, space="a") == "attributes"
    assert grouping(space="a") == grouping(space="a", model="m") != grouping(space="b")
    assert grouping(environments="a") != grouping(space="a") and grouping() == "classes"
