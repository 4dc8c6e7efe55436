"""How far a data set has come in the loop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app import session
from app.services.loop_state import ANSWERED_SINCE, Loop, read, results_of, unbegun
from app.services.queueing import ALL_WRONG
from slim_core.annotation.plan import create_campaign
from slim_core.steps.specs import parse_spec
from slim_core.store import AnswerIn, schema
from tests.app.conftest import as_good_on, finish


def states(loop: Loop) -> dict[str, str]:
    return {step.name: step.state for step in loop.steps}


def test_before_any_data_the_next_step_is_to_register_some() -> None:
    assert unbegun().next.name == "data"


def test_each_step_follows_from_the_state_of_its_run(dataset) -> None:
    store = session.store()
    run, _ = store.runs.submit(parse_spec({"kind": "train", "dataset": dataset.id, "model": "small-resnet"}))
    waiting = read(store, dataset.id).next
    assert (waiting.name, waiting.state, waiting.note) == ("train", "running", "queued")
    token = store.attempts.claim(run.id, "w", "cpu")
    begun = read(store, dataset.id).next
    assert (begun.state, begun.note) == ("running", ""), "it waits for no worker now"
    store.attempts.fail(run.id, token, "It failed.")
    loop = read(store, dataset.id)
    assert (loop.next.name, loop.next.state) == ("train", "failed")


@pytest.fixture
def known(filled_home: Path) -> Loop:
    """How far the loop of ``filled_home`` has come: to its end."""
    (dataset,) = session.store().datasets.all()
    return read(session.store(), dataset.id)


def trained(store, spec) -> str:
    """The id of a training that is done, without its files."""
    run, _ = store.runs.submit(parse_spec({"kind": "train", "model": "small-resnet", **spec}))
    token = store.attempts.claim(run.id, "w", "cpu")
    store.artifacts.attempt(run.id, 1)
    store.artifacts.publish(run.id, 1)
    store.attempts.finish(run.id, token, {"images": 1, "images_unique": 1, "seconds": 1.0})
    return run.id


def test_another_training_hides_no_result_and_begins_a_loop_that_can_be_chosen(known: Loop) -> None:
    store, dataset = session.store(), known.before.dataset_id
    assert set(states(known).values()) == {"done"} and known.next is None
    assert known.before.id != known.after.id
    other = trained(store, {"dataset": dataset, "seed": 7})
    loop = read(store, dataset)
    assert (loop.result.id, loop.after.id) == (known.result.id, known.after.id)
    assert [one.id for one in loop.results] == [known.result.id, other]
    assert "SLIM, from reference, seed 0" in loop.results[0].name and "seed 7: no retrained" in loop.results[1].name
    begun = read(store, dataset, other)
    assert (begun.next.name, begun.before, begun.after) == ("attention", None, None)


def test_another_training_does_not_hide_the_one_that_people_are_asked_about(known: Loop) -> None:
    store, dataset = session.store(), known.before.dataset_id
    asked = known.result.reference.id
    for subset in store.runs.all(kind="curate"):
        store.runs.delete(subset.id, cascade=True)
    other = trained(store, {"dataset": dataset, "seed": 7})
    loop = read(store, dataset)
    assert [one.id for one in loop.results] == [asked, other]
    assert states(loop)["annotate"] == "done" and loop.next.name == "curate"
    store.runs.submit(parse_spec({"kind": "train", "model": "small-resnet", "dataset": dataset, "seed": 8}))
    assert read(store, dataset).result.id == asked


def test_a_result_without_answers_has_its_own_subset_in_the_row(known: Loop) -> None:
    store, dataset = session.store(), known.before.dataset_id
    with store.database.write() as connection:
        connection.execute(schema.campaigns.update().values(space_run_id=None))
    loop = read(store, dataset)
    assert {name: states(loop)[name] for name in ("annotate", "curate", "retrain", "compare")} == {
        "annotate": "open", "curate": "done", "retrain": "done", "compare": "done",
    }  # fmt: skip
    assert loop.result.id == known.result.id


def test_a_space_of_the_test_images_is_not_taken_for_that_of_the_loop(known: Loop) -> None:
    store, dataset = session.store(), known.before.dataset_id
    space = next(step.run for step in known.steps if step.name == "space")
    for run in store.runs.all(kind="curate", dataset=dataset):
        store.runs.delete(run.id, cascade=True)
    store.runs.submit(parse_spec({**space.spec, "split": "test"}))
    step = next(step for step in read(store, dataset).steps if step.name == "space")
    assert step.run.id == space.id


def test_a_new_campaign_is_worked_on_while_the_model_of_the_one_before_stays_the_answer(known: Loop) -> None:
    store, dataset = session.store(), known.before.dataset_id
    space = next(step.run for step in known.steps if step.name == "space")
    campaign = create_campaign(store, space, share=0.1, seed=1, name="One more")
    loop = read(store, dataset)
    assert (loop.campaign.id, loop.next.name) == (campaign.id, "annotate")
    assert {states(loop)[name] for name in ("curate", "retrain", "compare")} == {"open"}
    assert loop.after.id == known.after.id, "whether it is better is still known"


def test_answers_after_the_subset_ask_for_another_one_and_leave_the_result(known: Loop) -> None:
    store, dataset = session.store(), known.before.dataset_id
    assert known.next is None
    item = store.campaigns.items(known.campaign.id)[0]
    _, annotator, value = next(vote for vote in store.answers.votes(known.campaign.id) if vote[0] == item.id)
    changed = [AnswerIn("changed", item.id, 1 - value), AnswerIn("back", item.id, value)]
    store.answers.save(known.campaign.id, annotator, changed[:1])
    loop = read(store, dataset)
    assert (loop.next.name, loop.next.note) == ("curate", ANSWERED_SINCE)
    assert {states(loop)[name] for name in ("curate", "retrain", "compare")} == {"open"}
    assert loop.after.id == known.after.id, "whether that one is better is still known"
    store.answers.save(known.campaign.id, annotator, changed[1:])
    assert read(store, dataset).next is None, "what counts is what it was"


def test_the_subset_shown_is_the_default_strategys(known: Loop) -> None:
    step = next(step for step in known.steps if step.name == "curate")
    assert step.run.spec["strategy"] == "slim"
    spec = step.run.spec
    link = {"subset": step.run.id, "space": spec["space"], "campaign": spec["campaign"]}
    assert step.params == {"dataset": known.before.dataset_id, **link}, "the page opens this subset, not the newest one"


WITHOUT_ANSWERS = {"campaign": None, "answers_seq": None}


def test_what_asks_nobody_stands_beside_a_result_and_does_not_become_it(known: Loop) -> None:
    store, dataset = session.store(), known.before.dataset_id
    after = as_good_on(known.result.subset, **WITHOUT_ANSWERS, options=ALL_WRONG)
    random = as_good_on(known.result.subset, strategy="random", options={})  # of the campaign, but not by its answers
    found = read(store, dataset).results
    assert [one.id for one in found] == [known.result.id, after.id, random.id], "the newest come last"


def test_another_result_that_is_chosen_is_shown_with_its_own_steps(known: Loop) -> None:
    store, dataset = session.store(), known.before.dataset_id
    other = as_good_on(known.result.subset, size=30)
    assert read(store, dataset).result.id == other.id
    chosen = read(store, dataset, known.result.id)
    shown = {step.name: step.run.id for step in chosen.steps if step.run is not None}
    result = known.result
    assert (shown["curate"], shown["retrain"], shown["compare"]) == (result.subset.id, result.model.id, result.after.id)
    space = next(step.run for step in known.steps if step.name == "space")
    create_campaign(store, space, share=0.1, seed=1, name="One more")
    assert read(store, dataset).campaign.name == "One more", "the first one leads on"
    chosen = read(store, dataset, known.result.id)
    assert chosen.campaign.id == known.campaign.id and chosen.next is None


def test_an_evaluation_on_another_split_does_not_end_the_loop(known: Loop) -> None:
    store, dataset = session.store(), known.before.dataset_id
    on_val, _ = store.runs.submit(parse_spec(known.after.spec | {"split": "val"}))
    finish(on_val.id, known.after.metrics)
    step = read(store, dataset).steps[-1]
    assert step.run.id == known.after.id and step.params["runs"] == f"{known.before.id},{known.after.id}"


def test_a_result_that_was_scored_again_is_one_result(known: Loop) -> None:
    store, dataset = session.store(), known.before.dataset_id
    runs = store.runs.all(dataset=dataset, metrics=False)
    again = [
        replace(run, id=f"{run.id}-again", spec=run.spec | {"shapes_seq": 3}) for run in (known.before, known.after)
    ]
    (found,) = results_of([*runs, *again])
    assert (found.before.id, found.after.id) == tuple(run.id for run in again)


def test_a_reference_that_was_trained_elsewhere_is_called_so(known: Loop) -> None:
    (result,) = known.results
    theirs = replace(result, reference=replace(result.reference, spec=result.reference.spec | {"mode": "registered"}))
    assert "from small-resnet, seed 0 ·" in result.name and "from small-resnet, trained elsewhere ·" in theirs.name
