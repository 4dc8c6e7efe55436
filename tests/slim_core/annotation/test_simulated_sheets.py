"""The simulated annotator of sheets: what it sees in an environment, and how it errs."""

from __future__ import annotations

import numpy as np
import pytest

from slim_core import api
from slim_core.annotation.plan import create_campaign
from slim_core.annotation.sheets import sheets
from slim_core.annotation.simulated_sheets import judge, mistaken, simulate_sheets
from slim_core.data.sets import SETS, attribute_belongs, make_set
from slim_core.data.sets.demo_set import write_set
from slim_core.errors import AnswersRefusedError, SpecRefusedError
from slim_core.space.sheets import MIXED, NO, UNSURE, YES

# 1000 images of a class, of which 900 are in their own place
LABELS = np.repeat([0, 0, 1, 1], [900, 100, 100, 900])
PLACES = np.repeat([0, 1, 0, 1], [900, 100, 100, 900])


def of(*groups: tuple[int, int, int]) -> np.ndarray:
    """So many images of each (label, place)."""
    found = [np.flatnonzero((LABELS == label) & (PLACES == place))[:n] for label, place, n in groups]
    return np.concatenate(found)


@pytest.mark.parametrize(
    ("inside", "value"),
    [
        (of((0, 0, 900), (1, 0, 100)), NO),  # one place, whole
        (of((0, 0, 450), (1, 0, 50), (0, 1, 10)), NO),  # one place, nearly
        (of((0, 0, 900), (0, 1, 100)), YES),  # one class, in both places as always
        (of((0, 0, 900), (0, 1, 100), (1, 1, 4)), YES),  # the same, and a few of the other
        (of((0, 0, 450)), NO),  # one class, but in its own place more than ever
        (of((0, 0, 450), (0, 1, 50), (1, 0, 50), (1, 1, 450)), MIXED),  # as everywhere
    ],
)
def test_an_environment_of_one_place_is_a_shortcut_and_one_of_a_class_is_none(inside, value):
    assert judge(LABELS, PLACES, inside, belongs=False) == value


def test_where_the_place_belongs_to_the_class_so_does_an_environment_of_it():
    assert judge(LABELS, PLACES, of((0, 0, 900), (1, 0, 100)), belongs=True) == YES
    assert judge(LABELS, PLACES, of((0, 0, 50), (0, 1, 50), (1, 0, 50), (1, 1, 50)), belongs=True) == MIXED


def test_nothing_is_known_of_an_environment_without_known_attributes():
    assert judge(LABELS, np.full(2000, -1), of((0, 0, 20)), belongs=False) == UNSURE
    some = np.where(np.arange(2000) % 2 == 0, PLACES, -1)
    assert judge(LABELS, some, of((0, 0, 900), (1, 0, 100)), belongs=False) == NO


def test_mistakes_come_as_often_as_asked_for_and_follow_from_the_seed():
    given = np.array([mistaken(NO, str(path), 0.1, 0.2, seed) for seed in range(200) for path in range(20)])
    assert (given == YES).mean() == pytest.approx(0.1, abs=0.02)
    assert (given == UNSURE).mean() == pytest.approx(0.2, abs=0.02)
    assert mistaken(NO, "3.1", 0.5, 0.5, 7) == mistaken(NO, "3.1", 0.5, 0.5, 7)
    assert [mistaken(value, "0", 1.0, 0.0, 0) for value in (YES, NO, MIXED, UNSURE)] == [NO, YES, YES, UNSURE]
    assert [mistaken(value, "0", 0.0, 0.0, 0) for value in (YES, NO, MIXED, UNSURE)] == [YES, NO, MIXED, UNSURE]


def test_the_environments_of_the_demo_set_are_shortcuts_but_for_those_of_neither_place(looped):
    store = looped.at.store
    campaign = create_campaign(store, looped.loop.space, share=0.02, seed=3, name="simulated")
    n = simulate_sheets(store, campaign.id)
    found = sheets(store, campaign.id)
    assert n == len(found.environments) and found.open_to("anybody") == []
    attributes = looped.loop.table.attributes[found.space.rows]
    for each in found.environments:
        value = judge(found.space.labels, attributes, each.positions, belongs=False)
        assert each.consensus.value == value
    assert NO in {each.consensus.value for each in found.environments}
    assert simulate_sheets(store, campaign.id) == 0, "a second time there is nothing left to answer"


def test_all_unsure_changes_nothing_in_the_subset(looped):
    store = looped.at.store
    campaign = create_campaign(store, looped.loop.space, share=0.02, seed=4, name="unsure of all")
    simulate_sheets(store, campaign.id, unsure=1.0)
    assert {each.consensus.value for each in sheets(store, campaign.id).environments} == {UNSURE}
    unsure = api.curate(campaign.id, size=40, at=looped.at)
    without = api.curate(api.NO_CAMPAIGN, space=looped.loop.space.id, size=40, at=looped.at)
    images = [store.artifacts.folder(run.id) / "subset.parquet" for run in (unsure, without)]
    assert images[0].read_bytes() == images[1].read_bytes()


@pytest.mark.parametrize(("flip", "unsure"), [(-0.1, 0.0), (0.6, 0.6)])
def test_shares_that_are_none_are_refused(looped, flip, unsure):
    with pytest.raises(SpecRefusedError, match="must be shares"):
        simulate_sheets(looped.at.store, looped.loop.campaign.id, flip=flip, unsure=unsure)


@pytest.mark.slow
def test_without_an_attribute_it_cannot_answer(plain_folder, workbench):
    dataset = api.data_set(plain_folder, at=workbench)
    model = api.train(dataset.id, model="small-resnet", epochs=1, at=workbench)
    space = api.make_space(api.gradcam(model.id, at=workbench).id, n_clusters=3, at=workbench)
    campaign = create_campaign(workbench.store, space, share=0.05, seed=0, name="plain")
    with pytest.raises(AnswersRefusedError, match="has no attribute, from which sheets could be answered"):
        simulate_sheets(workbench.store, campaign.id)


def test_a_demo_set_says_whether_its_attribute_belongs_to_the_class(tmp_path):
    assert [name for name, demo in SETS.items() if demo.attribute_belongs] == ["subtypes"]
    for name in ("subtypes", "digits"):
        write_set(tmp_path / name, make_set(name, train=40, val=8, test=8, size=32))
    assert attribute_belongs(tmp_path / "subtypes")
    assert not attribute_belongs(tmp_path / "digits") and not attribute_belongs(tmp_path)


@pytest.mark.slow
def test_slim_by_environments_asks_about_environments_alone(looped):
    outcome = looped.loop.outcome("slim-environments")
    subset = outcome.subset
    assert subset.metrics["answers"] == 0 and outcome.labels_used == "answers"
    assert outcome.n_answers == subset.metrics["environment_answers"] == len(subset.metrics["report"]["environments"])
    assert outcome.answers_share == pytest.approx(outcome.n_answers / 200)
    assert looped.loop.campaign.id != looped.loop.sheets_campaign.id
    assert "environments_seq" not in looped.loop.subset("slim").spec


@pytest.mark.slow
def test_slim_asked_about_both_has_one_campaign_with_the_images_of_the_other_and_the_sheets(looped):
    both, of_images = looped.loop.outcome("slim-images-and-environments").subset, looped.loop.subset("slim")
    about_environments = looped.loop.subset("slim", asked="environments")
    assert both.metrics["answers"] == of_images.metrics["answers"] > 0
    assert both.metrics["environment_answers"] == about_environments.metrics["environment_answers"] > 0
    assert len({run.spec["campaign"] for run in (both, of_images, about_environments)}) == 3
    assert "environments_seq" not in looped.loop.subset("slim").spec, "the other campaign has no answer more"
