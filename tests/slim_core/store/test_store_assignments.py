"""Who is asked what: a tab's own items, skips, pages reloaded, what the rest is waiting for."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from slim_core.store import AnswerIn, Campaign, CampaignSettings, Store, schema
from slim_core.store.campaigns.campaigns import CampaignClosedError
from tests.slim_core.store.store_makers import image_table, imported, next_item, statements


@pytest.fixture
def campaign(store: Store, dataset) -> Campaign:
    """Asks one annotator about each of six images."""
    return store.campaigns.create("solo", dataset.id, None, range(6))


def say(store: Store, campaign: Campaign, who: str, item_id: int, value: int | None, tab: str = "", **more: object):
    """One answer of someone."""
    name = f"{who}-{item_id}-{time.perf_counter_ns()}"
    return store.answers.deliver(campaign.id, who, [AnswerIn(name, item_id, value, **more)], tab)


def positions(items: list) -> list[int]:
    return [item.position for item in items]


def forget_leases(store: Store) -> None:
    """As if two minutes had passed."""
    with store.database.write() as connection:
        past = datetime.now(UTC) - timedelta(minutes=1)
        connection.execute(schema.leases.update().values(expires_at=past))


def test_what_was_skipped_goes_to_others_and_comes_back_when_the_rest_is_through(store: Store, campaign: Campaign):
    first, second = store.assignments.assign(campaign.id, "ann", 2, "tab").items
    for item in (second, first):
        say(store, campaign, "ann", item.id, None, "tab", skip=True)
    assert positions(store.assignments.assign(campaign.id, "ann", 6, "tab").items) == [2, 3, 4, 5, 1, 0]
    store.assignments.release(campaign.id, "ann", "tab")
    assert positions(store.assignments.assign(campaign.id, "ben", 2).items) == [0, 1]
    given = store.answers.frame(campaign.id)
    assert list(given["source"]) == ["skip", "skip"] and list(given["item_id"]) == [second.id, first.id]
    assert store.answers.current(campaign.id) == {} and store.campaigns.progress(campaign.id)["answered"] == 0


def test_a_skip_that_is_taken_back_shows_the_image_again_unless_somebody_else_looks_at_it(store, campaign: Campaign):
    first, second = store.assignments.assign(campaign.id, "ann", 2, "tab").items
    for item in (first, second):
        say(store, campaign, "ann", item.id, None, "tab", skip=True)
    assert say(store, campaign, "ann", first.id, None, "tab").lost == []
    assert positions(store.assignments.assign(campaign.id, "ann", 2, "tab").items) == [0, 2]
    assert positions(store.assignments.assign(campaign.id, "ben", 1).items) == [1]
    assert say(store, campaign, "ann", second.id, None, "tab").lost == [second.id]
    forget_leases(store)
    assert say(store, campaign, "ann", second.id, None, "tab").lost == [], "nobody looks at it any longer"


def test_a_reloaded_page_goes_on_with_what_it_held_even_if_its_farewell_arrives_late(store: Store, campaign: Campaign):
    before = store.assignments.assign(campaign.id, "ann", 3, "page 1").items
    after = store.assignments.assign(campaign.id, "ann", 3, "page 2", was=["page 1"]).items
    assert positions(after) == positions(before) == [0, 1, 2]
    store.assignments.release(campaign.id, "ann", "page 1")
    assert positions(store.assignments.assign(campaign.id, "ben", 1, "ben's").items) == [3]
    assert positions(store.assignments.assign(campaign.id, "ann", 1, "page 3", was=["ben's"]).items) == [4]
    assert positions(store.assignments.assign(campaign.id, "ben", 1, "ben's").items) == [3], "he keeps it"


def test_an_annotator_is_told_what_is_still_open_and_who_looks_at_it(store: Store, dataset):
    pair = store.campaigns.create("pair", dataset.id, None, range(4), settings=CampaignSettings(overlap=2))
    mine = store.assignments.assign(pair.id, "ann", 4, "tab 1").items
    for item in mine:
        say(store, pair, "ann", item.id, 1)
    say(store, pair, "ben", next_item(store, pair.id, "ben").id, 0)
    assert store.assignments.assign(pair.id, "ann", 4, "tab 1").items == []
    progress = store.assignments.progress(pair.id, "ann", "tab 1")
    assert (progress.total, progress.done, progress.answered, progress.leases) == (4, 1, 3, ())
    elsewhere = store.campaigns.create("elsewhere", dataset.id, None, range(4))
    store.assignments.assign(elsewhere.id, "cid", 2)
    looked_at = store.assignments.assign(pair.id, "ben", 2).items
    with store.database.write() as connection:
        of_one = schema.leases.update().where(schema.leases.c.item_id == looked_at[0].id)
        connection.execute(of_one.values(expires_at=datetime.now(UTC) + timedelta(seconds=50)))
    (held,) = store.assignments.progress(pair.id, "ann", "tab 1").leases
    assert (held.annotator, held.n_items) == ("ben", 2) and 100 < held.seconds_left <= 120
    assert store.assignments.progress(pair.id, "ben").leases == ()  # its own session is left out
    assert store.assignments.progress(pair.id, "ben", "other tab").leases[0].annotator == "ben"
    say(store, pair, "cid", looked_at[0].id, 1)
    assert store.assignments.progress(pair.id, "ann", "tab 1").leases[0].n_items == 1, "the other is through"
    assert store.assignments.assign(pair.id, "ben", 1).items == looked_at[1:]
    assert {lease.annotator for lease in store.assignments.leases(pair.id)} == {"ben"}
    forget_leases(store)
    assert store.assignments.progress(pair.id, "ann", "tab 1").leases == ()


def test_the_answers_given_last_are_found_newest_first_and_page_by_page(store: Store, campaign: Campaign):
    items = store.campaigns.items(campaign.id)
    for item, value in zip(items[:4], (1, 0, -1, 1), strict=True):
        say(store, campaign, "ann", item.id, value)
    say(store, campaign, "ann", items[0].id, 0)  # changed: now the last one
    say(store, campaign, "ann", items[3].id, None)  # taken back
    say(store, campaign, "ben", items[5].id, 1)
    found = store.answers.latest(campaign.id, "ann", 2)
    assert [(each.item.position, each.value) for each in found] == [(0, 0), (2, -1)]
    assert [each.item.position for each in store.answers.latest(campaign.id, "ann", 9, found[-1].seq)] == [1, 0]
    assert store.answers.latest(campaign.id, "cid", 5) == []


def test_a_late_answer_counts_where_there_is_room_and_is_over_quota_elsewhere(store: Store, campaign: Campaign):
    first, second = store.assignments.assign(campaign.id, "ann", 2).items
    forget_leases(store)
    say(store, campaign, "ben", first.id, 1)
    assert len(say(store, campaign, "ann", first.id, 0).over_quota) == 1
    assert say(store, campaign, "ann", second.id, 0).over_quota == []
    assert store.answers.current(campaign.id) == {first.row: 1, second.row: 0}
    rows, values = store.answers.snapshot(campaign.id, store.answers.last_seq(campaign.id))
    assert dict(zip(rows, values, strict=True)) == {first.row: 1, second.row: 0}


@pytest.mark.slow
def test_the_next_image_is_found_by_few_reads_after_thousands_of_answers(store: Store, tmp_path):
    large = store.datasets.register(imported(image_table(tmp_path / "large", n_train=6_000)))
    campaign = store.campaigns.create("large", large.id, None, np.arange(6_000), settings=CampaignSettings(overlap=2))
    items = store.campaigns.items(campaign.id)
    done = [AnswerIn(f"a{item.id}", item.id, 1) for item in items[:4_000]]
    store.answers.save(campaign.id, "ann", done)
    store.assignments.assign(campaign.id, "ann", 12, "tab")
    with statements(store.database) as told:
        for turn in range(10):
            found = store.assignments.assign(campaign.id, "ann", 12, f"tab {turn}", after=4_000).items
            progress = store.assignments.progress(campaign.id, "ann")
    assert len(told) / 10 < 30
    assert len(found) == 12 and found[0].position > 4_000
    assert (progress.total, progress.done, progress.answered) == (6_000, 0, 4_000)


def test_what_is_held_and_what_is_new_come_in_one_order(store: Store, campaign: Campaign):
    first, second, third = store.assignments.assign(campaign.id, "ann", 3, "tab").items
    store.assignments.release(campaign.id, "ann", "tab")
    assert store.assignments.assign(campaign.id, "ann", 1, "tab", after=second.position).items == [third]
    assert store.assignments.assign(campaign.id, "ann", 3, "tab").items == [first, second, third]


def test_one_page_holds_half_of_a_small_campaign_at_most_and_keeps_what_it_holds(store: Store, dataset):
    small = store.campaigns.create("small", dataset.id, None, range(36))
    store.campaigns.create("another", dataset.id, None, range(36))
    held = store.assignments.assign(small.id, "ann", 100, "tab").items
    assert positions(held) == list(range(18))
    assert positions(store.assignments.assign(small.id, "ben", 30).items) == list(range(18, 36))
    for item in store.campaigns.items(small.id)[18:]:
        say(store, small, "ben", item.id, 1)
    assert store.assignments.assign(small.id, "ann", 100, "tab").items == held
    assert len(store.assignments.assign(small.id, "ann", 100, "tab 2").items) == 0
    store.assignments.release(small.id, "ann", "tab")
    assert len(store.assignments.assign(small.id, "cid", 100).items) == 12, "of the 18 that are still open"


def test_a_page_of_a_large_campaign_holds_all_it_asks_for(store: Store, dataset):
    large = store.campaigns.create("large", dataset.id, None, range(40))
    assert len(store.assignments.assign(large.id, "ann", 20, "tab").items) == 20
    few = store.campaigns.create("few", dataset.id, None, range(12))
    assert len(store.assignments.assign(few.id, "ann", 20, "tab").items) == 12


def test_answers_about_items_of_other_campaigns_and_of_none_are_named_and_hold_up_no_other(store, dataset):
    first, second = (store.campaigns.create(name, dataset.id, None, range(3)) for name in ("first", "second"))
    mine, foreign = (store.campaigns.items(one.id)[0].id for one in (first, second))
    sent = [AnswerIn("a", mine, 1), AnswerIn("b", foreign, 1), AnswerIn("c", 2**31 - 1, 1)]
    receipt = store.answers.deliver(first.id, "ann", sent)
    assert (receipt.ids, receipt.unknown) == (["a"], ["b", "c"]) and len(store.answers.frame(first.id)) == 1
    assert store.answers.deliver(first.id, "ann", []).unknown == []


@pytest.mark.parametrize("ahead", [timedelta(days=400), timedelta(hours=3)])
def test_a_lease_given_by_a_clock_that_ran_ahead_holds_nothing(store: Store, campaign: Campaign, ahead: timedelta):
    held = store.assignments.assign(campaign.id, "ann", 3, "tab").items
    with store.database.write() as connection:
        connection.execute(schema.leases.update().values(expires_at=datetime.now(UTC) + ahead))
    assert store.assignments.leases(campaign.id) == []
    assert positions(store.assignments.assign(campaign.id, "ben", 3).items) == positions(held)
    assert positions(store.assignments.assign(campaign.id, "ann", 3, "tab").items) == [3, 4, 5]


def test_answers_under_way_at_the_deadline_are_taken_and_those_of_the_next_day_are_not(store: Store, dataset):
    now = datetime.now(UTC)
    just_over = store.campaigns.create(
        "just over", dataset.id, None, [0], settings=CampaignSettings(deadline=now - timedelta(minutes=30))
    )
    yesterday = store.campaigns.create(
        "yesterday", dataset.id, None, [1], settings=CampaignSettings(deadline=now - timedelta(days=1))
    )
    say(store, just_over, "ann", store.campaigns.items(just_over.id)[0].id, 1)
    assert store.campaigns.progress(just_over.id)["answered"] == 1
    (item,) = store.campaigns.items(yesterday.id)
    for call in (
        lambda: say(store, yesterday, "ann", item.id, 1),
        lambda: store.answers.save(yesterday.id, "ann", [AnswerIn("of-a-selection", item.id, 1)]),
        lambda: store.answers.take_back(yesterday.id, "ann", ["of-a-selection"]),
    ):
        with pytest.raises(CampaignClosedError, match="deadline of yesterday was"):
            call()
    assert store.answers.last_seq(yesterday.id) == 0
