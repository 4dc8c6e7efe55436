"""What a campaign asks about environments: who is asked next, what is refused, and how far people agree."""

from __future__ import annotations

import json

import numpy as np
import pytest

from slim_core import api
from slim_core.annotation.plan import create_campaign
from slim_core.annotation.sheets import agreement, answer, sheets
from slim_core.errors import AnswersRefusedError, NotFoundError, SpecRefusedError
from slim_core.space.sheets import MIXED, NO, UNSURE, YES
from slim_core.store.campaigns.environment_answers import EnvironmentAnswer, Vote


@pytest.fixture
def campaign(looped):
    """A new one, which each environment is answered in by two people."""
    return create_campaign(looped.at.store, looped.loop.space, share=0.02, seed=1, name="sheets", overlap=2)


def say(looped, campaign, who, path, value):
    n = looped.at.store.environment_answers.last_seq(campaign.id)
    return answer(looped.at.store, campaign.id, who, EnvironmentAnswer(f"{campaign.id}-{n}-{who}", path, value))


def paths(found, who):
    return [each.path for each in found.open_to(who)]


def test_everybody_is_asked_about_every_environment_until_as_many_have_answered_as_the_overlap_asks(looped, campaign):
    store = looped.at.store
    whole = [each.path for each in sheets(store, campaign.id).environments]
    assert len(whole) >= 2 and paths(sheets(store, campaign.id), "ann") == whole
    assert say(looped, campaign, "ann", whole[0], NO)
    found = sheets(store, campaign.id)
    assert (paths(found, "ann"), paths(found, "ben")) == (whole[1:], whole)
    assert say(looped, campaign, "ben", whole[0], NO)
    found = sheets(store, campaign.id)
    assert paths(found, "cid") == whole[1:] and found.is_done(found.environments[0])
    assert not say(looped, campaign, "cid", whole[0], YES), "it comes too late to count"


def test_the_parts_of_a_mixed_environment_are_asked_about_next_and_an_undo_takes_them_away(looped, campaign):
    store = looped.at.store
    first, second = (each.path for each in sheets(store, campaign.id).environments[:2])
    for who in ("ann", "ben"):
        say(looped, campaign, who, first, MIXED)
    assert paths(sheets(store, campaign.id), "ann")[:3] == [f"{first}.0", f"{first}.1", second]
    assert say(looped, campaign, "ann", f"{first}.0", YES)
    assert list(sheets(store, campaign.id).of("ann")) == [first, f"{first}.0"]
    assert say(looped, campaign, "ann", first, None)
    found = sheets(store, campaign.id)
    assert found.find(f"{first}.0") is None and paths(found, "ann")[0] == first
    with pytest.raises(AnswersRefusedError, match=f"does not ask about an environment '{first}.0': choose one of"):
        say(looped, campaign, "ben", f"{first}.0", NO)
    assert say(looped, campaign, "ann", f"{first}.0", None), "what was said of it can still be taken back"


@pytest.mark.parametrize(("then", "is_split"), [(MIXED, True), (UNSURE, True), (NO, False)])
def test_an_environment_is_split_once_as_many_have_answered_as_the_overlap_asks(looped, campaign, then, is_split):
    store = looped.at.store
    whole = [each.path for each in sheets(store, campaign.id).environments]
    say(looped, campaign, "ann", whole[0], MIXED)
    found = sheets(store, campaign.id)
    assert [each.path for each in found.environments] == whole and not found.environments[0].is_split
    assert (paths(found, "ann"), paths(found, "ben")) == (whole[1:], whole), "which does not show what ann said"
    say(looped, campaign, "ben", whole[0], then)
    found = sheets(store, campaign.id)
    assert found.environments[0].is_split == is_split
    assert (f"{whole[0]}.0" in paths(found, "ben")) == is_split


def test_a_sheet_shows_rows_of_the_data_set_that_lie_in_the_environment(looped, campaign):
    found = sheets(looped.at.store, campaign.id)
    table = looped.loop.table
    for environment in found.environments:
        inside = set(found.space.rows[environment.positions])
        for label, rows in found.images(environment).items():
            assert set(rows) <= inside and set(table.labels[rows]) == {label}
    assert np.sum([found.shares(each) for each in found.environments], axis=0) == pytest.approx([1, 1])


@pytest.mark.parametrize("path", ["99", "0.0"])
def test_an_environment_that_is_not_asked_about_is_refused(looped, campaign, path):
    with pytest.raises(AnswersRefusedError, match=f"The campaign sheets does not ask about an environment '{path}'"):
        say(looped, campaign, "ann", path, NO)


def test_a_campaign_of_no_space_and_one_that_does_not_exist_are_refused(looped):
    store = looped.at.store
    alone = store.campaigns.create("alone", looped.dataset.id, None, looped.loop.table.rows("train")[:4])
    with pytest.raises(SpecRefusedError, match="The campaign alone belongs to no space, so there are no environments"):
        sheets(store, alone.id)
    with pytest.raises(NotFoundError, match="There is no campaign c-none"):
        sheets(store, "c-none")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"n_clusters": 1}, "has a single environment, so there is nothing to ask about: build a space with more"),
        ({"scope": "class"}, "has environments of each class by itself, and a sheet shows one over all classes"),
    ],
)
def test_a_space_without_environments_of_all_classes_is_refused(looped, settings, why):
    space = api.make_space(looped.loop.attention.id, at=looped.at, **settings)
    campaign = create_campaign(looped.at.store, space, share=0.02, seed=0, name="nothing to ask")
    with pytest.raises(SpecRefusedError, match=why):
        sheets(looped.at.store, campaign.id)


def votes(*said: tuple[str, str, int]) -> list[Vote]:
    return [Vote(path, who, value, "", seq) for seq, (path, who, value) in enumerate(said)]


def test_agreement_is_over_the_environments_of_which_two_people_are_sure():
    found = agreement(
        votes(
            *(("0", "ann", NO), ("0", "ben", NO)),
            *(("1", "ann", YES), ("1", "ben", MIXED), ("1", "cid", YES)),
            *(("2", "ann", YES), ("2", "ben", UNSURE)),
            *(("3", "ann", UNSURE), ("3", "ben", UNSURE)),
        )
    )
    assert (found.n_shared, found.n_same) == (2, 1)
    assert agreement([]).n_shared == 0


def test_what_people_say_of_environments_is_in_the_subset_and_pinned_to_its_run(looped):
    store = looped.at.store
    campaign = create_campaign(store, looped.loop.space, share=0.02, seed=2, name="pinned")
    every = [each.path for each in sheets(store, campaign.id).environments]
    for path in every:
        answer(store, campaign.id, "ann", EnvironmentAnswer(f"yes-{path}", path, YES, "what a name"))
    first = api.curate(campaign.id, size=40, at=looped.at)
    report = first.metrics["report"]
    assert [row["belongs"] for row in report["environments"]] == ["yes"] * len(every)
    assert any("only the classes are balanced" in note for note in report["notes"])
    assert {one["images"] for one in report["classes"]} == {20}
    assert all(cell["cell"].endswith(", what a name") for cell in report["cells"])
    assert (first.metrics["answers"], first.metrics["environment_answers"]) == (0, len(every))
    assert first.metrics["answers_share"] == pytest.approx(len(every) / 200)
    answer(store, campaign.id, "ann", EnvironmentAnswer("no-more", every[0], NO))
    second = api.curate(campaign.id, size=40, at=looped.at)
    assert second.spec["environments_seq"] > first.spec["environments_seq"]
    assert second.metrics["report"]["environments"][0]["belongs"] == "no"
    again = api.curate(campaign.id, size=40, at=looped.at, environments_seq=first.spec["environments_seq"], force=True)
    assert again.id != first.id and again.metrics == first.metrics
    saved = json.loads((store.artifacts.folder(again.id) / "report.json").read_text())
    assert saved["environments"] == report["environments"]
