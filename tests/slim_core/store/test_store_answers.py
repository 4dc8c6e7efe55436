"""Answers: append-only, idempotent, undone by the next one, asked under leases."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from slim_core.errors import AnswersRefusedError
from slim_core.store import AnswerIn, Campaign, CampaignSettings, Store, schema
from tests.refusals import refusal
from tests.slim_core.store.store_makers import in_processes, in_threads, next_item, statements

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@pytest.fixture
def campaign(store: Store, dataset) -> Campaign:
    """Asks one annotator about each of twelve images."""
    return store.campaigns.create("solo", dataset.id, None, range(12))


@pytest.fixture
def pair(store: Store, dataset) -> Campaign:
    """Asks two annotators about each of twelve images."""
    return store.campaigns.create("pair", dataset.id, None, range(12), settings=CampaignSettings(overlap=2))


def say(store: Store, campaign: Campaign, who: str, item_id: int, *values: int | None, at: str = "") -> None:
    """Answers of one annotator to one item, one after the other."""
    made = [AnswerIn(f"{who}-{item_id}-{at}-{random.random()}", item_id, value) for value in values]
    store.answers.save(campaign.id, who, made)


def forget_leases(store: Store) -> None:
    """As if two minutes had passed."""
    with store.database.write() as connection:
        past = datetime.now(UTC) - timedelta(minutes=1)
        connection.execute(schema.leases.update().values(expires_at=past))


def test_an_answer_that_arrives_twice_is_kept_once_and_acknowledged_twice(store: Store, campaign: Campaign):
    first, second = store.campaigns.items(campaign.id)[:2]
    batch = [AnswerIn("id-1", first.id, 1, {"opacity": 0.5}, 900), AnswerIn("id-2", second.id, 0)]
    assert store.answers.save(campaign.id, "ann", batch).ids == ["id-1", "id-2"]
    assert store.answers.save(campaign.id, "ann", [*batch, batch[0]]).ids == ["id-1", "id-2", "id-1"]
    kept = store.answers.frame(campaign.id)
    assert list(kept["id"]) == ["id-1", "id-2"] and list(kept["seen"]) == [{"opacity": 0.5}, {}]
    assert list(kept["row"]) == [first.row, second.row] and list(kept["value"]) == [1, 0]
    assert store.answers.current(campaign.id) == {first.row: 1, second.row: 0}


def test_an_undo_brings_back_the_answer_before_as_far_as_wanted(store: Store, campaign: Campaign):
    item = store.campaigns.items(campaign.id)[0]
    expected = {(1,): 1, (0,): 0, (None,): 1, (None, None): None, (-1,): -1}
    for values, value in expected.items():
        say(store, campaign, "ann", item.id, *values)
        assert store.answers.current(campaign.id).get(item.row) == value
    assert len(store.answers.frame(campaign.id)) == 6  # nothing is ever removed
    assert store.answers.frame(campaign.id)["value"].isna().sum() == 3


def test_answers_are_taken_back_where_they_count_and_what_came_since_stays(store: Store, pair: Campaign):
    first, changed, undone, again, of_ben = store.campaigns.items(pair.id)[:5]
    items = (first, changed, undone, again)
    say(store, pair, "ann", first.id, 0)
    store.answers.save(pair.id, "ann", [AnswerIn(f"batch-{item.id}", item.id, 1) for item in items])
    store.answers.save(pair.id, "ben", [AnswerIn("of-ben", of_ben.id, 1)])
    say(store, pair, "ann", changed.id, 0)
    say(store, pair, "ann", undone.id, None)
    say(store, pair, "ann", again.id, 0, None)
    ids = [*(f"batch-{item.id}" for item in items), "of-ben"]
    assert store.answers.take_back(pair.id, "ann", ids) == 2
    assert store.answers.take_back(pair.id, "ann", ids) == 0
    assert store.answers.current(pair.id) == {first.row: 0, changed.row: 0, of_ben.row: 1}


def test_an_id_that_the_annotator_used_in_another_campaign_is_refused(store: Store, campaign: Campaign, pair: Campaign):
    first, second = (store.campaigns.items(each.id)[0] for each in (campaign, pair))
    store.answers.save(campaign.id, "ann", [AnswerIn("id-1", first.id, 1)])
    with refusal(AnswersRefusedError, "id-1"):
        store.answers.save(pair.id, "ann", [AnswerIn("id-1", second.id, 1)])


def test_a_skip_of_what_was_answered_before_takes_no_answer_back(store: Store, pair: Campaign):
    item = store.campaigns.items(pair.id)[0]
    for values in ((1,), (0, None)):
        say(store, pair, "ann", item.id, *values)
        store.answers.save(pair.id, "ann", [AnswerIn(f"skip-{len(values)}", item.id, None, skip=True)])
        rows, counted = store.answers.snapshot(pair.id, store.answers.last_seq(pair.id))
        assert store.answers.current(pair.id) == dict(zip(rows, counted, strict=True)) == {item.row: 1}
    say(store, pair, "ben", item.id, 1)
    assert store.assignments.progress(pair.id, "ann").done == 1


def test_an_answer_over_the_quota_is_none_where_its_annotator_answers_again(store: Store, campaign: Campaign):
    item = store.campaigns.items(campaign.id)[0]
    for who, value in (("ann", 1), ("ben", 0), ("ann", None), ("ben", 0)):
        say(store, campaign, who, item.id, value)
    assert store.answers.current(campaign.id) == {item.row: 0}
    assert store.assignments.progress(campaign.id, "ann").done == 1


def test_a_file_counts_its_own_answers_over_the_quota(store: Store, campaign: Campaign):
    first, second = store.campaigns.items(campaign.id)[:2]
    both = {who: [AnswerIn(who, first.id, 1)] for who in ("ann", "ben")}
    assert store.answers.import_file(campaign.id, "lea", both) == (2, 1)
    assert store.answers.import_file(campaign.id, "lea", {"ann": [AnswerIn("a", second.id, 1)]}) == (1, 0)


def test_an_item_that_was_taken_back_is_asked_again(store: Store, campaign: Campaign):
    item = next_item(store, campaign.id, "ann")
    say(store, campaign, "ann", item.id, 1)
    assert next_item(store, campaign.id, "ann").id != item.id
    say(store, campaign, "ann", item.id, None)
    assert next_item(store, campaign.id, "ann").id == item.id
    assert next_item(store, campaign.id, "ben").id != item.id  # ann looks at it again


def test_a_snapshot_stays_what_it_was(store: Store, dataset, campaign: Campaign):
    first, second = store.campaigns.items(campaign.id)[:2]
    of_same_images = store.campaigns.create("same images", dataset.id, None, range(12))
    for item in store.campaigns.items(of_same_images.id):
        say(store, of_same_images, "ben", item.id, 1 - item.position % 2)
    say(store, campaign, "ann", first.id, 1)
    say(store, campaign, "ann", second.id, 0)
    seq = store.answers.last_seq(campaign.id)
    say(store, campaign, "ann", first.id, None, 0)
    rows, values = store.answers.snapshot(campaign.id, seq)
    assert dict(zip(rows.tolist(), values.tolist(), strict=True)) == {first.row: 1, second.row: 0}
    assert rows.dtype == np.int64 and values.dtype == np.int8 and list(rows) == sorted(rows)
    rows, values = store.answers.snapshot(campaign.id, store.answers.last_seq(campaign.id))
    assert dict(zip(rows.tolist(), values.tolist(), strict=True)) == store.answers.current(campaign.id)
    assert len(store.answers.snapshot(campaign.id, 0)[0]) == 0


def test_the_majority_of_those_who_are_sure_decides(store: Store, dataset):
    trio = store.campaigns.create("trio", dataset.id, None, range(4), settings=CampaignSettings(overlap=3))
    a, b, c, d = store.campaigns.items(trio.id)
    cast = {a: (1, 0, 1), b: (0, 0, 1), c: (1, -1, -1), d: (1, 0, -1)}
    for item, values in cast.items():
        for who, value in zip(("ann", "ben", "cid"), values, strict=True):
            say(store, trio, who, item.id, value)
    assert store.answers.current(trio.id) == {a.row: 1, b.row: 0, c.row: 1, d.row: -1}
    assert store.answers.current(trio.id, annotator="ben") == {a.row: 0, b.row: 0, c.row: -1, d.row: 0}
    rows, values = store.answers.snapshot(trio.id, store.answers.last_seq(trio.id))
    assert dict(zip(rows.tolist(), values.tolist(), strict=True)) == store.answers.current(trio.id)


def test_two_annotators_and_two_tabs_never_look_at_the_same_item(store: Store, campaign: Campaign):
    seats = [("ann", "tab 1"), ("ann", "tab 2"), ("ben", "tab 1"), ("ben", "tab 2")]
    asked = {seat: next_item(store, campaign.id, *seat).id for seat in seats}
    assert len(set(asked.values())) == 4
    assert {seat: next_item(store, campaign.id, *seat).id for seat in seats} == asked  # a reload
    holds = store.assignments.leases(campaign.id)
    assert sorted(hold.item_id for hold in holds) == sorted(asked.values())
    assert all(timedelta(seconds=100) < hold.until - datetime.now(UTC) <= timedelta(seconds=121) for hold in holds)


def test_items_ahead_are_kept_too_and_given_back_when_the_tab_closes(store: Store, campaign: Campaign):
    ahead = store.assignments.assign(campaign.id, "ann", 10, "tab").items
    assert [item.position for item in ahead] == list(range(10))
    assert [item.position for item in store.assignments.assign(campaign.id, "ben", 10).items] == [10, 11]
    assert next_item(store, campaign.id, "cid") is None
    assert {hold.annotator for hold in store.assignments.leases(campaign.id)} == {"ann", "ben"}
    store.assignments.release(campaign.id, "ann", "tab")
    assert next_item(store, campaign.id, "cid").position == 0


def test_a_lease_that_ran_out_frees_the_item_and_a_late_answer_is_kept_but_not_counted(store, campaign: Campaign):
    item = next_item(store, campaign.id, "ann")
    forget_leases(store)
    assert next_item(store, campaign.id, "ben").id == item.id
    say(store, campaign, "ben", item.id, 0)
    say(store, campaign, "ann", item.id, 1, None)
    assert store.answers.current(campaign.id) == {item.row: 0}
    assert list(store.answers.frame(campaign.id)["surplus"]) == [False, True, True]
    assert store.campaigns.items(campaign.id)[0].n_answers == 1


def test_with_an_overlap_of_two_each_item_is_asked_to_two_and_once_each(store: Store, pair: Campaign):
    for who in ("ann", "ben", "cid"):
        asked = []
        while item := next_item(store, pair.id, who):
            asked.append(item.id)
            say(store, pair, who, item.id, 1)
        assert len(asked) == len(set(asked)) == (0 if who == "cid" else 12)
    assert all(item.done and item.n_answers == 2 for item in store.campaigns.items(pair.id))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"value": 4}, ("4", "1 or right, 0 or wrong, 3 or partly, 2 or empty, -1 or unsure")),
        ({"value": True}, ("True",)),
        ({"value": 1.0}, ("1.0",)),
        ({"value": "1"}, ("'1'",)),
        ({"value": []}, ("[]",)),
        ({"value": 1, "skip": True}, ("1",)),
        ({"item_id": 999_999}, (999_999,)),
        ({"item_id": None}, ("None",)),
        ({"item_id": {}}, ("{}",)),
        ({"item_id": True}, ("True",)),
        ({"item_id": 2**70}, (2**70,)),
        ({"duration_ms": 2**53 + 2}, (2**53 + 2,)),
        ({"duration_ms": float("nan")}, ("nan",)),
        ({"duration_ms": "long"}, ("'long'",)),
        ({"id": ""}, (80,)),
        ({"id": None}, (80,)),
        ({"id": "\ud800"}, (80,)),
        ({"id": "x" * 81}, (80,)),
        ({"seen": {"run": "\ud800"}}, (r"'\ud800'", "run")),
        ({"seen": {"run": 5}}, (5, "run")),
        ({"seen": {"run": {"deep": []}}}, ("deep", "run")),
        ({"seen": {"view": "x" * 201}}, ("xxx...xxx", "view")),
        ({"seen": {"opacity": float("nan")}}, ("nan", "opacity")),
        ({"seen": {"opacity": True}}, ("True", "opacity")),
        ({"seen": {"page": 10**30}}, (10**30, "page")),
        ({"seen": {"grid": "yes"}}, ("'yes'", "grid")),
        ({"seen": {"anything": "x" * 900_000}}, ("'anything'", "attention_precision, beside")),
        ({"seen": {5: 1}}, ("5",)),
        ({"seen": []}, ("[]",)),
    ],
)
def test_a_batch_with_one_bad_answer_is_refused_as_a_whole(store: Store, campaign: Campaign, change, named):
    item = store.campaigns.items(campaign.id)[0]
    good, bad = AnswerIn("good", item.id, 1), AnswerIn(**({"id": "bad", "item_id": item.id, "value": 0} | change))
    with refusal(AnswersRefusedError, *named):
        store.answers.save(campaign.id, "ann", [good, bad])
    assert store.answers.last_seq(campaign.id) == 0 and store.answers.current(campaign.id) == {}


def test_an_id_of_someone_elses_answer_and_an_unnamed_annotator_are_refused(store: Store, campaign: Campaign):
    item = store.campaigns.items(campaign.id)[0]
    store.answers.save(campaign.id, "ann", [AnswerIn("id-1", item.id, 1)])
    with refusal(AnswersRefusedError, "id-1"):
        store.answers.save(campaign.id, "ben", [AnswerIn("id-1", item.id, 0)])
    for name in ("", " ", "a\x00b", "x" * 201):
        with refusal(AnswersRefusedError, repr(name), 200):
            store.answers.save(campaign.id, name, [AnswerIn("id-2", item.id, 0)])


def test_a_clock_that_is_wrong_does_no_harm(store: Store, campaign: Campaign):
    item = store.campaigns.items(campaign.id)[0]
    odd = [AnswerIn("a", item.id, 1, duration_ms=-5), AnswerIn("b", item.id, 0, duration_ms=10**15)]
    store.answers.save(campaign.id, "ann", odd)
    assert list(store.answers.frame(campaign.id)["duration_ms"]) == [0, 86_400_000]
    assert store.campaigns.progress(campaign.id)["minutes"] == 1.0


def test_five_thousand_answers_arrive_in_one_batch(store: Store, dataset, tmp_path):
    campaign = store.campaigns.create("many", dataset.id, None, range(40))
    ids = [item.id for item in store.campaigns.items(campaign.id)]
    batch = [AnswerIn(f"a-{k}", ids[k % 40], k % 2) for k in range(5_300)]
    assert len(store.answers.save(campaign.id, "ann", batch).ids) == 5_300
    assert len(store.answers.frame(campaign.id)) == 5_300 and store.campaigns.progress(campaign.id)["done"] == 40


def team(store: Store, campaign: Campaign, who: str, tab: str) -> list[int]:
    """One seat: asks, answers, sends every answer twice, until nothing is left and nobody holds anything."""
    answered = []
    while True:
        item = next_item(store, campaign.id, who, tab)
        if item is None:
            if not store.assignments.leases(campaign.id):
                return answered
            time.sleep(0.01)  # whoever asks writes: seats with nothing to do would keep those with work waiting
            continue
        given = [AnswerIn(f"{who}-{tab}-{item.id}", item.id, 1, {}, 100)]
        for _ in range(2):
            store.answers.save(campaign.id, who, given, tab)
        answered.append(item.id)


@pytest.mark.slow
@pytest.mark.parametrize(("overlap", "at_once"), [(1, in_threads), (2, in_threads), (1, in_processes)])
def test_five_annotators_with_two_tabs_each_answer_everything_once(store: Store, dataset, overlap, at_once):
    campaign = store.campaigns.create("team", dataset.id, None, range(40), settings=CampaignSettings(overlap=overlap))
    per_seat = at_once(10, lambda k: team(store, campaign, f"annotator {k // 2}", f"tab {k % 2}"))
    given = [item_id for answered in per_seat for item_id in answered]
    counts = {item.id: given.count(item.id) for item in store.campaigns.items(campaign.id)}
    assert set(counts.values()) == {overlap}
    kept = store.answers.frame(campaign.id)
    assert len(kept) == 40 * overlap and not kept["surplus"].any()
    assert kept.groupby("item_id")["annotator"].nunique().eq(overlap).all()
    assert store.campaigns.progress(campaign.id)["done"] == 40


moves = st.lists(
    st.tuples(st.sampled_from(["ann", "ben", "cid"]), st.integers(0, 2), st.sampled_from([1, 0, -1, None])), max_size=25
)


@pytest.mark.slow
@given(moves=moves, overlap=st.integers(1, 3))
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_derived_always_equals_what_the_answers_add_up_to(store: Store, dataset, moves, overlap):
    campaign = store.campaigns.create("any", dataset.id, None, range(3), settings=CampaignSettings(overlap=overlap))
    items = store.campaigns.items(campaign.id)
    for who, index, value in moves:
        say(store, campaign, who, items[index].id, value)
    rows, values = store.answers.snapshot(campaign.id, store.answers.last_seq(campaign.id))
    assert dict(zip(rows.tolist(), values.tolist(), strict=True)) == store.answers.current(campaign.id)
    query = sa.select(schema.current_answers.c.item_id, sa.func.count()).group_by(schema.current_answers.c.item_id)
    with store.database.read() as connection:
        counted = dict(tuple(row) for row in connection.execute(query))
    for item in store.campaigns.items(campaign.id):
        assert item.n_answers == counted.get(item.id, 0) <= overlap
        assert item.done == (item.n_answers == overlap)


def test_empty_is_kept_as_such_and_counts_as_wrong(store: Store, pair: Campaign):
    first, second, third, fourth = store.campaigns.items(pair.id)[:4]
    for who, values in {"ann": (2, 2, 2, 2), "ben": (0, 1, 2, -1)}.items():
        for item, value in zip((first, second, third, fourth), values, strict=True):
            say(store, pair, who, item.id, value)
    assert {value for _, who, value in store.answers.votes(pair.id) if who == "ann"} == {2}
    expected = {first.row: 0, second.row: -1, third.row: 0, fourth.row: 0}
    assert store.answers.current(pair.id) == expected
    assert store.answers.current(pair.id, "ann") == dict.fromkeys(expected, 0)
    rows, values = store.answers.snapshot(pair.id, store.answers.last_seq(pair.id))
    assert dict(zip(rows.tolist(), values.tolist(), strict=True)) == expected
    progress = store.campaigns.progress(pair.id)
    assert (progress["right"], progress["wrong"], progress["unsure"], progress["empty"]) == (0, 3, 1, 4)
    store.decisions.decide(pair.id, "lea", AnswerIn("d", second.id, 2))
    assert store.answers.current(pair.id)[second.row] == 0
    rows, values = store.answers.snapshot(pair.id, store.answers.last_seq(pair.id))
    assert dict(zip(rows.tolist(), values.tolist(), strict=True))[second.row] == 0
    say(store, pair, "ann", first.id, None, at="undo")
    assert store.campaigns.progress(pair.id)["empty"] == 3


def test_an_answer_is_kept_by_few_statements_since_others_wait_for_its_lock(store: Store, campaign: Campaign):
    item, *_ = store.assignments.assign(campaign.id, "ann", 4, "tab").items
    with statements(store.database) as told:
        store.answers.deliver(campaign.id, "ann", [AnswerIn("one", item.id, 1)], "tab")
    assert len(told) <= 10
