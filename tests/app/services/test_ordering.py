"""Pages open on what people made themselves, also after a study on the same data."""

from __future__ import annotations

import pytest

from app import session
from app.compare.parts import choice
from app.services import loop_state
from app.services.results import comparison
from slim_core.steps.registry import parse_spec
from slim_core.store import AnswerIn, Run
from tests.app.conftest import Show, as_good_on, box, finish


@pytest.fixture
def of_study(filled_home) -> tuple[Run, Run]:
    """A space and the evaluation of a retrained model that a study has made since, with a campaign on that space."""
    store = session.store()
    (dataset,) = store.datasets.all()
    study = store.studies.start("choose", "digest", {}, 1)
    store.studies.link(study.id, dataset.id)
    space, subset = (store.runs.all(kind=kind)[0] for kind in ("space", "curate"))
    again, _ = store.runs.submit(parse_spec(space.spec | {"seed": 1}))
    finish(again.id, space.metrics, like=space)
    asked = store.campaigns.create("simulated", dataset.id, again.id, range(4))
    (item, *_) = store.campaigns.items(asked.id)
    store.answers.save(asked.id, "simulated", [AnswerIn("a", item.id, 1)])
    evaluation = as_good_on(subset, space=again.id, campaign=asked.id, answers_seq=None)
    store.studies.record(study.id, "slim", {"evaluation": evaluation.id})
    return again, evaluation


def test_pages_open_on_what_people_made_before_the_study(of_study: tuple[Run, Run], show: Show) -> None:
    space, evaluation = of_study
    store, dataset = session.store(), space.dataset_id
    own_space = store.runs.all(kind="space")[1].id
    own_campaign = store.campaigns.all()[1].id
    assert loop_state.read(store, dataset).result.id != evaluation.id
    for page, param in (("curate", "space"), ("space", "run")):
        assert box(show(page), param).value == own_space, page
    assert box(show("annotate"), "campaign").value == own_campaign
    for page, kind in (("train", "train"), ("attention", "gradcam")):
        assert box(show(page), "run").value not in store.studies.made(dataset), (page, kind)


def test_what_a_study_made_is_there_to_choose_and_is_what_a_link_names(of_study: tuple[Run, Run], show: Show) -> None:
    space, evaluation = of_study
    assert box(show("curate", space=space.id), "space").value == space.id
    assert evaluation.id in [one.id for one in loop_state.read(session.store(), space.dataset_id).results]
    assert comparison.read(space.dataset_id).of_studies == {evaluation.id}


def test_of_evaluations_those_of_studies_are_compared_only_where_there_is_room(
    of_study, show: Show, monkeypatch
) -> None:
    monkeypatch.setattr(choice, "FIRST", 2)
    shown = str(show("compare").query_params["runs"])
    own = [one.id for one in session.store().runs.all(kind="evaluate") if one.id != of_study[1].id]
    assert sorted(shown.split(",")) == sorted(own)
