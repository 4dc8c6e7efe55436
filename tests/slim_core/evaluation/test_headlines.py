"""The numbers that say what a run has found."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from slim_core.evaluation.headlines import HEADLINES, empty_maps, headlines
from slim_core.steps.specs import STEPS


def shown(kind: str, metrics: object, **spec: object) -> dict[str, str]:
    return {one.title: text for one, text in headlines(SimpleNamespace(kind=kind, metrics=metrics, spec=spec))}


TRAINED = {"val": {"wga": 0.5125, "average": 0.9}, "images": 4795, "best_epoch": 3, "epochs": 30}
SUBSET = {"images": 4800, "images_unique": 48, "answers": 120, "answers_share": 0.025, "strategy": {}}
SCORED = {"wga": 0.0, "attention_precision": 0.5, "attention_coverage": 1.0, "n": 2400}


@pytest.mark.parametrize(
    ("kind", "metrics", "said"),
    [
        ("train", TRAINED, "worst group, val 51.2 %; average, val 90.0 %; images 4,795; best epoch 3"),
        *(("train", unknown, "") for unknown in (None, {}, {"val": None}, {"val": 3})),
        ("evaluate", SCORED, "worst group 0.0 %; attention precision 50.0 %; scored 100.0 %; images 2,400"),
        ("evaluate", {"wga": 0.5, "attention_precision": None}, "worst group 50.0 %"),  # of nothing
        ("curate", SUBSET, "images 4,800; distinct images 48; answers 120; share answered 2.5 %"),
    ],
)
def test_rates_are_in_percent_counts_are_not_and_what_is_not_known_is_left_out(kind, metrics, said):
    found = "; ".join(f"{title} {text}" for title, text in shown(kind, metrics).items())
    assert found.replace("\u00a0", " ") == said


def test_a_last_layer_has_no_best_epoch_for_it_is_fitted_without_epochs():
    metrics = {"images": 36, "best_epoch": 1, "epochs": 1}
    assert shown("train", metrics, mode="last-layer") == {"images": "36"}
    assert shown("train", metrics, mode="full")["best epoch"] == "1"


def test_by_itself_a_title_begins_with_a_capital_and_keeps_the_others():
    assert [one.heading for one in HEADLINES["gradcam"]][:2] == ["Accuracy", "AIoU"]
    assert HEADLINES["train"][0].heading == "Worst group, val"


def test_every_step_says_what_it_has_found():
    assert set(HEADLINES) == set(STEPS)
    assert shown("a step of another version", {"images": 3}) == {}


@pytest.mark.parametrize(
    ("n", "sentence"),
    [
        (0, ""),
        (1, "1 of 2,400 map is empty"),
        (1200, "1,200 of 2,400 maps are"),
    ],
)
def test_a_pass_says_how_many_of_its_maps_are_empty_where_some_are(n, sentence):
    said = empty_maps(SimpleNamespace(metrics={"accuracy": 0.5, "no_evidence": n, "n": 2400}))
    assert said.startswith(sentence) and bool(said) == bool(n)
    assert empty_maps(SimpleNamespace(metrics=None)) == ""
