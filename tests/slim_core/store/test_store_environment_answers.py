"""Answers about environments: append-only, the team rules of answers about images, and what they add up to."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from slim_core.errors import AnswersRefusedError, ForbiddenError, NotFoundError
from slim_core.space.sheets import MIXED, NO, UNSURE, YES, EnvironmentConsensus
from slim_core.steps.specs import CurateSpec, SpaceSpec
from slim_core.store import Campaign, CampaignSettings, EnvironmentAnswer, Run, Store
from tests.slim_core.store.store_makers import in_processes, in_threads

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@pytest.fixture
def campaign(store: Store, dataset) -> Campaign:
    """Each environment is answered by one."""
    return store.campaigns.create("solo", dataset.id, None, range(4))


@pytest.fixture
def trio(store: Store, dataset) -> Campaign:
    """Each environment is answered by three."""
    return store.campaigns.create("trio", dataset.id, None, range(4), settings=CampaignSettings(overlap=3))


def say(store: Store, campaign: Campaign, who: str, path: str, value: int | None, name: str = "") -> list[str]:
    given = EnvironmentAnswer(f"{who}-{path}-{random.random()}", path, value, name)
    return store.environment_answers.save(campaign.id, who, [given])


def test_nothing_is_said_before_anyone_answers(store: Store, campaign: Campaign):
    answers = store.environment_answers
    assert (answers.consensus(campaign.id), answers.votes(campaign.id), answers.last_seq(campaign.id)) == ({}, [], 0)


def test_an_answer_that_arrives_twice_is_kept_once(store: Store, campaign: Campaign):
    given = EnvironmentAnswer("id-1", "3", NO, "water", 900)
    assert store.environment_answers.save(campaign.id, "ann", [given, given]) == []
    seq = store.environment_answers.last_seq(campaign.id)
    assert store.environment_answers.save(campaign.id, "ann", [given]) == []
    assert store.environment_answers.last_seq(campaign.id) == seq > 0
    assert store.environment_answers.consensus(campaign.id) == {"3": EnvironmentConsensus(NO, "water", 1)}


def test_an_undo_brings_back_the_answer_before_and_an_undo_of_nothing_has_no_effect(store: Store, campaign: Campaign):
    said = []
    for value in (None, YES, MIXED, None, None, None, NO):
        say(store, campaign, "ann", "0", value)
        said.append(store.environment_answers.consensus(campaign.id).get("0"))
    values = [None if one is None else one.value for one in said]
    assert values == [None, YES, MIXED, YES, None, None, NO]


@pytest.mark.parametrize(
    ("values", "together"),
    [
        ((YES, YES, NO), YES),
        ((NO, UNSURE, UNSURE), NO),
        ((YES, NO, UNSURE), UNSURE),
        ((YES, NO, MIXED), UNSURE),
        ((MIXED, MIXED, NO), MIXED),
        ((UNSURE, UNSURE, UNSURE), UNSURE),
    ],
)
def test_the_majority_of_those_who_are_sure_counts_and_a_tie_is_unsure(
    store: Store, trio: Campaign, values: tuple[int, ...], together: int
):
    for who, value in zip(("ann", "ben", "cid"), values, strict=True):
        assert say(store, trio, who, "2", value) == []
    assert store.environment_answers.consensus(trio.id) == {"2": EnvironmentConsensus(together, "", 3)}


def test_the_name_given_last_counts_whoever_gave_it(store: Store, trio: Campaign):
    say(store, trio, "ann", "1", NO, "lake")
    say(store, trio, "ben", "1", NO, "  water \t and reeds ".replace("\t", " "))
    say(store, trio, "cid", "1", NO)
    assert store.environment_answers.consensus(trio.id)["1"].name == "water and reeds"
    say(store, trio, "ben", "1", None)
    assert store.environment_answers.consensus(trio.id)["1"].name == "lake"


def test_beyond_the_overlap_an_answer_is_kept_and_not_counted(store: Store, campaign: Campaign):
    assert say(store, campaign, "ann", "0", YES) == []
    late = EnvironmentAnswer("late", "0", NO, "wood")
    assert store.environment_answers.save(campaign.id, "ben", [late]) == ["late"]
    assert store.environment_answers.consensus(campaign.id) == {"0": EnvironmentConsensus(YES, "", 1)}
    assert say(store, campaign, "ann", "0", NO) == [], "who was counted may change their mind"
    assert say(store, campaign, "ann", "0", None) == say(store, campaign, "ann", "0", None) == []
    assert say(store, campaign, "ben", "0", NO) == [], "the place is free again"
    assert store.environment_answers.consensus(campaign.id) == {"0": EnvironmentConsensus(NO, "", 1)}


def test_of_two_who_answer_at_once_one_counts(store: Store, campaign: Campaign):
    def work(k: int) -> list[str]:
        return store.environment_answers.save(campaign.id, f"p{k}", [EnvironmentAnswer(f"a{k}", "0", k % 2)])

    surplus = [each for found in in_threads(6, work) for each in found]
    assert len(surplus) == 5
    (vote,) = store.environment_answers.votes(campaign.id)
    assert {f"a{vote.annotator[1:]}", *surplus} == {f"a{k}" for k in range(6)}


@pytest.mark.slow
def test_of_two_processes_that_answer_at_once_one_counts(store: Store, campaign: Campaign):
    def work(k: int) -> list[str]:
        other = Store.open(store.settings)
        return other.environment_answers.save(campaign.id, f"p{k}", [EnvironmentAnswer(f"b{k}", "0", YES)])

    assert sorted(map(len, in_processes(3, work))) == [0, 1, 1]
    assert store.environment_answers.consensus(campaign.id)["0"].n_answers == 1


def test_what_was_said_up_to_an_answer_stays_what_it_was(store: Store, trio: Campaign):
    say(store, trio, "ann", "0", YES, "a")
    first = store.environment_answers.last_seq(trio.id)
    say(store, trio, "ben", "0", NO)
    say(store, trio, "ann", "0", None)
    assert store.environment_answers.consensus(trio.id, first) == {
        "0": EnvironmentConsensus(YES, "a", 1, is_enough=False)
    }
    assert store.environment_answers.consensus(trio.id, 0) == {}
    assert store.environment_answers.consensus(trio.id) == {"0": EnvironmentConsensus(NO, "", 1, is_enough=False)}


def test_campaigns_do_not_mix(store: Store, campaign: Campaign, trio: Campaign):
    say(store, campaign, "ann", "0", YES)
    assert store.environment_answers.consensus(trio.id) == {}
    say(store, trio, "ben", "1", NO)
    assert store.environment_answers.consensus(campaign.id) == {"0": EnvironmentConsensus(YES, "", 1, is_enough=True)}
    assert store.environment_answers.consensus(trio.id) == {"1": EnvironmentConsensus(NO, "", 1, is_enough=False)}


def test_only_those_whom_the_campaign_names_may_answer(store: Store, dataset):
    named = store.campaigns.create(
        "named", dataset.id, None, range(4), settings=CampaignSettings(options={"members": ["ann"]})
    )
    with pytest.raises(ForbiddenError, match="ben is not an annotator of named"):
        say(store, named, "ben", "0", YES)
    assert say(store, named, "Ann", "0", YES) == []


def test_a_closed_campaign_and_one_over_its_deadline_take_no_answers(store: Store, dataset, campaign: Campaign):
    store.campaigns.close(campaign.id)
    with pytest.raises(AnswersRefusedError, match="solo is closed: ask its lead to reopen it"):
        say(store, campaign, "ann", "0", YES)
    past = datetime.now(UTC) - timedelta(hours=1)
    late = store.campaigns.create("late", dataset.id, None, [0, 1], settings=CampaignSettings(deadline=past))
    with pytest.raises(AnswersRefusedError, match="deadline of late was"):
        say(store, late, "ann", "0", YES)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (EnvironmentAnswer("i", "0", 7), "7 is not an answer about an environment: 1 is yes, 0 is no, 2 is mixed"),
        (EnvironmentAnswer("i", "0", True), "True is not an answer"),
        (EnvironmentAnswer("i", "", YES), "'' is not an environment: name one such as 3, or its part 3.0"),
        (EnvironmentAnswer("i", "3.7", YES), "'3.7' is not an environment"),
        (EnvironmentAnswer("i", "../etc", YES), "is not an environment"),
        (EnvironmentAnswer("i", "-1", YES), "is not an environment"),
        (EnvironmentAnswer("", "0", YES), "needs an id of its own, of 1 to 80 characters"),
        (EnvironmentAnswer("i", "0", YES, "n" * 81), "is not a name: give one of up to 80 characters"),
        (EnvironmentAnswer("i", "0", YES, "a\nb"), "is not a name"),
    ],
)
def test_what_nobody_can_have_said_is_refused(store: Store, campaign: Campaign, given: EnvironmentAnswer, why: str):
    with pytest.raises(AnswersRefusedError, match=why):
        store.environment_answers.save(campaign.id, "ann", [EnvironmentAnswer("fine", "1", YES), given])
    assert store.environment_answers.consensus(campaign.id) == {}, "all or none"


def test_somebody_without_a_name_and_a_campaign_that_does_not_exist_are_refused(store: Store, campaign: Campaign):
    with pytest.raises(AnswersRefusedError, match="is not a valid annotator name"):
        say(store, campaign, "  ", "0", YES)
    with pytest.raises(NotFoundError, match="There is no campaign c-none"):
        store.environment_answers.save("c-none", "ann", [EnvironmentAnswer("i", "0", YES)])


@pytest.mark.parametrize(("who", "path"), [("ben", "0"), ("ann", "1")])
def test_an_id_that_was_used_for_another_answer_is_refused(store: Store, trio: Campaign, who: str, path: str):
    store.environment_answers.save(trio.id, "ann", [EnvironmentAnswer("i", "0", YES)])
    with pytest.raises(AnswersRefusedError, match="The answer id i was used for another answer"):
        store.environment_answers.save(trio.id, who, [EnvironmentAnswer("i", path, YES)])


def test_a_curate_run_pins_what_was_said_when_it_was_submitted(store: Store, dataset, finish):
    space = _space(store, dataset, finish)
    campaign = store.campaigns.create("of a space", dataset.id, space.id, range(4))
    spec = CurateSpec(dataset=dataset.id, space=space.id, campaign=campaign.id, size=4)
    before, _ = store.runs.submit(spec)
    assert "environments_seq" not in before.spec, "as such runs were before there were such answers"
    say(store, campaign, "ann", "0", YES)
    run, created = store.runs.submit(spec)
    assert created and run.spec["environments_seq"] == store.environment_answers.last_seq(campaign.id)
    assert store.runs.submit(spec) == (run, False)
    ignored, created = store.runs.submit(spec.model_copy(update={"environments_seq": 0}))
    assert created and ignored.spec["environments_seq"] == 0
    another, _ = store.runs.submit(SpaceSpec(dataset=dataset.id, attention=space.spec["attention"], seed=1))
    of_another, _ = store.runs.submit(spec.model_copy(update={"space": another.id}))
    assert "environments_seq" not in of_another.spec, "its environment 0 is another"


def _space(store: Store, dataset, finish) -> Run:
    from slim_core.steps.specs import FeaturesSpec
    from tests.slim_core.store.store_makers import train_spec

    model = finish(store.runs.submit(train_spec(dataset))[0]).run
    looked = finish(store.runs.submit(FeaturesSpec(dataset=dataset.id, model=model.id))[0]).run
    return store.runs.submit(SpaceSpec(dataset=dataset.id, attention=looked.id))[0]
