"""Trainings that name a campaign: what is pinned and linked when they are submitted, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from slim_core import api
from slim_core.annotation.plan import create_campaign
from slim_core.annotation.simulated_annotator import simulate_answers
from slim_core.errors import NotFoundError, SlimError, SpecRefusedError
from slim_core.evaluation.comparison import Ancestry, rows
from slim_core.steps.specs import parse_spec
from tests.refusals import refusal


def with_answers(looped, campaign, **options):
    given = {"kind": "train", "dataset": looped.dataset.id, "model": "small-resnet", "refit": "answered"}
    how = {"mode": "last-layer", "reference": looped.loop.reference.id, "attention": looped.loop.attention.id}
    return parse_spec(given | how | {"refit_options": {"campaign": campaign, **options}})


def space_of_val(looped):
    return api.make_space(looped.loop.attention.id, split="val", at=looped.at)


def campaign(looped, name, split="train", **noise):
    space = looped.loop.space if split == "train" else space_of_val(looped)
    made = create_campaign(looped.at.store, space, share=0.05, seed=1, name=name)
    if noise:
        simulate_answers(looped.at.store, made.id, **noise)
    return made.id


@pytest.mark.slow
def test_answers_and_space_of_the_campaign_are_pinned_and_counted(looped):
    store, asked = looped.at.store, looped.loop.campaign
    run = looped.at.run(with_answers(looped, asked.id))
    n = looped.outcomes["slim"].n_answers
    options = run.spec["refit_options"]
    assert (options["space"], options["answers_seq"]) == (asked.space_run_id, store.answers.last_seq(asked.id))
    assert ("answered", asked.space_run_id) in [(role, parent.id) for role, parent in store.runs.parents(run.id)]
    assert run.metrics["answered"] == {asked.id: n}
    evaluation = api.evaluate(run.id, at=looped.at)
    row = rows(store, [evaluation])[0]
    assert (row["labels_used"], row["answers"]) == ("answers", n)
    assert row["answered_by"] == "simulated annotator" and np.isnan(row["minutes"])  # no person has worked
    assert Ancestry.read(store, looped.dataset.id).answer_snapshots(run) == ((asked.id, options["answers_seq"]),)
    again, created = store.runs.submit(parse_spec(run.spec))
    assert (again.id, created) == (run.id, False)


def test_a_campaign_without_answers_is_refused(looped):
    empty = campaign(looped, "empty")
    with refusal(SlimError, empty, "no answer"):
        looped.at.run(with_answers(looped, empty))


def test_a_campaign_whose_answers_are_all_unsure_is_refused(looped):
    unsure = campaign(looped, "unsure", unsure=1.0)
    with pytest.raises(SlimError, match=rf"All \d+ answers of campaign {unsure} are unsure"):
        looped.at.run(with_answers(looped, unsure))


def test_answers_about_the_wrong_split_are_refused(looped):
    about_val = campaign(looped, "val, for the loss", "val", threshold=looped.threshold)
    with refusal(SlimError, about_val, "val", "train"):
        looped.at.run(with_answers(looped, about_val))


def test_a_campaign_of_another_data_set_or_none_is_refused_when_submitted(looped, plain_folder):
    store = looped.at.store
    other = api.data_set(plain_folder, at=looped.at)
    asked = looped.loop.campaign.id
    given = with_answers(looped, asked).record()
    with refusal(SpecRefusedError, asked, "another data set"):
        store.runs.submit(parse_spec(given | {"dataset": other.id, "attention": None}))
    with pytest.raises(NotFoundError, match="is no campaign c-0"):
        store.runs.submit(with_answers(looped, "c-0"))


def test_another_space_than_the_campaigns_is_refused(looped):
    val_space = space_of_val(looped).id
    with pytest.raises(SlimError, match=f"not {val_space}: leave space out"):
        looped.at.run(with_answers(looped, looped.loop.campaign.id, space=val_space))


def test_a_campaign_about_no_space_is_refused(looped):
    loose = looped.at.store.campaigns.create("loose", looped.dataset.id, None, [0, 1])
    with refusal(SlimError, loose.id, "no attention space"):
        looped.at.run(with_answers(looped, loose.id))
