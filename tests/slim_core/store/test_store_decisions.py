"""The lead's part of a campaign: decisions, known answers, files, members, deadlines, and the audit of it all."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Barrier, Event

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy.engine import Connection

from slim_core.errors import AnswersRefusedError, ForbiddenError, NotFoundError, SpecRefusedError
from slim_core.store import AnswerIn, Campaign, CampaignSettings, Store
from slim_core.store.campaigns.campaigns import lock_campaign
from slim_core.store.schema import campaigns
from tests.refusals import refusal
from tests.slim_core.store.store_makers import next_item


@pytest.fixture
def pair(store: Store, dataset) -> Campaign:
    """Asks two annotators about each of six images."""
    return store.campaigns.create("pair", dataset.id, None, range(6), settings=CampaignSettings(overlap=2))


def by_row(store: Store, campaign: Campaign, seq: int | None = None) -> dict[int, int]:
    """The answers that count, as a curate step reads them."""
    rows, values = store.answers.snapshot(campaign.id, store.answers.last_seq(campaign.id) if seq is None else seq)
    return dict(zip(rows.tolist(), values.tolist(), strict=True))


def test_a_decision_counts_whatever_was_answered_until_it_is_taken_back(store: Store, pair: Campaign):
    first, second = store.campaigns.items(pair.id)[:2]
    store.answers.save(pair.id, "ann", [AnswerIn("a", first.id, 1)])
    store.answers.save(pair.id, "ben", [AnswerIn("b", first.id, 0)])
    assert store.answers.current(pair.id) == {first.row: -1}
    disputed = store.answers.last_seq(pair.id)
    assert store.decisions.decide(pair.id, "lea", AnswerIn("d1", first.id, 0)) == 0
    assert store.answers.current(pair.id) == by_row(store, pair) == {first.row: 0}
    assert store.decisions.decide(pair.id, "lea", AnswerIn("d2", first.id, 1)) == 1
    assert store.decisions.decide(pair.id, "lea", AnswerIn("d3", second.id, 1)) == 1
    assert store.answers.current(pair.id) == by_row(store, pair) == {first.row: 1, second.row: 1}
    assert store.campaigns.items(pair.id)[0].decision == 1
    assert store.decisions.decide(pair.id, "lea", AnswerIn("d4", first.id, None)) == 0
    assert store.decisions.decide(pair.id, "lea", AnswerIn("d5", first.id, None)) is None
    assert store.answers.current(pair.id) == by_row(store, pair) == {first.row: -1, second.row: 1}
    assert by_row(store, pair, disputed) == {first.row: -1}
    assert store.answers.current(pair.id, annotator="ann") == {first.row: 1}


def test_a_decision_is_no_answer_of_its_lead_and_is_kept_once(store: Store, pair: Campaign):
    item = store.campaigns.items(pair.id)[0]
    for _ in range(2):
        store.decisions.decide(pair.id, "lea", AnswerIn("d1", item.id, 1, {"run": "r-1", "opacity": 0.4}, 1500))
    kept = store.answers.frame(pair.id)
    assert list(kept["source"]) == ["decision"] and kept["seen"][0] == {"run": "r-1", "opacity": 0.4}
    assert next_item(store, pair.id, "lea").id == item.id  # she may still answer it as an annotator
    assert store.campaigns.progress(pair.id)["answers"] == 0
    store.answers.save(pair.id, "lea", [AnswerIn("a", item.id, 0), AnswerIn("b", item.id, None)])
    assert store.answers.current(pair.id) == by_row(store, pair) == {item.row: 1}
    for who in ("lea", "ann"):
        store.answers.save(pair.id, who, [AnswerIn(who, item.id, 0)])
    assert store.assignments.progress(pair.id, "ann").done == 1, "hers is one of them"


def test_a_decision_on_a_page_that_was_open_for_a_month_is_kept_with_a_day(store: Store, pair: Campaign):
    first, second = store.campaigns.items(pair.id)[:2]
    for item, spent in ((first, 31 * 24 * 3_600_000), (second, -5)):
        assert store.decisions.decide(pair.id, "lea", AnswerIn(f"d{item.id}", item.id, 1, {}, spent)) == 1
    assert list(store.answers.frame(pair.id)["duration_ms"]) == [24 * 3_600_000, 0]


def test_what_a_lead_has_decided_another_neither_replaces_nor_takes_back_without_saying_whose_it_is(
    store: Store, pair: Campaign
):
    first, second = store.campaigns.items(pair.id)[:2]
    store.decisions.decide(pair.id, "lea", AnswerIn("d1", first.id, 0))
    for late in (AnswerIn("d2", first.id, 1), AnswerIn("d3", first.id, None)):
        with refusal(AnswersRefusedError, "lea", first.row, "wrong"):
            store.decisions.decide(pair.id, "max", late)
    store.decisions.decide(pair.id, "max", AnswerIn("d4", second.id, 1))
    made = [(one.item_id, one.by, one.value) for one in store.decisions.counting(pair.id)]
    assert made == [(first.id, "lea", 0), (second.id, "max", 1)]
    assert store.decisions.decide(pair.id, "max", AnswerIn("d5", first.id, None), of="lea") is None
    assert store.decisions.decide(pair.id, "max", AnswerIn("d6", first.id, 1)) == 1
    assert [(one.item_id, one.by) for one in store.decisions.counting(pair.id)] == [
        (second.id, "max"),
        (first.id, "max"),
    ]
    assert by_row(store, pair) == store.answers.current(pair.id) == {first.row: 1, second.row: 1}


def test_of_two_leads_who_decide_at_once_one_is_told_and_nothing_is_lost(store: Store, pair: Campaign):
    items = store.campaigns.items(pair.id)
    start = Barrier(2)

    def press(who: str) -> list[str]:
        refused = []
        for item in items:
            start.wait(timeout=60)
            try:
                store.decisions.decide(pair.id, who, AnswerIn(f"{who}-{item.id}", item.id, 1))
            except AnswersRefusedError as error:
                refused.append(str(error))
        return refused

    with ThreadPoolExecutor(2) as both:
        told = [one for refused in both.map(press, ["lea", "max"]) for one in refused]
    assert len(told) == len(store.decisions.counting(pair.id)) == len(store.answers.frame(pair.id)) == len(items)


def test_a_closed_campaign_can_be_decided_about(store: Store, pair: Campaign):
    item = store.campaigns.items(pair.id)[0]
    store.campaigns.close(pair.id)
    assert store.decisions.decide(pair.id, "lea", AnswerIn("d1", item.id, 1)) == 1


def test_what_cannot_be_decided_is_refused_and_changes_nothing(store: Store, pair: Campaign, dataset):
    item = store.campaigns.items(pair.id)[0]
    other = store.campaigns.create("other", dataset.id, None, [7])
    store.answers.save(pair.id, "ann", [AnswerIn("a", item.id, 1)])
    elsewhere = store.campaigns.items(other.id)[0].id
    for wrong, *named in (
        (AnswerIn("d", item.id, 4), 4),
        (AnswerIn("d", elsewhere, 1), elsewhere, pair.id),
        (AnswerIn("a", item.id, 1), "a"),
    ):
        with refusal(AnswersRefusedError, *named):
            store.decisions.decide(pair.id, "lea", wrong)
    with pytest.raises(NotFoundError, match="no campaign c-none"):
        store.decisions.decide("c-none", "lea", AnswerIn("d", item.id, 1))
    assert len(store.answers.frame(pair.id)) == 1 and store.campaigns.items(pair.id)[0].decision is None


moves = st.lists(
    st.tuples(
        st.sampled_from(["ann", "ben", "decide"]), st.integers(0, 2), st.sampled_from([1, 0, -1, None]), st.booleans()
    ),
    max_size=25,
)


@pytest.mark.slow
@given(moves=moves)
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_counts_now_equals_the_newest_snapshot_decisions_included(store: Store, dataset, moves):
    campaign = store.campaigns.create("any", dataset.id, None, range(3), settings=CampaignSettings(overlap=2))
    items = store.campaigns.items(campaign.id)
    for k, (who, index, value, _) in enumerate(moves):
        answer = AnswerIn(f"{campaign.id}-{k}", items[index].id, value)
        if who == "decide":
            store.decisions.decide(campaign.id, "lea", answer)
        else:
            store.answers.save(campaign.id, who, [answer])
    assert by_row(store, campaign) == store.answers.current(campaign.id)


def test_rows_are_asked_in_the_order_given(store: Store, dataset):
    rows = [9, 1, 4, 2, 7]
    campaign = store.campaigns.create("ordered", dataset.id, None, rows)
    store.campaigns.extend(campaign.id, [30, 3, 12])
    assert [item.row for item in store.campaigns.items(campaign.id)] == [*rows, 30, 3, 12]


def test_known_answers_are_set_with_the_campaign_or_later(store: Store, dataset):
    campaign = store.campaigns.create("gold", dataset.id, None, range(4), settings=CampaignSettings(gold={2: 1, 3: 0}))
    assert {item.row: item.gold for item in store.campaigns.items(campaign.id)} == {0: None, 1: None, 2: 1, 3: 0}
    ids = {item.row: item.id for item in store.campaigns.items(campaign.id)}
    store.decisions.set_gold(campaign.id, {ids[0]: -1, ids[3]: None}, by="lea")
    assert {item.row: item.gold for item in store.campaigns.items(campaign.id)} == {0: -1, 1: None, 2: 1, 3: None}
    with pytest.raises(AnswersRefusedError, match="5 is not an"):
        store.decisions.set_gold(campaign.id, {ids[0]: 5}, by="lea")
    with pytest.raises(AnswersRefusedError, match="Item 999999 does not belong"):
        store.decisions.set_gold(campaign.id, {ids[1]: 1, 999_999: 1}, by="lea")
    assert {item.gold for item in store.campaigns.items(campaign.id) if item.row == 1} == {None}
    with pytest.raises(SpecRefusedError, match="Row 9 has a known"):
        store.campaigns.create("bad", dataset.id, None, range(4), settings=CampaignSettings(gold={9: 1}))
    with pytest.raises(SpecRefusedError, match="7 is not an"):
        store.campaigns.create("bad", dataset.id, None, range(4), settings=CampaignSettings(gold={2: 7}))


def test_answers_of_several_people_are_taken_in_together_or_not_at_all(store: Store, pair: Campaign):
    a, b, c = store.campaigns.items(pair.id)[:3]
    good = {"ann": [AnswerIn("1", a.id, 1), AnswerIn("2", b.id, 0)], "ben": [AnswerIn("3", a.id, 0)]}
    with pytest.raises(AnswersRefusedError, match="does not belong"):
        store.answers.import_file(pair.id, "lea", good | {"cid": [AnswerIn("4", 999_999, 1)]})
    assert len(store.answers.frame(pair.id)) == 0
    assert store.answers.import_file(pair.id, "lea", good) == (3, 0)
    assert store.answers.import_file(pair.id, "lea", good) == (0, 0)
    late = {"cid": [AnswerIn("5", a.id, 1), AnswerIn("6", c.id, -1)]}
    assert store.answers.import_file(pair.id, "lea", late) == (2, 1)
    assert store.answers.votes(pair.id) == [
        (a.id, "ann", 1),
        (a.id, "ben", 0),
        (b.id, "ann", 0),
        (c.id, "cid", -1),
    ]
    store.campaigns.close(pair.id)
    with pytest.raises(AnswersRefusedError, match="pair is closed"):
        store.answers.import_file(pair.id, "lea", {"ann": [AnswerIn("7", c.id, 1)]})


def test_the_audit_reads_every_row_once_and_in_order(store: Store, dataset, monkeypatch):
    monkeypatch.setattr("slim_core.store.campaigns.answers.READ_AT_ONCE", 7)
    campaign = store.campaigns.create("audit", dataset.id, None, range(30))
    items = store.campaigns.items(campaign.id)
    answers = [AnswerIn(f"a-{k}", item.id, k % 2, {"opacity": 0.5}, 100) for k, item in enumerate(items[:28])]
    store.answers.save(campaign.id, "ann", answers)
    rows = list(store.answers.audit(campaign.id))
    assert [row["id"] for row in rows] == [f"a-{k}" for k in range(28)]
    assert [row["row"] for row in rows] == [item.row for item in items[:28]]
    assert rows[0]["seen"] == {"opacity": 0.5} and rows[0]["created_at"].tzinfo is not None
    assert [row["id"] for row in store.answers.audit(campaign.id, after=rows[25]["seq"])] == ["a-26", "a-27"]


def test_members_named_by_a_campaign_are_the_only_ones_who_answer_it(store: Store, pair: Campaign):
    store.campaigns.fetch(pair.id).require_annotator("anyone@example.org")
    store.campaigns.set_members(pair.id, ["Ann@example.org ", ""], by="lea")
    store.campaigns.fetch(pair.id).require_annotator("ann@example.org")
    with pytest.raises(ForbiddenError, match="an annotator of pair: a lead can"):
        store.campaigns.fetch(pair.id).require_annotator("ben@example.org")
    for send in (store.answers.save, store.answers.deliver):
        with pytest.raises(ForbiddenError):
            send(pair.id, "ben@example.org", [AnswerIn("a", store.campaigns.items(pair.id)[0].id, 1)])
    store.campaigns.set_members(pair.id, [], by="lea")
    store.campaigns.fetch(pair.id).require_annotator("ben@example.org")


def test_the_log_says_who_was_added_to_a_campaign_and_who_was_taken_off(store: Store, pair: Campaign):
    for members in (["Ann@example.org", "ben@example.org"], ["ann@example.org", "cid@example.org"], []):
        store.campaigns.set_members(pair.id, members, by="lea")
    logged = [(one.who, one.what, one.details) for one in store.events.recent(3, subject=pair.id)][::-1]
    assert logged == [
        ("lea", "campaign.members", {"added": ["Ann@example.org", "ben@example.org"], "removed": []}),
        ("lea", "campaign.members", {"added": ["cid@example.org"], "removed": ["ben@example.org"]}),
        ("lea", "campaign.members", {"added": [], "removed": ["ann@example.org", "cid@example.org"]}),
    ]


def test_the_log_of_two_who_name_members_at_once_says_what_the_second_changed_of_the_first(
    store: Store, pair: Campaign, monkeypatch: pytest.MonkeyPatch
):
    write, is_about_to_write = store.database.write, Event()

    @contextmanager
    def noted() -> Iterator[Connection]:
        is_about_to_write.set()
        with write() as connection:
            yield connection

    with ThreadPoolExecutor(1) as somebody_else:
        with write() as connection:
            of_first = lock_campaign(connection, pair.id).options | {"members": ["ann"], "blind": True}
            monkeypatch.setattr(store.database, "write", noted)
            pressed = somebody_else.submit(store.campaigns.set_members, pair.id, ["ben"], "lea")
            assert is_about_to_write.wait(60)
            connection.execute(campaigns.update().where(campaigns.c.id == pair.id).values(options=of_first))
        changed = pressed.result(60)
    assert changed.options == of_first | {"members": ["ben"]}
    (logged,) = store.events.recent(1, subject=pair.id)
    assert (logged.what, logged.details) == ("campaign.members", {"added": ["ben"], "removed": ["ann"]})


def test_a_deadline_can_be_moved(store: Store, pair: Campaign):
    store.campaigns.set_deadline(pair.id, datetime.now(UTC) - timedelta(minutes=1), by="lea")
    with pytest.raises(AnswersRefusedError, match="deadline of pair was"):
        next_item(store, pair.id, "ann")
    store.campaigns.set_deadline(pair.id, None, by="lea")
    assert next_item(store, pair.id, "ann") is not None
